"""Power: against enumeration of the tests themselves, and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from biasaudit.statistics import (
    Paired,
    detectable,
    gap_interval,
    images_needed,
    least_shown,
    mcnemar,
    power_one,
    power_paired,
    power_two,
)


@pytest.mark.parametrize(
    ("n", "rate", "reference"), [(16, 0.9, 0.5), (50, 0.6, 0.5), (30, 0.2, 0.4)]
)
def test_power_of_one_rate_enumerates_the_binomial_test(n, rate, reference):
    def rejects(k):
        tails = stats.binom.cdf(k, n, reference), stats.binom.sf(k - 1, n, reference)
        return min(tails) <= 0.025

    expected = sum(stats.binom.pmf(k, n, rate) for k in range(n + 1) if rejects(k))
    assert power_one(n, rate, reference) == pytest.approx(expected)


def test_power_without_a_difference_is_at_most_the_size():
    assert power_one(50, 0.5, 0.5) <= 0.05
    assert power_paired(50, 0.0, 0.3) <= 0.05
    assert power_two(50, 50, 0.5, 0.5) == pytest.approx(0.025, abs=1e-3)


@pytest.mark.parametrize(
    ("n", "difference", "disagreement"), [(16, 0.4, 0.5), (50, 0.2, 0.3), (30, -0.2, 0.2)]
)
def test_power_of_paired_models_enumerates_mcnemar(n, difference, disagreement):
    win, lose = (disagreement + difference) / 2, (disagreement - difference) / 2
    expected = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            if b + c and stats.binomtest(b, b + c).pvalue <= 0.05:
                expected += stats.multinomial.pmf([b, c, n - b - c], n, [win, lose, 1 - win - lose])
    assert power_paired(n, difference, disagreement) == pytest.approx(expected, abs=1e-9)


def test_paired_models_cannot_differ_more_than_they_disagree():
    with pytest.raises(ValueError, match="disagreement"):
        power_paired(50, 0.3, 0.2)
    assert power_paired(50, 0.0, 0.0) == 0.0


def test_power_of_two_rates_is_what_the_audits_interval_finds():
    rng = np.random.default_rng(0)
    first, second = rng.binomial(50, 0.9, 800), rng.binomial(80, 0.7, 800)
    found = [
        gap_interval([(int(a), 50)], [(int(b), 80)])[0] > 0
        for a, b in zip(first, second, strict=True)
    ]
    assert power_two(50, 80, 0.9, 0.7) == pytest.approx(np.mean(found), abs=0.05)


def test_power_of_certain_rates():
    assert power_two(50, 50, 1.0, 0.0) == 1.0
    assert power_two(0, 50, 1.0, 0.0) == 0.0


def test_detectable_difference_has_the_power_and_no_smaller_one_has():
    def power_at(d):
        return power_two(16, 50, 0.9, 0.9 - d)

    found = detectable(power_at, 0.9)
    assert power_at(found) >= 0.8 > power_at(found - 2e-3)


def test_nothing_is_detectable_with_two_images():
    assert math.isnan(detectable(lambda d: power_two(2, 2, 0.7, 0.7 - d), 0.2))


def test_images_needed_have_the_power():
    n = images_needed(lambda n: power_paired(n, 0.1, 0.3))
    assert power_paired(n, 0.1, 0.3) >= 0.8 > power_paired(n - 1, 0.1, 0.3)
    # Lachin's normal approximation: (1.96 sqrt(.3) + .8416 sqrt(.3 - .01))^2 / .01 = 233.
    assert n == pytest.approx(233, rel=0.1)


def test_no_number_of_images_shows_nothing():
    assert images_needed(lambda n: power_two(n, n, 0.5, 0.5)) is None


@pytest.mark.parametrize(("alpha", "rate"), [(0.0, 0.5), (0.05, 1.5)])
def test_impossible_settings_are_refused(alpha, rate):
    with pytest.raises(ValueError, match=r"alpha|rates"):
        power_one(10, rate, 0.5, alpha)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6, 0.25, 0.0625])
def test_the_least_difference_that_can_be_shown(alpha):
    for n in (1, 5, 6, 16, 47):
        shown = [k for k in range(1, n + 1) if mcnemar(Paired(0, k, 0, n - k)) <= alpha]
        least = least_shown(n, alpha)
        assert math.isnan(least) if not shown else least == min(shown) / n
