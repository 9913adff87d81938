"""``biasaudit data labels``: the list that annotators are given."""

import csv
import json

import pytest
from four_formats import write_coco


def rows_of(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_it_lists_what_training_takes(biasaudit, tmp_path):
    root = write_coco(tmp_path / "own")
    answer = biasaudit("data", "labels", "--data", root, "--pixel-labels", "3", "--seed", "1")
    assert answer.code == 0, answer.err
    assert answer.out.strip() == "labels.csv"
    assert "note: 3 images of 'boat': 3 with a mask" in answer.err
    rows = rows_of(tmp_path / "labels.csv")
    assert list(rows[0]) == ["order", "image", "object", "has", "source"]
    assert [row["order"] for row in rows] == ["1", "2", "3"]
    train = (
        "train",
        "--data",
        root,
        "--backbone",
        "harbournet",
        "--weights",
        "none",
        "--seed",
        "1",
    )
    tiny = ("--mode", "gain_ext", "--batch-size", "3", "--epochs", "1", "--image-size", "32")
    assert biasaudit(*train, *tiny, "--pixel-labels", "3", "--out", "run").code == 0
    chosen = json.loads((tmp_path / "run" / "labels.json").read_text())["entries"]
    assert [entry["id"] for entry in chosen] == [row["image"] for row in rows]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pixel-labels", "99"), "--pixel-labels 99: only 3 training images show 'boat'; ask"),
        (("--pixel-labels", "1", "--object", "bota"), "no category is called 'bota' (--object)"),
        (("--pixel-labels", "1", "--out", "taken/a.csv"), "--out taken/a.csv: cannot be written"),
    ],
)
def test_one_line_of_error(biasaudit, tmp_path, words, message):
    (tmp_path / "taken").write_text("")
    answer = biasaudit("data", "labels", "--data", write_coco(tmp_path / "own"), *words, "--quiet")
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1
