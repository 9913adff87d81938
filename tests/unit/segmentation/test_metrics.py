"""Mean IoU against scikit-learn's Jaccard index, and by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from biasaudit.segmentation.metrics import VOID, class_ious, confusion, mean_iou


def test_by_hand():
    truth = np.array([[0, 0, 1], [1, 1, VOID]], np.uint8)
    said = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    counts = confusion(truth, said, 3)
    assert counts.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    ious = class_ious(counts)
    assert ious[:2].tolist() == [1 / 3, 2 / 4]
    assert math.isnan(ious[2])  # neither there nor answered: the void pixel does not count
    assert mean_iou(ious) == (1 / 3 + 2 / 4) / 2


@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 6, (7, 20, 30)).astype(np.uint8)
    said = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 6, truth.shape))
    truth[rng.random(truth.shape) < 0.1] = VOID
    counts = sum(confusion(t, s.astype(np.uint8), 6) for t, s in zip(truth, said, strict=True))
    known = truth != VOID
    expected = jaccard_score(truth[known], said[known], labels=range(6), average=None)
    np.testing.assert_allclose(class_ious(counts), expected, rtol=1e-12)
    assert mean_iou(class_ious(counts)) == pytest.approx(expected.mean())


def test_an_answer_where_nothing_is_counts_against_the_class():
    counts = confusion(np.zeros((2, 2), np.uint8), np.array([[0, 0], [0, 1]], np.uint8), 2)
    assert class_ious(counts).tolist() == [3 / 4, 0.0]


def test_nothing_known():
    counts = confusion(np.full((2, 2), VOID, np.uint8), np.zeros((2, 2), np.uint8), 2)
    assert math.isnan(mean_iou(class_ious(counts)))


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="the truth is"):
        confusion(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 2)
    with pytest.raises(ValueError, match="none of the 2 classes"):
        confusion(np.full((1, 1), 7, np.uint8), np.zeros((1, 1), np.uint8), 2)
