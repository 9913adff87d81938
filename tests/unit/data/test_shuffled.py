"""Regions moved to random places: same shape and area, elsewhere, and the same every time."""

import numpy as np
import pytest

from biasaudit.data.annotation.labels import labelled_region
from biasaudit.data.annotation.shuffled import shuffled_sample
from biasaudit.data.sample import Region, Sample


def sample(id, mask, form="mask"):
    regions = {"boat": Region(form, lambda: mask), "water": Region("mask", lambda: ~mask)}
    image = np.zeros((*mask.shape, 3), np.uint8)
    return Sample(id, frozenset({"boat"}), frozenset({"water"}), lambda: image, regions)


MASK = np.zeros((12, 20), bool)
MASK[2:6, 3:10] = True
MASK[2, 3] = False


def test_shape_and_area_stay():
    moved = shuffled_sample(sample("a", MASK), {"boat": "mask"}, 0)
    found = moved.regions["boat"].load()
    assert found.sum() == MASK.sum() == 27
    assert moved.regions["boat"].form == "mask"
    rolls = [np.roll(MASK, (down, right), axis=(0, 1)) for down in range(12) for right in range(20)]
    assert sum((found == roll).all() for roll in rolls) == 1
    # The context's region stays, and so does the sample that it was made from.
    assert (moved.regions["water"].load() == ~MASK).all()
    assert (sample("a", MASK).regions["boat"].load() == MASK).all()


def test_places_are_uniform_and_come_from_seed_and_image():
    first = [shuffled_sample(sample(f"i{n}", MASK), {"boat": "mask"}, 0) for n in range(600)]
    masks = np.array([one.regions["boat"].load() for one in first], dtype=float)
    # Every pixel lies inside in 27 of 240 shifts; 600 images: a deviation of .0129.
    assert np.abs(masks.mean(axis=0) - 27 / 240).max() < 4.5 * 0.0129
    again = shuffled_sample(sample("i0", MASK), {"boat": "mask"}, 0).regions["boat"].load()
    assert (again == masks[0].astype(bool)).all()
    other = shuffled_sample(sample("i0", MASK), {"boat": "mask"}, 1).regions["boat"].load()
    assert (other != masks[0].astype(bool)).any()


@pytest.mark.parametrize(("form", "area"), [("mask", 27), ("box", 28)])
def test_the_form_that_was_chosen_is_moved(form, area):
    moved = shuffled_sample(sample("a", MASK), {"boat": form}, 3)
    assert labelled_region(moved, "boat", "mask").sum() == area
