"""Rates: against SciPy's Wilson interval, Newcombe's published examples and worked values."""

import math

import pytest
from scipy.stats import binomtest

from biasaudit.statistics import (
    combined_interval,
    constant_baseline,
    gap_interval,
    mean_of_rates_interval,
    rate,
    wilson_interval,
)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 16), (3, 16), (21, 50), (200, 200)])
def test_wilson_is_scipys(k, n, level):
    oracle = binomtest(k, n).proportion_ci(level, method="wilson")
    assert wilson_interval(k, n, level) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_wilson_by_hand():
    # z = 1.959964: centre (8 + 1.92073) / (16 + 3.84146) = 1/2,
    # half sqrt(4 + .96036) * 1.959964 / 19.84146 = .220002.
    assert wilson_interval(8, 16) == pytest.approx((0.279998, 0.720002), abs=1e-5)


def test_no_image_has_no_rate_and_no_interval():
    assert math.isnan(rate(0, 0))
    assert all(math.isnan(v) for v in wilson_interval(0, 0))


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(k, n):
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(k, n)


def test_an_impossible_level_is_refused():
    with pytest.raises(ValueError, match="level"):
        wilson_interval(1, 2, level=95)


@pytest.mark.parametrize(
    ("first", "second", "limits"),
    [
        # Newcombe (1998), "Interval estimation for the difference between independent
        # proportions", table II, method 10.
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_gap_of_two_groups_is_newcombes_method_10(first, second, limits):
    assert gap_interval([first], [second]) == pytest.approx(limits, abs=5e-5)


def test_gap_turns_its_sign_with_its_sides():
    low, high = gap_interval([(9, 10), (30, 40)], [(3, 10)])
    assert gap_interval([(3, 10)], [(9, 10), (30, 40)]) == pytest.approx((-high, -low))


def test_mean_of_one_rate_is_wilson():
    assert mean_of_rates_interval([(3, 16)]) == pytest.approx(wilson_interval(3, 16))


def test_mean_of_two_rates_squares_and_adds():
    (low_a, high_a), (low_b, high_b) = wilson_interval(8, 16), wilson_interval(45, 50)
    low, high = mean_of_rates_interval([(8, 16), (45, 50)])
    assert low == pytest.approx(0.7 - math.sqrt((0.5 - low_a) ** 2 + (0.9 - low_b) ** 2) / 2)
    assert high == pytest.approx(0.7 + math.sqrt((high_a - 0.5) ** 2 + (high_b - 0.9) ** 2) / 2)


@pytest.mark.parametrize("counts", [[], [(0, 0)], [(3, 4), (0, 0)]])
def test_an_empty_group_leaves_no_interval(counts):
    assert all(math.isnan(v) for v in mean_of_rates_interval(counts))
    assert all(math.isnan(v) for v in gap_interval(counts, [(1, 2)]))


def test_terms_must_match():
    with pytest.raises(ValueError, match="zip"):
        combined_interval([1.0], [0.5, 0.5], [(0.0, 1.0)])


def test_constant_baseline_is_the_commoner_label():
    assert constant_baseline([1, 0, 0, 0]) == 0.75
    assert constant_baseline([True, True]) == 1.0
    assert math.isnan(constant_baseline([]))
    with pytest.raises(ValueError, match="0 or 1"):
        constant_baseline([0, 2])
