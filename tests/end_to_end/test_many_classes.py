"""Images of exactly one class: softmax, top-1, the confusion, harm to other classes, a control."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from biasaudit.results import Audit, read_results

COLOURS = {"boat": (220, 30, 30), "car": (30, 220, 30), "tree": (30, 30, 220)}
SIZES = {"train": 24, "val": 12, "test": 12}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Squares of one colour a class on noise, with masks of the squares."""
    folder = tmp_path_factory.mktemp("shapes")
    draw = np.random.default_rng(0)
    for subset, n in SIZES.items():
        for name, colour in COLOURS.items():
            for kind in ("images", "masks"):
                (folder / kind / subset / name).mkdir(parents=True)
            for number in range(n):
                image = draw.integers(60, 120, (64, 64, 3), dtype=np.uint8)
                mask = np.zeros((64, 64), np.uint8)
                top, left = draw.integers(0, 40, 2)
                mask[top : top + 24, left : left + 24] = 255
                image[mask > 0] = colour
                Image.fromarray(image).save(folder / f"images/{subset}/{name}/{number}.png")
                Image.fromarray(mask).save(folder / f"masks/{subset}/{name}/{number}.png")
    (folder / "dataset.toml").write_text(
        'format = "folder"\nname = "shapes"\nmasks = "masks"\nobject = "boat"\n'
    )
    return folder


def train(biasaudit, shapes, out, *options):
    return biasaudit(
        *("train", "--data", shapes, "--backbone", "harbournet", "--loss", "softmax"),
        *("--epochs", "3", "--batch-size", "12", "--out", out, *options),
    )


def test_softmax_from_training_to_report(biasaudit, shapes, tmp_path):
    answer = train(biasaudit, shapes, "base")
    assert answer.code == 0, answer.err
    shuffled = ("--mode", "energy", "--pixel-labels", "8", "--set", "data.regions=shuffled")
    answer = train(biasaudit, shapes, "control", *shuffled)
    assert answer.code == 0, answer.err
    assert "moved to a random place" in answer.err
    answer = biasaudit(*("evaluate", "--run", "base", "--run", "control", "--out", "both"))
    assert answer.code == 0, answer.err
    assert "24 images of other objects" not in answer.out  # val and test: 48
    assert "48 images of other objects" in answer.out
    runs = read_results(tmp_path / "both").runs
    assert [run.mode for run in runs] == ["baseline-softmax", "energy-softmax-shuffled"]
    assert runs[1].settings["data"]["regions"] == "shuffled"
    audits = [Audit.load(tmp_path / "both" / name) for name in ("base", "control")]
    for audit in audits:
        check_answers(audit)
    answer = biasaudit("compare", "both/base", "both/control", "--json", "--html", "c.html")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["harm"]["pooled"]["n"] == 48
    assert set(told["harm"]["by_class"]) == {"car", "tree"}
    assert told["harm"]["sentence"].startswith("48 images of other objects")
    assert told["harm"]["sentence"] in (tmp_path / "c.html").read_text()
    answer = biasaudit("report", "both/base", "both/control", "--out", "r.html")
    assert answer.code == 0, answer.err
    page = (tmp_path / "r.html").read_text()
    assert "by their class (rows)" in page
    assert told["harm"]["sentence"] in page


def check_answers(audit):
    """One decision an image, the class of the highest score, in both tables alike."""
    table = audit.classes
    assert table.groupby("subset", observed=True).size().to_dict() == {"test": 108, "val": 108}
    by_image = table.groupby(["subset", "id"], observed=True)
    assert (by_image["decision"].sum() == 1).all()
    assert (table["decision"] == table["top"]).all()
    chosen = table.loc[by_image["score"].idxmax()]
    assert (chosen["decision"] == 1).all()
    boats = table[table["class"] == "boat"].astype({"id": object, "decision": int}).set_index("id")
    rows = audit.per_image.set_index("id")
    pd.testing.assert_series_equal(rows["decision"], boats.loc[rows.index, "decision"])
    found = audit.run.classes["test"]
    right = table[(table["subset"] == "test") & (table["label"] == 1)]["correct"].sum()
    assert found.top_1 == pytest.approx(right / 36)
    assert sum(found.confusion.counts[i][i] for i in range(3)) == right
    # The colours are learnt in three epochs.
    assert found.top_1 > 0.6


def test_softmax_needs_one_class_an_image(biasaudit):
    answer = biasaudit("train", "--loss", "softmax", "--set=data.options.train=40")
    assert answer.code == 2
    assert len(answer.err.strip().splitlines()) <= 2
    assert "--loss softmax: " in answer.err
    assert "training images do not have exactly one class" in answer.err
    assert "use --loss sigmoid" in answer.err
