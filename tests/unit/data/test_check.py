"""A planted corpus of faults: each is found and named, and none stops the check."""

import json

import numpy as np
import PIL.Image
import pytest
from coco_tree import draw
from four_formats import WRITERS, put, put_map, write_manifest, write_voc
from scene_pictures import scene

from biasaudit.data.checks.check import check_dataset
from biasaudit.errors import DataError


def edit(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def kinds(found):
    return {(fault.kind, fault.file.rpartition("/")[2]) for fault in found.faults}


@pytest.mark.parametrize("name", WRITERS)
def test_a_sound_dataset_has_no_fault(tmp_path, name):
    told = []
    found = check_dataset(
        str(WRITERS[name](tmp_path)), begin=told.append, step=lambda: told.append(0)
    )
    assert found.faults == []
    assert found.images == {"train": 6, "val": 4, "test": 2}
    assert told == [12] + [0] * 12
    assert [(group.group, group.n, group.verdict) for group in found.groups] == [
        ("boat-without-water", 1, "small"),
        ("water-without-boat", 1, "small"),
        ("boat-with-water", 0, "empty"),
        ("neither", 0, "empty"),
    ]


def test_planted_faults_in_coco(tmp_path):
    root = draw(tmp_path / "planted")
    images = root / "images"
    scene(1).save(images / "seen.png")
    scene(1).resize((90, 70)).save(images / "again.png")

    def train(content):
        content["images"] += [
            {"id": 50, "file_name": "seen.png", "width": 160, "height": 120},
            {"id": 51, "file_name": "gone.png", "width": 4, "height": 4},
            {"id": 52, "file_name": "../out.png", "width": 4, "height": 4},
            {"id": 1, "file_name": "other.png", "width": 4, "height": 4},
            {"id": 53, "file_name": "two.png", "width": 30, "height": 20},
        ]
        rle = {"size": [2, 2], "counts": [4]}
        content["annotations"] += [
            {"id": 90, "image_id": 50, "category_id": 77},
            {"id": 91, "image_id": 50, "category_id": 1, "segmentation": rle},
            {"id": 92, "image_id": 99, "category_id": 1},
            {"id": 93, "image_id": 50, "category_id": 1, "bbox": [1, 2, 3]},
            {"id": 94, "image_id": 52, "category_id": 1},
        ]

    def val(content):
        content["images"].append({"id": 60, "file_name": "two.png", "width": 30, "height": 20})
        content["images"].append({"id": 61, "file_name": "again.png", "width": 90, "height": 70})

    edit(root / "train.json", train)
    edit(root / "val.json", val)
    (images / "packed.png").write_bytes(b"not a picture")
    whole = (images / "cmyk.jpg").read_bytes()
    (images / "cmyk.jpg").write_bytes(whole[: len(whole) // 2])
    PIL.Image.new("RGB", (9, 9)).save(images / "box.png")

    found = check_dataset(str(root))
    said = "\n".join(f"{f.kind} | {f.file} | {f.message}" for f in found.faults)
    for kind, words in (
        ("unreadable", "packed.png"),
        ("unreadable", "cmyk.jpg"),
        ("wrong size", "box.png"),
        ("missing file", "gone.png"),
        ("path outside the root", "../out.png"),
        ("duplicate id", "images: id 1 "),
        ("duplicate id", "'two.png'"),
        ("class without a name", "no category has the id 77"),
        ("faulty annotation", "segmentation.size is [2, 2]"),
        ("faulty annotation", "no image has the id 99"),
        ("faulty annotation", "[1.0, 2.0, 3.0] is not x, y, width, height"),
        ("in train and held out", "'two.png'"),
        ("box outside its image", "'mixed.png'"),
        ("near-duplicate of a training image", "again.png"),
    ):
        assert any(line.startswith(kind) and words in line for line in said.splitlines()), words
    # every picture of coco_tree is the same noise: those pairs are duplicates too
    others = [f for f in found.faults if f.kind != "near-duplicate of a training image"]
    assert len(others) == 13
    assert found.images == {"train": 8, "val": 5, "test": 2}
    assert json.loads(json.dumps(found.to_dict()))["faults"][0]["kind"]


def test_planted_faults_in_voc(tmp_path):
    root = write_voc(tmp_path / "planted")
    tree = root / "VOCdevkit" / "VOC2012"
    put(tree / "JPEGImages", "plain.jpg", b"")
    put(tree / "Annotations", "two.xml", b"<annotation/>")
    put_map(tree / "SegmentationClass", "crowd.png", np.full((2, 2), 4, dtype=np.uint8))
    put(root / "contexts", "void.png", b"x")
    assert kinds(check_dataset(str(root))) == {
        ("unreadable", "plain.jpg"),
        ("mask without its class", "two.png"),
        ("wrong size", "crowd.png"),
        ("unreadable", "void.png"),
    }


def test_masks_that_do_not_fit_the_image(tmp_path):
    root = write_manifest(tmp_path / "planted")
    put_map(root / "pictures", "masks/two.png", np.ones((3, 3), dtype=np.uint8))
    assert kinds(check_dataset(str(root))) == {("wrong size", "two.jpg")}


def test_no_such_dataset_and_no_such_object(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        check_dataset(str(tmp_path / "nowhere"))
    root = draw(tmp_path / "own")
    with pytest.raises(DataError, match="did you mean 'cow'"):
        check_dataset(str(root), "cwo", "grass")
    assert check_dataset(str(root), "cow").groups == []
