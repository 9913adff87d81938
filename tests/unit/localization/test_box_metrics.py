"""Boxes and pixels of attention maps on hand-made sets with known answers."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from biasaudit.localization.metrics import (
    BINS,
    LEVELS,
    THRESHOLDS,
    PooledPixels,
    box_accuracy,
    box_iou,
    box_ious,
    choose_threshold,
    component_boxes,
    largest_box,
    localization,
)

PICTURE = """
##......
##...#..
....###.
.....#..
"""


def mask(text):
    return np.array([[c == "#" for c in line] for line in text.split()])


def test_the_largest_component():
    assert largest_box(mask(PICTURE)) == (4, 1, 7, 4)
    assert component_boxes(mask(PICTURE)) == [(0, 0, 2, 2), (4, 1, 7, 4)]
    assert largest_box(np.zeros((3, 3), bool)) is None


def test_pixels_that_touch_at_a_corner_belong_together():
    assert largest_box(mask("#.. .#. ... ##.")) == (0, 0, 2, 2)


def test_iou_of_boxes():
    assert box_iou((0, 0, 4, 4), (2, 2, 6, 6)) == 4 / 28
    assert box_iou((0, 0, 4, 4), (0, 0, 4, 4)) == 1
    assert box_iou((0, 0, 4, 4), (4, 0, 8, 4)) == 0
    assert box_iou((1, 1, 1, 1), (1, 1, 1, 1)) == 0


def steps():
    """A map whose box shrinks with the threshold: 8x8, then 4x4 at .5, then 2x2 at .9."""
    found = np.full((8, 8), 0.1)
    found[:4, :4], found[:2, :2] = 0.5, 1.0
    return found


def test_ious_at_each_threshold():
    at = np.array([0.1, 0.3, 0.5, 0.6, 1.0])
    found = box_ious(steps(), [(0, 0, 4, 4)], at)
    assert found.tolist() == [16 / 64, 1, 1, 4 / 16, 4 / 16]


def test_the_nearest_true_box_counts():
    found = box_ious(steps(), [(4, 4, 8, 8), (0, 0, 2, 2)], np.array([0.5, 0.9]))
    assert found.tolist() == [4 / 16, 1]


def test_a_map_without_attention_finds_nothing():
    assert box_ious(np.zeros((4, 4)), [(0, 0, 2, 2)]).tolist() == [0] * len(THRESHOLDS)


def test_accuracy_counts_from_the_level_on():
    ious = np.array([[0.5, 0.2], [0.49, 0.9]])
    assert box_accuracy(ious, 0.5).tolist() == [0.5, 0.5]
    assert np.isnan(box_accuracy(np.zeros((0, 3)), 0.5)).all()


def test_the_threshold_is_the_best_of_validation():
    ious = np.array([[0.2, 0.6, 0.6, 0.6, 0.1], [0.2, 0.5, 0.6, 0.8, 0.1]])
    assert choose_threshold(ious, (0.5,)) == 2  # the middle of three equally good ones
    assert choose_threshold(ious, LEVELS) == 3  # only there is one right at .7
    with pytest.raises(ValueError, match="no image"):
        choose_threshold(np.zeros((0, 3)), (0.5,))


def rows(*values):
    """IoU of images at each threshold: the first value below .5, the second from there on."""
    return np.array([np.where(THRESHOLDS < 0.5, low, high) for low, high in values])


def test_figures_of_a_set_by_hand():
    val = rows((0.2, 0.9), (0.9, 0.8))  # better from .5 on
    own = rows((0.9, 0.4), (0.9, 0.6), (0.9, 0.75), (0.9, 0.75))  # better below
    pixels = PooledPixels()
    region = np.array([[True, False]])
    pixels.add(np.array([[1.0, 0.0]]), region, np.ones_like(region))
    found = localization(val, own, np.array([True, True, True, False]), pixels)
    assert (found.n, found.n_val) == (4, 2)
    assert found.threshold == found.threshold_v2 == 0.75
    assert found.max_box_acc == 0.75
    assert found.by_level == {0.3: 1.0, 0.5: 0.75, 0.7: 0.5}
    assert found.max_box_acc_v2 == 0.75
    assert found.top_1 == 0.5
    assert found.px_ap == 1.0


def test_test_images_never_choose_the_threshold():
    val = rows((0.2, 0.9))
    for own in (rows((0.9, 0.1)), rows((0.1, 0.9))):
        assert localization(val, own, np.array([True]), PooledPixels()).threshold == 0.75


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_of_pooled_pixels_against_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    pixels, values, truths = PooledPixels(), [], []
    for _ in range(5):
        attention = rng.integers(0, BINS + 1, (6, 7)) / BINS
        region = rng.random((6, 7)) < attention
        known = rng.random((6, 7)) < 0.8
        pixels.add(attention, region, known)
        values.append(attention[known])
        truths.append(region[known])
    expected = average_precision_score(np.concatenate(truths), np.concatenate(values))
    assert pixels.average_precision() == pytest.approx(expected, abs=1e-12)


def test_pixels_are_pooled_over_images():
    """One image is perfect by itself, the other too, but not on one scale."""
    pixels = PooledPixels()
    known = np.ones((1, 2), bool)
    pixels.add(np.array([[1.0, 0.8]]), np.array([[True, False]]), known)
    pixels.add(np.array([[0.4, 0.2]]), np.array([[True, False]]), known)
    assert pixels.average_precision() == pytest.approx((1 + 2 / 3) / 2)


def test_no_region_at_all():
    assert math.isnan(PooledPixels().average_precision())


def test_what_does_not_fit():
    region = np.ones((1, 2), bool)
    with pytest.raises(ValueError, match="differ"):
        PooledPixels().add(np.zeros((2, 1)), region, region)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        PooledPixels().add(np.array([[1.5, 0.0]]), region, region)
