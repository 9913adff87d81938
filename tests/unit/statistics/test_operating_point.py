"""Platt scaling against hand-worked points and scikit-learn's logistic regression."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from biasaudit.statistics import auroc, fit_operating_point


def test_two_score_values_by_hand():
    """Targets 5/6 and 1/6 average to 2/3 at a score of 3 and to 1/3 at 1: log-odds ±log 2."""
    point = fit_operating_point([3, 3, 3, 3, 1, 1, 1, 1], [1, 1, 1, 0, 1, 0, 0, 0])
    assert (point.n, point.positives, point.note) == (8, 4, "")
    assert point.threshold == pytest.approx(2)
    assert point.temperature == pytest.approx(1 / math.log(2))
    assert point.probability([3, 2, 1]) == pytest.approx([2 / 3, 1 / 2, 1 / 3])
    assert point.decision([3, 2.01, 2 - 1e-6, 1]).tolist() == [1, 1, 0, 0]
    # Three of four labels agree with the fitted answer at either score.
    assert point.nll_fitted == pytest.approx(-(3 * math.log(2 / 3) + math.log(1 / 3)) / 4)
    raw = [3 * math.log1p(math.exp(-3)) + math.log1p(math.exp(3))]
    raw += [math.log1p(math.exp(-1)) + 3 * math.log1p(math.exp(1))]
    assert point.nll_raw == pytest.approx(sum(raw) / 8)


def test_scores_that_part_the_labels_have_a_finite_temperature():
    """k images on either side: the log-odds are ±log(k + 1)."""
    for k in (1, 5, 500):
        point = fit_operating_point([7.0] * k + [-3.0] * k, [1] * k + [0] * k)
        assert point.threshold == pytest.approx(2.0)
        assert point.temperature == pytest.approx(5 / math.log(k + 1))


def test_scarce_positives_by_hand():
    """One yes at 1 and three no at 0: the log-odds are log(2 / 1) there and log(1 / 4) here."""
    point = fit_operating_point([1, 0, 0, 0], [1, 0, 0, 0])
    slope = math.log(2) + math.log(4)
    assert point.temperature == pytest.approx(1 / slope)
    assert point.threshold == pytest.approx(math.log(4) / slope)


@pytest.mark.parametrize(
    ("unit", "origin", "share"), [(1, 0, 0.5), (30, -400, 0.1), (1e-3, 5, 0.9)]
)
def test_the_same_as_weighted_logistic_regression(unit, origin, share):
    """Each image once as yes and once as no, weighted by Platt's target and its complement."""
    rng = np.random.default_rng(3)
    labels = (rng.random(300) < share).astype(int)
    standard = rng.normal(labels * 1.5, 1.0)
    yes, no = (labels.sum() + 1) / (labels.sum() + 2), 1 / ((1 - labels).sum() + 2)
    targets = np.where(labels == 1, yes, no)
    oracle = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(
        np.r_[standard, standard][:, None],
        np.r_[np.ones(300), np.zeros(300)],
        sample_weight=np.r_[targets, 1 - targets],
    )
    slope, offset = oracle.coef_[0, 0], oracle.intercept_[0]
    point = fit_operating_point(origin + unit * standard, labels)
    assert point.temperature == pytest.approx(unit / slope, rel=1e-5)
    assert point.threshold == pytest.approx(origin - unit * offset / slope, rel=1e-5)


@given(st.floats(0.01, 100), st.floats(-50, 50), st.integers(0, 99))
def test_the_decisions_do_not_depend_on_unit_and_origin(unit, origin, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 2
    scores = rng.normal(labels, 1.0)
    one = fit_operating_point(scores, labels)
    other = fit_operating_point(origin + unit * scores, labels)
    assert other.probability(origin + unit * scores) == pytest.approx(
        one.probability(scores), abs=1e-6
    )
    assert auroc(*(one.probability(scores)[labels == k] for k in (1, 0))) == pytest.approx(
        auroc(*(scores[labels == k] for k in (1, 0)))
    )


def test_an_outlier_does_not_stop_the_fit():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    scores = rng.normal(labels * 2.0, 1.0)
    scores[1] = 1e4
    point = fit_operating_point(scores, labels)
    assert point.temperature > 0
    assert ((point.decision(scores) == 1) == (labels == 1)).mean() > 0.75


@pytest.mark.parametrize(
    ("scores", "labels", "note"),
    [
        ([1, 2, 3], [0, 0, 0], "no image has the object"),
        ([1, 2, 3], [1, 1, 1], "all images have the object"),
        ([], [], "no image has the object"),
        ([0.1 + 0.2, 0.3, 0.3], [1, 0, 1], "all scores are alike"),
        ([1, 2, 3, 4], [1, 1, 0, 0], "higher scores do not speak for the object"),
        ([1, math.nan], [1, 0], "a score is not finite"),
    ],
)
def test_no_operating_point(scores, labels, note):
    point = fit_operating_point(scores, labels)
    assert (point.temperature, point.threshold, point.nll_fitted) == (None, None, None)
    assert point.note == note
    assert point.n == len(scores)
    assert np.isnan(point.decision([0.0, 1.0])).all()
    assert np.isnan(point.probability([0.0, 1.0])).all()


def test_wrong_input():
    with pytest.raises(ValueError, match="labels are 0 or 1"):
        fit_operating_point([1.0, 2.0], [1, 2])
    with pytest.raises(ValueError, match="2 scores and 1 labels"):
        fit_operating_point([1.0, 2.0], [1])
