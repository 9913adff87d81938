"""Edits: what they leave alone they leave bit by bit, and the same edit gives the same bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_pictures import scene

from biasaudit.data.splits import edits

IMAGE = np.asarray(scene(1, (48, 36)))
GROUND = np.asarray(scene(2, (30, 60)))


def disc(radius=8, row=18, column=20, shape=(36, 48)):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 < radius**2


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 17), st.integers(0, 35), st.integers(0, 47))
def test_removal_changes_the_mask_alone(radius, row, column):
    mask = disc(radius, row, column)
    found = edits.remove(IMAGE, mask)
    assert (found.dtype, found.shape) == (np.uint8, IMAGE.shape)
    np.testing.assert_array_equal(found[~mask], IMAGE[~mask])
    np.testing.assert_array_equal(found, edits.remove(IMAGE.copy(), mask.copy()))


def test_removal_fills_from_around_and_not_from_the_rim():
    """A red disc on blue, whose mask ends 2 px inside it, leaves blue."""
    image = np.full((60, 60, 3), (20, 40, 200), dtype=np.uint8)
    image[disc(15, 30, 30, (60, 60))] = (250, 0, 0)
    mask = disc(13, 30, 30, (60, 60))
    filled = edits.remove(image, mask)[mask].astype(int)
    assert np.abs(filled - [20, 40, 200]).max() <= 4


def test_removal_up_to_the_rim_of_the_image():
    mask = np.ones((36, 48), dtype=bool)
    mask[0, 0] = False
    assert edits.remove(IMAGE, mask).shape == IMAGE.shape
    with pytest.raises(ValueError, match="nothing is left to fill from"):
        edits.remove(IMAGE, np.ones((36, 48), dtype=bool))


def test_pasting_keeps_the_object_and_takes_the_ground():
    mask, ground = disc(), edits.cover(GROUND, 36, 48)
    found = edits.paste(IMAGE, mask, GROUND)
    np.testing.assert_array_equal(found[mask], IMAGE[mask])
    np.testing.assert_array_equal(found[~mask], ground[~mask])


def test_replacing_the_context_keeps_all_else():
    water = np.zeros((36, 48), dtype=bool)
    water[20:] = True
    found = edits.replace_context(IMAGE, water, GROUND)
    np.testing.assert_array_equal(found[~water], IMAGE[~water])
    np.testing.assert_array_equal(found[water], edits.cover(GROUND, 36, 48)[water])


def test_object_and_context_alone_add_up():
    mask = disc()
    alone, rest = edits.only_object(IMAGE, mask), edits.only_context(IMAGE, mask)
    np.testing.assert_array_equal(alone + rest, IMAGE)
    assert not alone[~mask].any()
    assert not rest[mask].any()


@pytest.mark.parametrize("edit", [edits.remove, edits.only_object, edits.only_context])
def test_shapes_must_agree(edit):
    with pytest.raises(ValueError, match=r"the mask is of shape \(4, 4\)"):
        edit(IMAGE, np.zeros((4, 4), dtype=bool))


@pytest.mark.parametrize(("height", "width"), [(10, 10), (7, 90), (80, 3), (60, 30)])
def test_covering_fills_the_frame_and_keeps_proportions(height, width):
    assert edits.cover(GROUND, height, width).shape == (height, width, 3)


def test_covering_by_hand():
    """Twice as wide as the frame: cut at the centre, a quarter on each side."""
    ground = np.zeros((10, 40, 3), dtype=np.uint8)
    ground[:, 10:30] = 200
    assert (edits.cover(ground, 10, 20) == 200).all()
