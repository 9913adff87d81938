"""Images that cannot be read: refused, or left out and counted."""

import json

import numpy as np
import PIL.Image
import pytest

from biasaudit.api import load_dataset
from biasaudit.errors import ConfigError, DataError

TINY = ("--backbone", "harbournet", "--batch-size", "2", "--epochs", "1", "--image-size", "32")


@pytest.fixture
def root(tmp_path):
    """Twelve pictures of which one is empty, one cut off, one text."""
    place = tmp_path / "d"
    (place / "images").mkdir(parents=True)
    rows = ["image,labels,subset,water"]
    for number in range(12):
        shade = np.full((24, 24, 3), 20 * number, np.uint8)
        PIL.Image.fromarray(shade).save(place / "images" / f"{number}.png")
        label = ("boat", "car")[number % 2]
        rows.append(f"{number}.png,{label},{('train', 'val')[number % 4 > 1]},{number % 2}")
    (place / "t.csv").write_text("\n".join(rows) + "\n")
    (place / "dataset.toml").write_text(
        'format = "manifest"\nmanifest = "t.csv"\nimages = "images"\ncontexts = ["water"]\n'
        'object = "boat"\n'
    )
    (place / "images" / "1.png").write_bytes(b"")
    (place / "images" / "2.png").write_bytes((place / "images" / "3.png").read_bytes()[:50])
    (place / "images" / "4.png").write_text("not a picture")
    return place


def test_they_are_left_out_and_counted(biasaudit, root, tmp_path):
    answer = biasaudit("train", "--data", root, *TINY, "--out", "run", "--on-error", "skip")
    assert answer.code == 0, answer.err
    assert "note: 3 images were left out that cannot be read; the first: " in answer.err
    answer = biasaudit("evaluate", "--run", "run", "--split", "val", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)["runs"][0]
    assert told["skipped"] == {"n": 3, "images": ["1.png", "4.png", "2.png"]}
    assert told["splits"]["val"]["overall"]["n"] == 5
    assert biasaudit("report", "run").code == 0
    page = (tmp_path / "report.html").read_text()
    assert "3 images of the dataset could not be read and were left out: 1.png" in page


def test_a_segmenter_leaves_them_out_as_its_run_did(biasaudit, root, tmp_path):
    assert biasaudit("train", "--data", root, *TINY, "--out", "run", "--on-error", "skip").code == 0
    short = ("--set", "segment.iterations=1", "--set", "segment.image_size=32")
    made = biasaudit("segment", "train", "--run", "run", *short, "--out", "drawer")
    assert made.code == 0, made.err
    drawn = biasaudit("segment", "export", "--run", "drawer", "--out", "masks", "--subset", "val")
    assert drawn.code == 0, drawn.err
    assert len(list((tmp_path / "masks" / "masks" / "val").glob("*.png"))) == 5


def test_they_are_refused_unless_that_is_asked_for(biasaudit, root):
    for arguments in ((), ("--on-error", "stop")):
        answer = biasaudit("train", "--data", root, *TINY, "--out", "run", *arguments)
        assert answer.code == 2
        assert answer.err.count("\n") == 1
        assert ".png" in answer.err
    answer = biasaudit("train", "--data", root, *TINY, "--on-error", "ignore")
    assert answer.code == 2
    assert "--on-error ignore" in answer.err


def test_in_python(root):
    found = load_dataset(root, on_error="skip")
    assert [one.id for one in found.skipped] == ["1.png", "4.png", "2.png"]
    assert len(found.subset("train")) + len(found.subset("val")) == 9
    with pytest.raises(ConfigError, match="skip"):
        load_dataset(root, on_error="skp")
    for file in (root / "images").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match="no image can be read"):
        load_dataset(root, on_error="skip")
