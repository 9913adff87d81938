"""The bootstrap: against a plain loop, its own theory, and edge cases."""

import math

import numpy as np
import pytest
from scipy import stats

from biasaudit.statistics import (
    auroc_of,
    bootstrap,
    bootstrap_each,
    difference_of,
    mean_of,
    mean_over,
    mean_over_seeds,
    means,
    resampling,
    worst_of,
)

RNG = np.random.default_rng(11)
GROUPS = np.array(["boats"] * 16 + ["water"] * 50)
LABELS = (GROUPS == "boats").astype(int)
RIGHT = (RNG.random(66) < 0.6).astype(float)
SCORES = RNG.normal(size=66) + LABELS


def overall(values):
    return mean_over([mean_of(values, name == GROUPS) for name in ("boats", "water")])


def test_estimate_and_interval_are_those_of_a_plain_loop():
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(4000):
        means = [
            rng.choice(RIGHT[c == GROUPS], (c == GROUPS).sum() - 1).mean()
            for c in ("boats", "water")
        ]
        draws.append(np.mean(means))
    found = bootstrap(overall(RIGHT), GROUPS)
    expected = (RIGHT[:16].mean() + RIGHT[16:].mean()) / 2
    assert found.estimate == pytest.approx(expected)
    assert found.interval == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)


def test_the_spread_is_the_unbiased_standard_error():
    values = np.random.default_rng(13).random(12)
    low, high = bootstrap(mean_of(values), np.zeros(12), level=0.6827, resamples=20000).interval
    assert (high - low) / 2 == pytest.approx(values.std(ddof=1) / math.sqrt(12), rel=0.03)


def test_a_groups_size_never_changes():
    sizes = mean_of((GROUPS == "boats").astype(float))
    # 15 of 15 + 49 in every resample, hence no spread and no interval.
    assert math.isnan(bootstrap(sizes, GROUPS).interval[0])


def test_a_clear_difference_has_a_small_p_value_and_none_a_large_one():
    clear = difference_of(auroc_of(SCORES + 3 * LABELS, LABELS), auroc_of(SCORES, LABELS))
    assert bootstrap(clear, GROUPS).p_value < 0.01
    own = np.random.default_rng(11)  # of the test alone, whatever ran before
    noise = difference_of(
        auroc_of(own.normal(size=66), LABELS), auroc_of(own.normal(size=66), LABELS)
    )
    found = bootstrap(noise, GROUPS)
    assert found.interval[0] < 0 < found.interval[1]
    assert found.p_value > 0.05


def test_pairs_drawn_together_carry_as_much_as_pairs():
    # Both versions of each of 40 pairs answered alike: 80 images that are worth 40.
    values = np.tile(np.random.default_rng(12).random(40), 2)
    groups = np.repeat(["as it is", "edited"], 40)
    pairs = np.tile(np.arange(40), 2)
    together = bootstrap(mean_of(values), groups, clusters=pairs).interval
    apart = bootstrap(mean_of(values), groups).interval
    widths = [high - low for low, high in (together, apart)]
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(2), rel=0.1)


def test_same_seed_same_interval():
    figure = overall(RIGHT)
    assert bootstrap(figure, GROUPS, seed=4) == bootstrap(figure, GROUPS, seed=4)
    assert bootstrap(figure, GROUPS, seed=4) != bootstrap(figure, GROUPS, seed=5)


@pytest.mark.parametrize(
    ("values", "strata"), [([0.3], ["a"]), ([0.3, 0.3], ["a", "a"]), ([np.nan] * 3, ["a"] * 3)]
)
def test_no_spread_no_interval(values, strata):
    found = bootstrap(mean_of(values), strata)
    assert all(math.isnan(v) for v in (*found.interval, found.p_value))


def test_worst_group_is_resampled_whole():
    groups = [mean_of(RIGHT, name == GROUPS) for name in ("boats", "water")]
    worst, single = bootstrap(worst_of(groups), GROUPS), [bootstrap(c, GROUPS) for c in groups]
    assert worst.estimate == min(s.estimate for s in single)
    assert worst.interval[1] <= min(s.interval[1] for s in single) + 1e-12


