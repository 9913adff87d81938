"""A contact sheet: every picture in its place, regions tinted by hand-computed colours."""

import numpy as np
import pytest
from four_formats import write_coco

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.checks.preview import CONTEXT, OBJECT, Sheet, contact_sheet, tinted
from biasaudit.data.splits.resolve import resolve_split
from biasaudit.errors import DataError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load_dataset(str(write_coco(tmp_path_factory.mktemp("own"))))


def test_tints(dataset):
    two = next(s for s in dataset.subset("train") if s.id == "two.jpg")
    image = two.load_image().astype(float)
    found = tinted(two, "boat", "water")
    boat, water = two.regions["boat"].load(), two.regions["water"].load()
    np.testing.assert_array_equal(found[~boat & ~water], image[~boat & ~water])
    for mask, tint in ((boat, OBJECT), (water & ~boat, CONTEXT)):
        expected = 0.55 * image[mask] + 0.45 * np.array(tint)
        assert np.abs(found[mask] - expected).max() <= 0.51
    np.testing.assert_array_equal(tinted(two, "cow", None), two.load_image())


def test_every_group_has_a_block(dataset):
    split = resolve_split(dataset, "biased-boat")
    sheet = Sheet(columns=3, side=40)
    both = contact_sheet(split, sheet=sheet)
    one = contact_sheet(split, "boat-without-water", sheet=sheet)
    assert both.size == (one.width, 2 * one.height)
    np.testing.assert_array_equal(np.asarray(both)[: one.height], np.asarray(one))


def test_rows_and_columns(dataset):
    split = resolve_split(dataset, "train", "boat")
    heights = [
        contact_sheet(split, sheet=Sheet(columns=2, side=40, count=count)).height
        for count in (1, 2, 3, 6, 9)
    ]
    row = heights[2] - heights[1]
    assert heights == [
        heights[0],
        heights[0],
        heights[0] + row,
        heights[0] + 2 * row,
        heights[0] + 2 * row,
    ]


def test_pictures_are_there(dataset):
    """The one picture of a group lies where the layout says, larger ones scaled to fit."""
    split = resolve_split(dataset, "biased-boat")
    sheet = np.asarray(contact_sheet(split, "boat-without-water", sheet=Sheet(1, 30)))
    edge = split.groups["boat-without-water"][0]
    np.testing.assert_array_equal(sheet[24:44, 6:36], tinted(edge, "boat", "water"))


def test_an_edited_image_stands_beside_its_partner(dataset):
    split = resolve_split(dataset, "edited-boat")
    everything = {s.id: s for samples in dataset.subsets.values() for s in samples}
    sheet = np.asarray(contact_sheet(split, "boat-removed", everything, Sheet(2, 30)))
    removed = split.groups["boat-removed"][0]
    partner = everything[removed.pair]
    np.testing.assert_array_equal(sheet[24:44, 6:36], tinted(partner, "boat", "water"))
    np.testing.assert_array_equal(sheet[24:44, 42:72], tinted(removed, "boat", "water"))


def test_no_such_group(dataset):
    with pytest.raises(DataError, match="did you mean 'boat-without-water'"):
        contact_sheet(resolve_split(dataset, "biased-boat"), "boat-without-wter")
