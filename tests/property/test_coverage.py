"""Simulated audits: 95% intervals hold the truth in 93 to 97 of 100, and tests keep their size.

Rates are integers over n, so that the coverage of any interval of them swings with the rate
(Brown, Cai and DasGupta 2001); the simulated rates are therefore drawn anew in each audit, which
is also how a user meets them.
"""

import numpy as np
import pytest
from scipy import stats

from biasaudit.statistics import (
    auroc_interval,
    auroc_of,
    bootstrap_each,
    count_pairs,
    difference_of,
    gap_interval,
    mcnemar,
    mean_interval,
    mean_of,
    mean_of_rates_interval,
    mean_over,
    mean_over_seeds,
    mean_paired_interval,
    wilson_interval,
    worst_of,
)

AUDITS = 1000
pytestmark = pytest.mark.slow


def covers(interval, truth):
    return interval[0] <= truth <= interval[1]


def held(draw, audits=AUDITS, seed=0):
    """Return the share of simulated audits whose interval holds the truth."""
    rng = np.random.default_rng(seed)
    return np.mean([covers(*draw(rng)) for _ in range(audits)])


def two_models(rng, n_yes, n_no):
    """Return labels and the scores of two models on the same images, the second the better."""
    labels = np.r_[np.ones(n_yes, int), np.zeros(n_no, int)]
    shared = rng.normal(0, 0.7, labels.size)
    first = shared + rng.normal(0, 0.7, labels.size) + np.where(labels, 0.2, -0.4)
    second = shared + rng.normal(0, 0.7, labels.size) + np.where(labels, 0.8, -1.2)
    return labels, first, second


SD = 0.7 * 2**0.5
RIGHT = {  # (boats, water) of the first and the second model
    "first": (stats.norm.cdf(0.2 / SD), stats.norm.cdf(0.4 / SD)),
    "second": (stats.norm.cdf(0.8 / SD), stats.norm.cdf(1.2 / SD)),
}
AREA = {"first": stats.norm.cdf(0.6 / SD / 2**0.5), "second": stats.norm.cdf(2.0 / SD / 2**0.5)}
SIZES = pytest.mark.parametrize("sizes", [(16, 50), (50, 50), (200, 200)])


@pytest.mark.parametrize("n", [16, 50, 200])
def test_wilson(n):
    def draw(rng):
        p = rng.uniform(0.05, 0.95)
        return wilson_interval(int(rng.binomial(n, p)), n), p

    assert 0.93 <= held(draw) <= 0.97


@SIZES
def test_mean_of_two_groups(sizes):
    def draw(rng):
        p = rng.uniform(0.1, 0.95, 2)
        return mean_of_rates_interval(
            [(int(rng.binomial(n, q)), n) for n, q in zip(sizes, p, strict=True)]
        ), p.mean()

    assert 0.93 <= held(draw) <= 0.97


@SIZES
def test_gap_between_matched_and_conflicting_groups(sizes):
    def draw(rng):
        p = rng.uniform(0.3, 0.98, 4)
        groups = [(int(rng.binomial(n, q)), n) for n, q in zip((*sizes, *sizes), p, strict=True)]
        return gap_interval(groups[:2], groups[2:]), (p[0] + p[1] - p[2] - p[3]) / 2

    assert 0.93 <= held(draw) <= 0.97


@SIZES
def test_auroc(sizes):
    def draw(rng):
        shift = rng.uniform(0.0, 2.0)
        interval = auroc_interval(rng.normal(shift, 1, sizes[0]), rng.normal(0, 1, sizes[1]))
        return interval, stats.norm.cdf(shift / 2**0.5)

    assert 0.93 <= held(draw) <= 0.97


@pytest.mark.parametrize("n", [16, 50])
def test_mean_of_skewed_overlaps(n):
    def draw(rng):
        zero = rng.random(n) < 0.3
        return mean_interval(np.where(zero, 0.0, rng.beta(1, 3, n))), 0.7 / 4

    assert 0.93 <= held(draw) <= 0.975


@SIZES
def test_paired_difference_of_overall_accuracy(sizes):
    truth = np.mean(RIGHT["second"]) - np.mean(RIGHT["first"])

    def draw(rng):
        labels, first, second = two_models(rng, *sizes)
        groups = [
            count_pairs((second > 0)[labels == v] == v, (first > 0)[labels == v] == v)
            for v in (1, 0)
        ]
        return mean_paired_interval(groups), truth

    assert 0.93 <= held(draw) <= 0.97


@pytest.fixture(scope="module", params=[(16, 50), (50, 50)], ids=str)
def resampled(request):
    """How often the bootstrap's interval of each figure held the difference of two models."""
    truths = {
        "accuracy": np.mean(RIGHT["second"]) - np.mean(RIGHT["first"]),
        "auroc": AREA["second"] - AREA["first"],
        "worst": min(RIGHT["second"]) - min(RIGHT["first"]),
    }

    def figures(labels, scores):
        right = ((scores > 0) == labels).astype(float)
        groups = [mean_of(right, labels == v) for v in (1, 0)]
        return {
            "accuracy": mean_over(groups),
            "worst": worst_of(groups),
            "auroc": auroc_of(scores, labels),
        }

    rng = np.random.default_rng(0)
    held = dict.fromkeys(truths, 0)
    for _ in range(AUDITS):
        labels, first, second = two_models(rng, *request.param)
        before, after = figures(labels, first), figures(labels, second)
        found = bootstrap_each(
            {kind: difference_of(after[kind], before[kind]) for kind in truths},
            labels,
            resamples=300,
            seed=int(rng.integers(2**31)),
        )
        for kind, truth in truths.items():
            held[kind] += covers(found[kind].interval, truth)
    return {kind: count / AUDITS for kind, count in held.items()}


@pytest.mark.parametrize("kind", ["accuracy", "auroc", "worst"])
def test_paired_stratified_bootstrap(resampled, kind):
    # The worst group of 16 images is cautious: the smallest of two rates varies less than either.
    assert 0.93 <= resampled[kind] <= (0.985 if kind == "worst" else 0.97)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.2, 1.0])
def test_seeds_and_images_together(seeds, spread):
    """For no, little and much variance between seeds."""

    def draw(rng):
        images, offsets = rng.normal(0, 0.5, 60), rng.normal(0, spread, seeds)
        figures = [mean_of(images + offset + rng.normal(0, 0.3, 60)) for offset in offsets]
        return mean_over_seeds(figures, np.zeros(60), resamples=200).interval, 0.0

    assert 0.93 <= held(draw) <= 0.97


@pytest.mark.parametrize("n", [16, 50, 200])
def test_mcnemar_keeps_its_size(n):
    rng = np.random.default_rng(3)
    rejected = []
    for _ in range(AUDITS):
        p, ease = rng.uniform(0.3, 0.9), rng.normal(size=n)
        first, second = (ease + rng.normal(size=n) < stats.norm.ppf(p) * 2**0.5 for _ in "ab")
        rejected.append(mcnemar(count_pairs(first, second)) <= 0.05)
    assert np.mean(rejected) <= 0.05
