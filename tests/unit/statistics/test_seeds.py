"""Means over trainings: the quantile between normal and Student's, and what the interval holds."""

import math

import numpy as np
import pytest
from scipy import stats

from biasaudit.statistics import mean_of
from biasaudit.statistics.seeds import mean_over_seeds, two_part_quantile


def test_the_quantile_goes_from_normal_to_student():
    assert two_part_quantile(0.0, 1) == pytest.approx(stats.norm.ppf(0.975))
    assert two_part_quantile(1e-3, 1) == pytest.approx(stats.norm.ppf(0.975))
    assert two_part_quantile(math.inf, 2) == pytest.approx(stats.t.ppf(0.975, 2))
    values = [two_part_quantile(ratio, 1) for ratio in (0.1, 1, 10, 100)]
    assert values == sorted(values)


@pytest.mark.parametrize("free", [1, 2, 4])
@pytest.mark.parametrize("true_ratio", [0.01, 0.1, 0.4, 1, 3, 15, 200])
def test_the_quantile_holds_its_level_at_every_ratio(free, true_ratio):
    # The mean's error is normal with variance 1 + ratio; the second part is estimated.
    chances = (np.arange(800) + 0.5) / 800
    estimates = true_ratio * stats.chi2.ppf(chances, free) / free
    halves = [two_part_quantile(u, free) * math.sqrt(1 + u) for u in estimates]
    held = np.mean(2 * stats.norm.cdf(np.array(halves) / math.sqrt(1 + true_ratio)) - 1)
    assert 0.93 <= held <= 0.97


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.03, 0.1])
def test_the_interval_holds_the_mean(seeds, spread):
    rng = np.random.default_rng(11)
    n, rates, audits, held = 60, np.array([0.8, 0.6]), 400, 0
    groups = np.repeat([0, 1], n)
    for _ in range(audits):
        ease, figures = rng.normal(size=2 * n), []
        for shift in rng.normal(0, spread, seeds):
            bar = stats.norm.ppf(np.clip(rates + shift, 0.01, 0.99))[groups]
            right = (0.8 * ease + 0.6 * rng.normal(size=2 * n) < bar).astype(float)
            figures.append(mean_of_two(right, groups))
        found = mean_over_seeds(figures, groups, resamples=100, seed=int(rng.integers(2**31)))
        held += found.interval[0] <= rates.mean() <= found.interval[1]
    # 93 to 97%, and two standard deviations of 400 audits.
    assert 0.908 <= held / audits <= 0.99


def mean_of_two(right, groups):
    first, second = mean_of(right, groups == 0), mean_of(right, groups == 1)
    return lambda weights: (first(weights) + second(weights)) / 2


def test_the_p_value_is_where_the_interval_reaches_zero():
    rng = np.random.default_rng(2)
    figures = [mean_of(rng.normal(0.3, 1, 80)) for _ in range(3)]
    found = mean_over_seeds(figures, np.zeros(80))
    touching = mean_over_seeds(figures, np.zeros(80), level=1 - found.p_value)
    near = min(abs(end) for end in touching.interval)
    assert near == pytest.approx(0.0, abs=1e-9)


def test_one_seed_speaks_of_the_images_alone():
    values = np.random.default_rng(3).normal(0, 1, 400)
    found = mean_over_seeds([mean_of(values)], np.zeros(400))
    half = stats.norm.ppf(0.975) * values.std(ddof=1) / 20
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half), rel=0.08)
    assert math.isnan(found.sd_seeds)


def test_no_seed_is_refused():
    with pytest.raises(ValueError, match="no seed"):
        mean_over_seeds([], [0])


@pytest.mark.parametrize(("images", "free"), [(2, 1), (3, 2), (6, 5)])
def test_of_few_images_the_quantile_is_students(images, free):
    values = np.arange(images, dtype=float)
    found = mean_over_seeds([mean_of(values)], np.zeros(images))
    half = (found.interval[1] - found.interval[0]) / 2
    assert half / found.se_images == pytest.approx(stats.t.ppf(0.975, free), rel=1e-6)
