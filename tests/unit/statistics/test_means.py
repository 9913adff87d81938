"""Intervals of means: against SciPy's studentised formula, Student's t and edge cases."""

import math

import numpy as np
import pytest
from scipy import stats

from biasaudit.statistics import mean_interval, means

VALUES = np.random.default_rng(3).beta(0.6, 2.0, 30)


def test_a_few_values_have_students_interval():
    few = [0.1, 0.4, 0.35, 0.2]
    oracle = stats.t.interval(0.95, 3, loc=np.mean(few), scale=stats.sem(few))
    assert mean_interval(few) == pytest.approx(oracle)


def test_many_values_are_studentised_resamples():
    # An independent loop over the same resamples.
    rows = np.random.default_rng(7).integers(0, 30, size=(2000, 30))
    t = [(VALUES[r].mean() - VALUES.mean()) / stats.sem(VALUES[r]) for r in rows]
    low_t, high_t = np.quantile(t, [0.05, 0.95])
    error = stats.sem(VALUES)
    expected = (VALUES.mean() - high_t * error, VALUES.mean() - low_t * error)
    assert mean_interval(VALUES, level=0.9, seed=7) == pytest.approx(expected)


def test_skew_reaches_towards_the_long_tail():
    low, high = mean_interval(VALUES)
    assert high - VALUES.mean() > VALUES.mean() - low


def test_nan_is_left_out_and_the_seed_decides():
    with_holes = np.insert(VALUES, [0, 5, 30], np.nan)
    assert mean_interval(with_holes, seed=1) == mean_interval(VALUES, seed=1)
    assert mean_interval(VALUES, seed=1) != mean_interval(VALUES, seed=2)


@pytest.mark.parametrize("values", [[], [np.nan], [0.5], [0.3] * 20, [0.0, 0.0]])
def test_no_spread_no_interval(values):
    assert all(math.isnan(v) for v in mean_interval(values))


def test_bounds_hold_unless_there_are_none():
    assert mean_interval([0.0, 1.0]) == (0.0, 1.0)
    low, high = mean_interval([0.0, 1.0], bounds=None)
    assert low < 0 < 1 < high


def test_resamples_of_a_single_value_do_no_harm():
    low, high = mean_interval([0.0] * 19 + [1.0])
    assert 0.0 <= low < 0.05 < high <= 1.0


def test_the_resamples_of_many_values_come_in_parts(monkeypatch):
    values = np.random.default_rng(3).beta(1, 4, size=300)
    whole = mean_interval(values)
    monkeypatch.setattr(means, "_VALUES_AT_ONCE", 7 * 300)
    assert mean_interval(values) == whole
