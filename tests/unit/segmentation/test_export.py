"""What is exported is read again: as PNG by Pillow, as COCO by the reader of datasets."""

import json
from io import BytesIO

import numpy as np
import PIL.Image
import pytest

import biasaudit as ba
from biasaudit.errors import RunError
from biasaudit.segmentation.export import export_masks, indexed_png, run_lengths
from biasaudit.segmentation.metrics import VOID


def test_run_lengths_by_hand():
    mask = np.array([[1, 0], [1, 0], [0, 1]], bool)
    assert run_lengths(mask) == [0, 2, 3, 1]
    assert run_lengths(np.zeros((2, 2), bool)) == [4]
    assert run_lengths(np.ones((2, 2), bool)) == [0, 4]


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_as_pycocotools_reads_them(seed):
    api = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(seed).random((7, 9)) < 0.4
    coded = api.frPyObjects({"size": [7, 9], "counts": run_lengths(mask)}, 7, 9)
    assert int(api.area(coded)) == mask.sum()


def test_png_keeps_indices_in_the_colours_of_voc():
    found = np.array([[0, 1, 2], [15, 20, VOID]], np.uint8)
    image = PIL.Image.open(BytesIO(indexed_png(found)))
    assert image.mode == "P"
    np.testing.assert_array_equal(np.array(image), found)
    colours = np.array(image.convert("RGB"))
    assert colours.tolist() == [
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]],
        [[192, 128, 128], [0, 64, 128], [224, 224, 192]],
    ]


@pytest.fixture
def harbour():
    return ba.load_dataset("harbour", options={"train": 12, "val": 6, "group": 2})


def read_again(folder, data, draw):
    """Export drawn label maps of train and val, and read the folder as a dataset."""
    told = {}
    for subset in ("train", "val"):
        told[subset] = [(sample, draw(sample)) for sample in data.subset(subset)]
        export_masks(folder, data, subset, told[subset])
    (folder / "dataset.toml").write_text(
        'format = "coco"\nimages = "images"\nobject = "boat"\ncontext = "water"\n'
        '[subsets]\ntrain = "train.json"\nval = "val.json"\n'
    )
    again = ba.load_dataset(folder)
    return again, [
        (after, *pair)
        for subset, pairs in told.items()
        for after, pair in zip(again.subset(subset), pairs, strict=True)
    ]


def test_exported_masks_are_pixel_labels_of_a_dataset(harbour, tmp_path):
    rng = np.random.default_rng(0)

    def draw(sample):
        values = [0, VOID] + [harbour.class_index[name] + 1 for name in sample.labels]
        return rng.choice(values, (64, 64)).astype(np.uint8)

    again, pairs = read_again(tmp_path, harbour, draw)
    assert (again.classes, set(again.contexts)) == (harbour.classes, set(harbour.contexts))
    for after, before, found in pairs:
        assert (after.labels, after.contexts) == (before.labels, before.contexts)
        assert after.annotated == before.annotated
        np.testing.assert_array_equal(after.load_image(), before.load_image())
        folder = tmp_path / "masks" / before.id.partition("-")[0]
        png = PIL.Image.open(folder / f"{before.id}.png")
        np.testing.assert_array_equal(np.array(png), found)
        for name in before.labels:
            inside = found == harbour.class_index[name] + 1
            np.testing.assert_array_equal(after.regions[name].load(), inside)


def test_a_class_without_a_pixel_keeps_its_label(harbour, tmp_path):
    _, pairs = read_again(tmp_path, harbour, lambda sample: np.full((64, 64), VOID, np.uint8))
    for after, before, _ in pairs:
        assert after.labels == before.labels
        assert not after.regions


def test_boxes_and_areas(harbour, tmp_path):
    sample = next(s for s in harbour.subset("val") if s.labels)
    name = sorted(sample.labels)[0]
    found = np.zeros((64, 64), np.uint8)
    found[10:20, 30:33] = harbour.class_index[name] + 1
    file = export_masks(tmp_path, harbour, "val", [(sample, found)])
    said = json.loads(file.read_text())
    (own,) = [a for a in said["annotations"] if "bbox" in a]
    assert (own["bbox"], own["area"]) == ([30, 10, 3, 10], 30)


def test_a_folder_that_cannot_be_written(harbour, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written to"):
        export_masks(
            tmp_path / "file",
            harbour,
            "val",
            [(harbour.subset("val")[0], np.zeros((64, 64), np.uint8))],
        )
