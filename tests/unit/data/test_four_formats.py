"""Four formats, one dataset: every reader gives the same samples."""

import io
import json
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from four_formats import (
    HEIGHT,
    VOC_VALUES,
    WIDTH,
    WRITERS,
    drawings,
    picture,
    write_coco,
    write_voc,
)
from torchvision.datasets import VOCDetection, VOCSegmentation

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import context_shown
from biasaudit.data.splits.resolve import resolve_split

DRAWINGS = {one.stem: one for one in drawings()}


@pytest.fixture(params=WRITERS, scope="module")
def dataset(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    return load_dataset(str(WRITERS[request.param](root)))


def samples(dataset):
    return {Path(s.id).stem: s for subset in dataset.subsets.values() for s in subset}


def test_there_are_twelve(dataset):
    assert {name: len(found) for name, found in dataset.subsets.items()} == {
        "train": 6,
        "val": 4,
        "test": 2,
    }
    assert samples(dataset).keys() == DRAWINGS.keys()
    assert (dataset.object, dataset.context) == ("boat", "water")
    assert {"boat", "cow"} <= set(dataset.classes)
    assert dataset.contexts == ("water", "grass")


@pytest.mark.parametrize("stem", DRAWINGS)
def test_labels_and_contexts(dataset, stem):
    sample, drawing = samples(dataset)[stem], DRAWINGS[stem]
    assert sample.labels == drawing.labels
    assert sample.contexts == drawing.contexts


@pytest.mark.parametrize("stem", DRAWINGS)
def test_regions_to_the_pixel(dataset, stem):
    sample, drawing = samples(dataset)[stem], DRAWINGS[stem]
    assert set(sample.regions) == drawing.labels | drawing.contexts
    for name, region in sample.regions.items():
        expected = drawing.union(name)
        mask = region.load()
        assert (region.form, mask.dtype, mask.shape) == ("mask", bool, (HEIGHT, WIDTH))
        np.testing.assert_array_equal(mask, expected)
        assert region.area_fraction == expected.mean()
        if drawing.void is not None:
            assert not (mask & drawing.void).any()


@pytest.mark.parametrize("stem", DRAWINGS)
def test_pixels(dataset, stem):
    """Held to Pillow's own steps, and an alpha channel is dropped."""
    with PIL.Image.open(io.BytesIO(picture(DRAWINGS[stem]))) as stored:
        upright = PIL.ImageOps.exif_transpose(stored)
        expected = np.asarray(upright.convert("RGB"))
    assert expected.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(samples(dataset)[stem].load_image(), expected)


def test_groups(dataset):
    split = resolve_split(dataset, "biased-boat")
    assert [Path(s.id).stem for s in split.groups["boat-without-water"]] == ["edge"]
    assert [Path(s.id).stem for s in split.groups["water-without-boat"]] == ["sea"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_voc_as_torchvision_reads_it(tmp_path):
    """torchvision leaves its files open, hence the filter."""
    found = samples(load_dataset(str(write_voc(tmp_path))))
    sets = tmp_path / "VOCdevkit" / "VOC2012" / "ImageSets"
    (sets / "Main").mkdir()
    (sets / "Main" / "train.txt").write_text((sets / "Segmentation" / "train.txt").read_text())
    segmentation = VOCSegmentation(tmp_path, image_set="train")
    detection = VOCDetection(tmp_path, image_set="train")
    assert len(segmentation) == 6
    for path, (image, label_map), (_, target) in zip(
        segmentation.images, segmentation, detection, strict=True
    ):
        sample = found[Path(path).stem]
        assert sample.labels == {one["name"] for one in target["annotation"]["object"]}
        np.testing.assert_array_equal(sample.load_image(), np.asarray(image.convert("RGB")))
        for name in sample.labels:
            expected = np.asarray(label_map) == VOC_VALUES[name]
            np.testing.assert_array_equal(sample.regions[name].load(), expected)


@pytest.mark.parametrize("name", WRITERS)
def test_a_context_is_there_or_not_or_nobody_said(name, tmp_path):
    """COCO's `plain` has no annotation of any context; the other formats looked at every image."""
    dataset = load_dataset(str(WRITERS[name](tmp_path)))
    found = samples(dataset)

    def told(stem):
        return [context_shown(found[stem], one, dataset.classes) for one in ("water", "grass")]

    assert told("two") == [1, 0]
    assert told("cowfield") == [0, 1]
    np.testing.assert_equal(told("plain"), [np.nan] * 2 if name == "coco" else [0, 0])


def test_a_map_that_is_missing_says_nothing(tmp_path):
    root = write_voc(tmp_path)
    next(root.rglob("contexts/plain.png")).unlink()
    dataset = load_dataset(str(root))
    assert np.isnan(context_shown(samples(dataset)["plain"], "water", dataset.classes))


@pytest.mark.parametrize(
    ("image", "info", "expected"),
    [
        (None, None, [np.nan, np.nan]),
        (True, None, [0, 0]),
        (["water"], None, [0, np.nan]),
        (None, True, [0, 0]),
        (None, ["grass"], [np.nan, 0]),
        (False, True, [np.nan, np.nan]),
    ],
)
def test_a_coco_file_may_say_what_was_looked_for(tmp_path, image, info, expected):
    root = write_coco(tmp_path)
    content = json.loads((root / "train.json").read_text())
    content["info"] = {"description": "boats", "annotated_contexts": info}
    for record in content["images"]:
        if record["file_name"].startswith("plain") and image is not None:
            record["annotated_contexts"] = image
    (root / "train.json").write_text(json.dumps(content))
    dataset = load_dataset(str(root))
    plain = samples(dataset)["plain"]
    told = [context_shown(plain, one, dataset.classes) for one in ("water", "grass")]
    np.testing.assert_equal(told, expected)