def test_clusters_and_strata_are_as_long():
    with pytest.raises(ValueError, match="3 strata and 2 clusters"):
        bootstrap(mean_of([1.0, 0, 1]), ["a"] * 3, clusters=[1, 2])


def test_one_seed_has_no_spread_between_seeds():
    levels = mean_over_seeds([overall(RIGHT)], GROUPS)
    assert math.isnan(levels.sd_seeds)
    assert levels.n_seeds == 1
    assert levels.interval[0] < levels.mean < levels.interval[1]


def test_seeds_that_agree_image_by_image_add_nothing():
    levels = mean_over_seeds([overall(RIGHT)] * 3, GROUPS)
    alone = mean_over_seeds([overall(RIGHT)], GROUPS)
    assert levels.sd_seeds == 0.0
    assert levels.se_images == pytest.approx(alone.se_images, rel=1e-3)
    assert levels.interval == pytest.approx(alone.interval, rel=1e-3)


def test_variance_between_seeds_is_told_from_that_between_images():
    rng = np.random.default_rng(2)
    images, offsets = rng.normal(size=4000), np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    seeds = [mean_of(images + offset + rng.normal(size=4000)) for offset in offsets]
    levels = mean_over_seeds(seeds, np.zeros(4000))
    assert levels.sd_seeds == pytest.approx(offsets.std(ddof=1), rel=0.05)
    assert levels.se_images == pytest.approx(math.sqrt((1 + 1 / 5) / 4000), rel=0.1)
    # Almost all of the variance lies between 5 seeds: Student's t with 4 degrees of freedom.
    half = 2.776 * offsets.std(ddof=1) / math.sqrt(5)
    assert (levels.interval[1] - levels.interval[0]) / 2 == pytest.approx(half, rel=0.05)


def test_the_p_value_over_seeds_is_students_where_only_seeds_vary():
    offsets = np.array([0.5, 1.0, 1.2, 0.9])
    figures = [mean_of(np.full(50, offset) + np.linspace(-1e-6, 1e-6, 50)) for offset in offsets]
    levels = mean_over_seeds(figures, np.zeros(50))
    assert levels.p_value == pytest.approx(stats.ttest_1samp(offsets, 0).pvalue, rel=1e-3)
    assert mean_over_seeds([lambda w, f=f: -f(w) for f in figures], np.zeros(50)).p_value == (
        pytest.approx(levels.p_value)
    )


def test_bounds_of_a_mean_over_seeds():
    figures = [mean_of(v) for v in ([1.0] * 9 + [0.9], [0.2] * 9 + [0.1])]
    low, high = mean_over_seeds(figures, np.zeros(10), bounds=(0.0, 1.0)).interval
    assert (low, high) == (0.0, 1.0)


def test_a_figure_without_value_has_no_interval_over_seeds():
    levels = mean_over_seeds([mean_of([np.nan, np.nan])] * 2, ["a", "a"])
    assert math.isnan(levels.mean)
    assert math.isnan(levels.interval[0])


def test_no_seed_is_refused():
    with pytest.raises(ValueError, match="no seed"):
        mean_over_seeds([], ["a"])


def test_intervals_rest_on_two_thousand_resamples():
    assert (resampling.RESAMPLES, means.RESAMPLES) == (2000, 2000)


def test_several_figures_share_the_resamples_that_each_alone_would_have():
    figures = {"overall": overall(RIGHT), "group": mean_of(RIGHT, np.asarray(GROUPS) == GROUPS[0])}
    found = bootstrap_each(figures, GROUPS, seed=3)
    assert found == {name: bootstrap(figure, GROUPS, seed=3) for name, figure in figures.items()}


def test_large_strata_have_the_multinomials_mean_and_variance():
    n = 6000
    units, groups = resampling.units_of(np.r_[np.zeros(n), np.ones(40)], None)
    weights = np.concatenate(list(resampling.weights_of(units, groups, 300, 0)))
    assert weights.shape == (300, n + 40)
    assert (weights[:, :n].sum(axis=1) == n - 1).all()
    assert (weights[:, n:].sum(axis=1) == 39).all()
    assert weights[:, :n].var() == pytest.approx(1.0, abs=0.01)
    sums = weights[:, : n // 2].sum(axis=1)
    assert sums.std() == pytest.approx(np.sqrt(n) / 2, rel=0.15)
