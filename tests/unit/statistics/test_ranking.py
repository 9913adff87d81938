"""AUROC: against scikit-learn, pair counting and the equation that its interval solves."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from biasaudit.statistics import auroc, auroc_interval


def test_auroc_by_hand():
    # Pairs: 3 above 2 and 1; 2 ties with 2 and is above 1: 3.5 of 4.
    assert auroc([3, 2], [2, 1]) == 3.5 / 4


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_scikit_learns_with_ties(seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, 8, 60), rng.integers(0, 2, 60)
    oracle = roc_auc_score(labels, scores)
    assert auroc(scores[labels == 1], scores[labels == 0]) == pytest.approx(oracle, abs=1e-12)


@pytest.mark.parametrize(("positive", "negative"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_no_area_without_both_sides(positive, negative):
    assert math.isnan(auroc(positive, negative))
    assert all(math.isnan(v) for v in auroc_interval(positive, negative))


def test_each_limit_lies_z_of_its_own_standard_errors_from_the_area():
    positive, negative = [5, 6, 7, 2, 9], [1, 3, 4, 8]
    area, z = auroc(positive, negative), norm.ppf(0.95)
    for limit in auroc_interval(positive, negative, level=0.9):
        star = (5 + 4) / 2 - 1
        variance = limit * (1 - limit) / 20
        variance *= 1 + star * (1 - limit) / (2 - limit) + star * limit / (1 + limit)
        assert abs(area - limit) == pytest.approx(z * math.sqrt(variance), abs=1e-9)


@pytest.mark.parametrize("n", [1, 16, 500])
def test_a_perfect_ranking_keeps_a_width(n):
    low, high = auroc_interval(np.ones(n), np.zeros(n))
    assert high == 1.0
    assert 0.0 < low < 1.0
    assert auroc_interval(np.zeros(n), np.ones(n)) == pytest.approx((0.0, 1 - low), abs=1e-9)


def test_more_images_narrow_the_interval():
    rng = np.random.default_rng(0)
    widths = [
        np.ptp(auroc_interval(rng.normal(1, 1, n), rng.normal(0, 1, n))) for n in (10, 100, 1000)
    ]
    assert widths == sorted(widths, reverse=True)
