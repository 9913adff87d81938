"""Outlines of objects that are known by their boxes."""

import numpy as np
import pytest

from biasaudit.data.annotation.outlines import outline

pytest.importorskip("cv2")
HEIGHT, WIDTH = 60, 80
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
DISC = (ROWS - 30) ** 2 + (COLUMNS - 40) ** 2 < 18**2
BOX = (abs(ROWS - 30) < 20) & (abs(COLUMNS - 40) < 20)


def picture(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> np.ndarray:
    noise = np.random.default_rng(0).integers(-8, 9, (HEIGHT, WIDTH, 3))
    flat = np.where(DISC[..., None], inside, outside)
    return (flat + noise).clip(0, 255).astype(np.uint8)


def test_an_object_that_stands_out_is_found_within_its_box():
    found = outline(picture((200, 40, 40), (40, 80, 200)), BOX)
    union = (found | DISC).sum()
    assert (found & DISC).sum() / union > 0.95
    assert DISC.sum() / BOX.sum() < 0.75  # the box alone is no such fit


def test_nothing_lies_outside_the_box():
    half = BOX & (COLUMNS < 40)
    found = outline(picture((200, 40, 40), (40, 80, 200)), half)
    assert not (found & ~half).any()


def test_the_same_picture_gives_the_same_outline():
    image = picture((120, 110, 100), (100, 110, 120))
    first = outline(image, BOX)
    outline(picture((0, 0, 0), (250, 250, 250)), BOX)
    assert np.array_equal(first, outline(image, BOX))


@pytest.mark.parametrize(
    "box",
    [np.zeros_like(BOX), np.ones_like(BOX), (ROWS > 0) | (COLUMNS > 40)],
    ids=["empty", "everything", "almost everything"],
)
def test_a_box_without_ground_around_it_stays(box):
    assert np.array_equal(outline(picture((200, 40, 40), (40, 80, 200)), box), box)


def test_a_box_in_which_nothing_stands_out_stays():
    flat = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
    assert np.array_equal(outline(flat, BOX), BOX)
