"""Four formats, one dataset: every reader gives the same samples."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from four_formats import HEIGHT, VOC_VALUES, WIDTH, WRITERS, drawings, picture, write_voc
from torchvision.datasets import VOCDetection, VOCSegmentation

from biasaudit.data.catalogue import load_dataset
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
