"""What ``evaluate`` writes beside the figures where it is asked: erased images, maps, pairs."""

import numpy as np
import pytest

from biasaudit.results import PER_IMAGE_COLUMNS, Gallery, read_per_image, read_results
from biasaudit.statistics import mean_interval

SHARES = [f"{i / 10:.1f}" for i in range(11)]


@pytest.fixture
def run(biasaudit, small, tmp_path):
    assert biasaudit("train", "--quiet", *small, "--out", "run").code == 0
    return tmp_path / "run"


def test_faithfulness_can_be_recomputed_and_maps_belong_to_their_rows(biasaudit, run):
    answer = biasaudit("evaluate", "--run", run, "--faithfulness", "--maps", "--all-pairs")
    assert answer.code == 0, answer.err
    table = read_per_image(run / "per_image.csv")
    assert tuple(table.columns[: len(PER_IMAGE_COLUMNS)]) == PER_IMAGE_COLUMNS
    for name, split in read_results(run).runs[0].splits.items():
        recomputed(split.faithfulness, table[table["split"] == name])
    # Only images that show the object are erased.
    assert table["probability"].notna().equals(table["label"] == 1)
    shown = table[table["label"] == 1]
    assert np.allclose(shown["probability"], 1 / (1 + np.exp(-shown["score"])), atol=1e-5)

    maps = np.load(run / "maps.npz", allow_pickle=False)
    assert maps["id"].tolist() == table["id"].tolist()
    assert maps["group"].tolist() == table["group"].tolist()
    assert (run / "pairs.csv").is_file()
    assert len(maps["maps"]) == len(table)
    assert (maps["maps"] >= 0).all()
    # The gallery holds the same maps, each scaled by its own maximum.
    gallery = Gallery.load(run / "gallery.npz")
    kept = maps["maps"][[maps["id"].tolist().index(name) for name in gallery.ids]]
    scaled = kept / np.maximum(kept.max(axis=(1, 2), keepdims=True), 1e-12)
    assert np.abs(scaled * 255 - gallery.maps).max() <= 1

    # A later audit leaves nothing of the earlier one behind.
    assert biasaudit("evaluate", "--run", run).code == 0
    assert not (run / "maps.npz").exists()
    assert not (run / "pairs.csv").exists()
    assert (run / "gallery.npz").exists()


def recomputed(told, rows):
    rows = rows[rows["probability"].notna()]
    falls = {
        "fall_attention": "without_attention",
        "fall_random": "without_random",
        "fall_region": "without_region",
        "fall_context": "without_context",
    }
    for figure, column in falls.items():
        fall = (rows["probability"] - rows[column]).mean()
        expected = None if np.isnan(fall) else pytest.approx(fall, abs=1e-6)
        assert getattr(told, figure) == expected, figure
    excess = (rows["without_random"] - rows["without_attention"]).to_numpy()
    assert told.excess == pytest.approx(np.nanmean(excess), abs=1e-6)
    assert told.excess_ci == pytest.approx(mean_interval(excess, bounds=None), abs=1e-4)
    assert told.n == rows["without_attention"].notna().sum()
    assert told.n_regions == rows["without_region"].notna().sum()
    for name in ("deletion", "insertion"):
        curve = [rows[f"{name}_{share}"].mean() for share in SHARES]
        assert getattr(told, f"{name}_curve") == pytest.approx(curve, abs=1e-6)
        assert getattr(told, f"{name}_area") == pytest.approx(np.trapezoid(curve, dx=0.1), abs=1e-6)
