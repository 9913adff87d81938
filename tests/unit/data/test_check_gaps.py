"""Faults that a check has to name: each of them once passed for sound."""

import json

import numpy as np
import PIL.Image
import pytest
from coco_tree import draw
from four_formats import write_folder, write_manifest, write_voc

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.checks.check import check_dataset
from biasaudit.errors import DataError


def told(root, object=None):
    return [f"{f.kind}: {f.file}: {f.message}" for f in check_dataset(str(root), object).faults]


def edited(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def some(lines, *words):
    return [line for line in lines if all(word in line for word in words)]


def test_no_annotation_at_all(tmp_path):
    root = draw(tmp_path / "d")
    edited(root / "train.json", lambda c: c.update(annotations=[]))
    assert some(told(root), "nothing to train on", "no training image shows any object")


def test_no_training_image_of_the_audited_object(tmp_path):
    root = draw(tmp_path / "d")

    def without_boats(content):
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] != 1]

    edited(root / "train.json", without_boats)
    assert some(told(root, "boat"), "nothing to train on", "'boat'")
    assert not some(told(root, "cow"), "nothing to train on")


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ([100, 100, 5, 5], "region without a pixel"),
        ([3, 3, 0, 5], "region without a pixel"),
        ([-9, 2, 20, 5], "box outside its image"),
        ([2, 2, 500, 5], "box outside its image"),
    ],
)
def test_boxes_of_coco(tmp_path, box, kind):
    root = draw(tmp_path / "d")

    def with_box(content):
        image = content["images"][0]["id"]
        content["annotations"].append({"id": 999, "image_id": image, "category_id": 1, "bbox": box})

    edited(root / "train.json", with_box)
    load_dataset(str(root))  # a reader cuts it and goes on
    assert some(told(root), kind, "bbox")


def test_an_empty_table_is_no_segmentation(tmp_path):
    root = draw(tmp_path / "d")

    def with_table(content):
        content["annotations"][0].update(segmentation={}, bbox=[1, 1, 5, 5])

    edited(root / "train.json", with_table)
    with pytest.raises(DataError, match=r"segmentation.size is None"):
        load_dataset(str(root))
    assert some(told(root), "faulty annotation", "segmentation")


@pytest.mark.parametrize(
    ("boxes", "kind"),
    [
        ("boat:5 5 -3 4", "faulty annotation"),
        ("boat:5 5 0 4", "region without a pixel"),
        ("boat:-20 -20 5 5", "region without a pixel"),
        ("boat:1e300 1 5 5", "faulty annotation"),
        ("boat:nan 1 5 5", "faulty annotation"),
        ("boat:100 100 5 5", "region without a pixel"),
        ("boat:2 2 500 5", "box outside its image"),
    ],
)
def test_boxes_of_a_manifest(tmp_path, boxes, kind):
    for name in ("a", "b"):
        PIL.Image.fromarray(np.full((20, 30, 3), len(name), np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    (tmp_path / "t.csv").write_text(
        f"image,labels,subset,boxes\na.png,boat,train,{boxes}\nb.png,boat,val,\n"
    )
    (tmp_path / "dataset.toml").write_text('format = "manifest"\nmanifest = "t.csv"\n')
    assert some(told(tmp_path), kind)


def test_a_context_column_of_two_minds(tmp_path):
    rows = ["image,labels,subset,ruler"]
    for place, said in enumerate(("1", "0", "maybe", "")):
        name = f"{place}.png"
        PIL.Image.fromarray(np.full((9, 9, 3), 60 * place, np.uint8)).save(tmp_path / name)
        rows.append(f"{name},boat,{'val' if place > 2 else 'train'},{said}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "dataset.toml").write_text(
        'format = "manifest"\nmanifest = "t.csv"\ncontexts = ["ruler"]\n'
    )
    assert some(told(tmp_path), "faulty annotation", "row 4: ruler: 'maybe'")
    with pytest.raises(DataError, match="'maybe'"):
        load_dataset(str(tmp_path))


@pytest.mark.parametrize("classes", ['["boat", "boat", "cow"]', '["boat", ""]'])
def test_classes_are_named_once(tmp_path, classes):
    for write in (write_voc, write_manifest):
        root = write(tmp_path / write.__name__)
        file = root / "dataset.toml"
        file.write_text(f"classes = {classes}\n" + file.read_text().replace("classes = ", "# "))
        with pytest.raises(DataError, match=r"classes: .*(twice|empty)"):
            load_dataset(str(root))


def test_xml_that_is_no_annotation(tmp_path):
    root = write_voc(tmp_path / "d")
    files = sorted((root / "VOCdevkit/VOC2012/Annotations").glob("*.xml"))
    files[0].write_text("<foo/>")
    assert some(told(root), "faulty annotation", files[0].name, "its root is <foo>")


def test_masks_that_are_links_to_nowhere(tmp_path):
    for write in (write_voc, write_folder):
        root = write(tmp_path / write.__name__)
        folders = ("masks", "SegmentationClass")
        mask = next(p for p in sorted(root.rglob("*.png")) if set(p.parts) & set(folders))
        mask.unlink()
        mask.symlink_to(tmp_path / "gone.png")
        assert some(told(root), "missing file", mask.name, "leads nowhere")
        with pytest.raises(DataError, match="leads nowhere"):
            load_dataset(str(root))


@pytest.mark.parametrize("size", [10**9, 60_000, 2**31, 10**400])
def test_declared_sizes_are_capped(tmp_path, size):
    root = draw(tmp_path / "coco")
    edited(root / "train.json", lambda c: c["images"][0].update(width=size, height=size))
    with pytest.raises(DataError, match=r"train\.json"):
        load_dataset(str(root))
    root = write_voc(tmp_path / "voc")
    file = sorted((root / "VOCdevkit/VOC2012/Annotations").glob("*.xml"))[0]
    file.write_text(
        f"<annotation><size><width>{size}</width><height>{size}</height></size></annotation>"
    )
    with pytest.raises(DataError, match=file.name):
        load_dataset(str(root))
