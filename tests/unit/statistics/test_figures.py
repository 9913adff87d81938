"""Figures of weighted images: weights are repetitions, and the oracles take repeated images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from biasaudit.statistics import auroc_of, difference_of, mean_of, mean_over, value_of, worst_of

VALUES = np.array([0.1, np.nan, 0.5, 1.0, 0.0, 0.3])
GROUPS = np.array(["a", "a", "a", "b", "b", "b"])
counts = st.lists(st.integers(0, 4), min_size=6, max_size=6).map(np.array)


@settings(max_examples=60)
@given(weights=counts)
def test_a_weighted_mean_is_the_mean_of_repeated_images(weights):
    repeated = np.repeat(VALUES, weights)
    kept = repeated[~np.isnan(repeated)]
    got = mean_of(VALUES)(weights[None].astype(float))[0]
    assert got == pytest.approx(kept.mean() if kept.size else np.nan, nan_ok=True)


@settings(max_examples=60)
@given(weights=counts, scores=st.lists(st.integers(-2, 2), min_size=6, max_size=6))
def test_a_weighted_auroc_is_scikit_learns_of_repeated_images(weights, scores):
    labels = np.array([1, 0, 1, 0, 1, 0])
    got = auroc_of(scores, labels)(weights[None].astype(float))[0]
    repeated = np.repeat(labels, weights)
    if len(set(repeated)) < 2:
        assert np.isnan(got)
    else:
        assert got == pytest.approx(roc_auc_score(repeated, np.repeat(scores, weights)))


def test_groups_means_and_the_worst_by_hand():
    groups = [mean_of(VALUES, name == GROUPS) for name in "ab"]
    assert value_of(groups[0], 6) == pytest.approx(0.3)
    assert value_of(mean_over(groups), 6) == pytest.approx((0.3 + 1.3 / 3) / 2)
    assert value_of(worst_of(groups), 6) == pytest.approx(0.3)
    assert value_of(difference_of(*groups), 6) == pytest.approx(0.3 - 1.3 / 3)


def test_the_worst_group_is_chosen_anew_in_each_resample():
    groups = [mean_of(VALUES, name == GROUPS) for name in "ab"]
    weights = np.array([[1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 1, 0]], float)
    assert worst_of(groups)(weights) == pytest.approx([0.3, 0.0])


def test_no_images_have_no_area():
    assert np.isnan(value_of(auroc_of([], []), 0))
