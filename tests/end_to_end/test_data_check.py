"""``biasaudit data check`` as a user calls it."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from four_formats import write_folder, write_manifest

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"
photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not here")


def test_a_sound_dataset(biasaudit, tmp_path):
    answer = biasaudit("data", "check", "--data", write_folder(tmp_path / "own"))
    assert answer.code == 0, answer.err
    assert "own: train 6 / val 4 / test 2 images" in answer.out
    assert "no faults" in answer.out
    assert "boat-without-water (from test): 1 images, small" in answer.out


def test_faults_are_listed_and_the_code_is_2(biasaudit, tmp_path):
    root = write_folder(tmp_path / "own")
    (root / "images/train/boat/plain.jpg").write_bytes(b"x")
    (root / "images/val/cow/cmyk.jpg").write_bytes(b"x")
    answer = biasaudit("data", "check", "--data", root)
    assert answer.code == 2
    assert "2 faults" in answer.out
    for name in ("plain.jpg", "cmyk.jpg"):
        assert f"{name}: not an image that can be read" in answer.out
    assert "lift" in answer.out


def test_json_alone(biasaudit, tmp_path):
    root = write_manifest(tmp_path / "own")
    PIL.Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(root / "pictures" / "plain.jpg")
    answer = biasaudit(
        "data", "check", "--data", root, "--json", "--object", "cow", "--context", "grass"
    )
    assert answer.code == 2
    found = json.loads(answer.out)
    assert found["images"] == {"train": 6, "val": 4, "test": 2}
    assert [fault["kind"] for fault in found["faults"]] == ["wrong size"]
    assert [group["verdict"] for group in found["groups"]] == [
        "empty",
        "small",
        "empty",
        "small",
    ]
    pair = next(p for p in found["pairs"] if (p["object"], p["context"]) == ("cow", "grass"))
    assert (pair["both"], pair["object_only"], pair["unknown"]) == (1, 1, 0)


def test_what_cannot_be_read_at_all_has_its_faults_listed(biasaudit, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.tar").write_text("no archive" * 100)
    (tmp_path / "dataset.toml").write_text(
        'format = "webdataset"\n[shards]\ntrain = "a.tar"\ntest = "b.tar"\n'
    )
    answer = biasaudit("data", "check", "--data", tmp_path)
    assert answer.code == 2
    assert answer.out.startswith(f"{tmp_path}: cannot be read\n3 faults\n")
    for name in ("a", "b"):
        assert f"unreadable: {tmp_path / name}.tar: not a tar archive" in answer.out


def test_what_there_is_not(biasaudit):
    answer = biasaudit("data", "check", "--data", "nowhere")
    assert answer.code == 2
    assert answer.err.startswith("error: --data nowhere: no such folder")
    assert len(answer.err.splitlines()) == 1


@photos
@pytest.mark.photos
def test_the_photographs(biasaudit):
    answer = biasaudit("data", "check", "--data", PHOTOS)
    assert answer.code == 0, answer.out
    assert "train 734 / val 170 / test 63" in answer.out
    assert "boat-without-water (from test): 16 images, small" in answer.out
    assert "water-without-boat (from test): 47 images\n" in answer.out
