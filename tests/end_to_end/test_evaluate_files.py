"""What ``evaluate`` writes beside the figures where it is asked: erased images, maps, pairs."""

import numpy as np
import pytest

from biasaudit.results import PER_IMAGE_COLUMNS, Gallery, read_per_image, read_results
from biasaudit.statistics import mean_interval

SHARES = [f"{i / 10:.1f}" for i in range(11)]


@pytest.fixture
def run(trained):
    return trained("run")


WHOLE = ("--faithfulness", "--maps", "--all-pairs")


def test_faithfulness_can_be_recomputed_and_maps_belong_to_their_rows(audited):
    _, run = audited(*WHOLE)
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


@pytest.mark.parametrize("out", [[], ["--out", "both", "--run", "run"]])
def test_results_of_a_newer_version_are_refused_before_the_work(
    biasaudit, run, tmp_path, monkeypatch, out
):
    folder = tmp_path / "both" if out else run
    folder.mkdir(exist_ok=True)
    newer = '{"format_version": 2, "others": []}'
    (folder / "results.json").write_text(newer)
    monkeypatch.setattr("biasaudit.api.audit", None)
    answer = biasaudit("evaluate", "--run", "run", *out)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"error: {folder.name}/results.json: format_version 2 is newer than 1; update biasaudit\n"
    )
    assert (folder / "results.json").read_text() == newer


def test_a_later_audit_adds_to_the_earlier_one(biasaudit, audited):
    """Pairs, maps and erased images of the first stay, and the figures are those of all rows."""
    _, run = audited(*WHOLE)
    before = read_per_image(run / "per_image.csv")
    second = biasaudit("evaluate", "--run", run, "--split", "edited-boat")
    assert second.code == 0, second.err
    assert "kept from before: biased-boat, faithfulness of val, every other pair, maps" in (
        second.err
    )
    assert "replaced" not in second.err
    table = read_per_image(run / "per_image.csv")
    assert set(table["split"]) == {"val", "biased-boat", "edited-boat"}
    splits = read_results(run).runs[0].splits
    assert list(splits) == ["val", "biased-boat", "edited-boat"]
    for name in ("val", "biased-boat"):
        assert splits[name].faithfulness is not None
        recomputed(splits[name].faithfulness, table[table["split"] == name])
    assert splits["edited-boat"].faithfulness is None
    assert (run / "pairs.csv").is_file()
    maps = np.load(run / "maps.npz", allow_pickle=False)
    assert sorted(maps["id"].tolist()) == sorted(before["id"].tolist())
    ids = set(Gallery.load(run / "gallery.npz").ids.tolist())
    assert ids >= set(table.loc[table["split"] != "val", "id"])
    # edited pairs of the second measurement speak in the verdict on the groups of the first
    assert splits["biased-boat"].verdict.pairs is not None
    # and a third time, everything as it was
    third = biasaudit("evaluate", "--run", run)
    assert third.code == 0, third.err
    assert read_results(run).runs[0].splits == splits


def test_another_question_says_what_it_replaces(biasaudit, run):
    assert biasaudit("evaluate", "--run", run, "--split", "test").code == 0
    answer = biasaudit("evaluate", "--run", run, "--object", "car", "--context", "road")
    assert answer.code == 0, answer.err
    assert "note: replaced: val, test, measured for boat and water" in answer.err
    assert list(read_results(run).runs[0].splits) == ["val", "biased-car"]
    again = biasaudit("evaluate", "--run", run)
    assert again.code == 0, again.err
    assert "kept from before: biased-car" in again.err
    assert "note: replaced: val, measured for car and road" in again.err
    splits = read_results(run).runs[0].splits
    assert set(splits) == {"val", "biased-boat", "biased-car"}
    assert splits["biased-car"].object == "car"
    # two pairs are judged now, and each verdict's level is corrected for both
    assert {splits[name].verdict.level for name in ("biased-boat", "biased-car")} == {0.975}


def test_another_model_in_the_same_folder_replaces_all(biasaudit, run, trained):
    assert biasaudit("evaluate", "--run", run, "--all-pairs", "--out", "both").code == 0
    trained("other", "--seed", "1")
    answer = biasaudit("evaluate", "--run", "other", "--out", "both")
    assert answer.code == 0, answer.err
    told = (
        "note: replaced: val, biased-boat of both, measured with other weights, as the scores say"
    )
    assert told in answer.err
    assert not (run.parent / "both" / "pairs.csv").exists()


def test_out_names_the_run(biasaudit, run, tmp_path):
    assert read_results_name(biasaudit, run) == "run"
    answer = biasaudit("evaluate", "--run", run, "--out", "elsewhere")
    assert answer.code == 0, answer.err
    title, names, *_ = answer.out.splitlines()
    assert title.endswith("95% intervals in brackets")  # one line, however narrow the columns
    assert names.split() == ["elsewhere"]
    assert read_results(tmp_path / "elsewhere").runs[0].name == "elsewhere"
    report = biasaudit("report", run, "elsewhere", "--out", "both.md")
    assert report.code == 0, report.err
    text = (tmp_path / "both.md").read_text()
    assert "elsewhere" in text


def test_one_file_of_several_runs_keeps_those_that_are_not_named_again(biasaudit, run, trained):
    for seed in ("1", "2"):
        trained(f"s{seed}", "--seed", seed)
    assert biasaudit("evaluate", "--run", run, "--run", "s1", "--out", "all").code == 0
    answer = biasaudit("evaluate", "--run", "s1", "--run", "s2", "--out", "all")
    assert answer.code == 0, answer.err
    assert "note: kept from before: run" in answer.err
    found = read_results(run.parent / "all").runs
    assert [one.name for one in found] == ["run", "s1", "s2"]


def read_results_name(biasaudit, run):
    assert biasaudit("evaluate", "--run", run).code == 0
    return read_results(run).runs[0].name


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
