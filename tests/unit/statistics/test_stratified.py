"""The stratified effect: hand-computed values, brute force over permutations, coverage."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from biasaudit.statistics.contrasts import Contrast, count_contrasts
from biasaudit.statistics.permutation import clustered_p_value, exact_p_value
from biasaudit.statistics.rates import gap_interval
from biasaudit.statistics.stratified import effect_arms, stratified_effect


def test_the_effect_by_hand():
    found = stratified_effect(
        [
            # Weights 10 * 10 / 20 = 5 and 5 * 20 / 25 = 4; differences .4 and .5.
            Contrast("test / a", 1, 8, 10, 4, 10),
            Contrast("test / b", 1, 5, 5, 10, 20),
            # One stratum; difference .1.
            Contrast("test / a", 0, 3, 10, 4, 20),
        ]
    )
    there, absent = found.by_answer[1], found.by_answer[0]
    assert there.effect == pytest.approx((5 * 0.4 + 4 * 0.5) / 9)
    assert there.yes_with == pytest.approx((5 * 0.8 + 4 * 1.0) / 9)
    assert (there.n_with, there.n_without) == (15, 30)
    assert absent.effect == pytest.approx(0.1)
    assert found.effect == pytest.approx((there.effect + absent.effect) / 2)


def test_one_large_stratum_has_newcombes_interval():
    found = stratified_effect([Contrast("t", 1, 55, 60, 20, 40), Contrast("t", 0, 9, 30, 5, 50)])
    assert found.by_answer[1].interval == pytest.approx(gap_interval([(55, 60)], [(20, 40)]))
    both = gap_interval([(55, 60), (9, 30)], [(20, 40), (5, 50)])
    assert found.interval == pytest.approx(both)


def test_strata_of_one_context_say_nothing():
    contrasts = [Contrast("t", 1, 8, 10, 4, 10), Contrast("t", 0, 3, 10, 4, 20)]
    shifted = Contrast("val", 1, 100, 100, 0, 0), Contrast("val", 0, 0, 0, 0, 100)
    alone, beside = stratified_effect(contrasts), stratified_effect([*contrasts, *shifted])
    assert beside.left_out == shifted
    assert (beside.effect, beside.interval, beside.p_value) == (
        alone.effect,
        alone.interval,
        alone.p_value,
    )


def test_an_answer_without_a_stratum_gives_no_effect():
    found = stratified_effect([Contrast("t", 1, 8, 10, 4, 10), Contrast("t", 0, 3, 10, 0, 0)])
    assert math.isnan(found.effect)
    assert math.isnan(found.p_value)
    assert math.isnan(found.interval[0])
    assert found.by_answer[1].effect == pytest.approx(0.4)


def test_swapping_the_context_turns_the_effect_round():
    contrasts = [Contrast("a", 1, 7, 30, 20, 41), Contrast("a", 0, 2, 28, 9, 30)]
    turned = [
        Contrast(c.stratum, c.answer, c.yes_without, c.n_without, c.yes_with, c.n_with)
        for c in contrasts
    ]
    one, other = stratified_effect(contrasts), stratified_effect(turned)
    assert other.effect == pytest.approx(-one.effect)
    assert other.interval == pytest.approx((-one.interval[1], -one.interval[0]))
    assert other.p_value == pytest.approx(one.p_value)


@pytest.mark.parametrize("table", [(8, 10, 4, 10), (1, 12, 7, 12), (15, 40, 30, 40)])
def test_equal_groups_of_one_stratum_have_fishers_p_value(table):
    yes_1, n_1, yes_0, n_0 = table
    fisher = stats.fisher_exact([[yes_1, n_1 - yes_1], [yes_0, n_0 - yes_0]]).pvalue
    assert exact_p_value([[table]]) == pytest.approx(fisher)


ROWS = [
    # (yes, context, answer, stratum)
    *[(1, 1, 1, "a"), (1, 1, 1, "a"), (0, 0, 1, "a"), (1, 0, 1, "a"), (0, 0, 1, "a")],
    *[(1, 1, 1, "b"), (0, 0, 1, "b"), (0, 0, 1, "b")],
    *[(1, 1, 0, "a"), (0, 0, 0, "a"), (0, 0, 0, "a"), (1, 1, 0, "a")],
    *[(0, 1, 0, "b"), (1, 0, 0, "b")],
]


def effect_of(yes, context, answer, stratum):
    """The effect, written out without the package."""
    effects = []
    for a in (1, 0):
        total = weight = 0.0
        for s in set(stratum):
            groups = [
                [
                    yes[i]
                    for i in range(len(yes))
                    if (context[i], answer[i], stratum[i]) == (c, a, s)
                ]
                for c in (1, 0)
            ]
            with_it, without = groups
            w = len(with_it) * len(without) / (len(with_it) + len(without))
            total += w * (np.mean(with_it) - np.mean(without))
            weight += w
        effects.append(total / weight)
    return np.mean(effects)


def test_the_p_value_is_that_of_all_permutations():
    yes, context, answer, stratum = (list(column) for column in zip(*ROWS, strict=True))
    blocks = [
        [i for i, row in enumerate(ROWS) if row[2:] == key]
        for key in ((1, "a"), (1, "b"), (0, "a"), (0, "b"))
    ]
    observed = effect_of(yes, context, answer, stratum)
    choices = [
        list(itertools.combinations(block, sum(context[i] for i in block))) for block in blocks
    ]
    effects = []
    for chosen in itertools.product(*choices):
        shown = [0] * len(ROWS)
        for i in itertools.chain(*chosen):
            shown[i] = 1
        effects.append(effect_of(yes, shown, answer, stratum))
    expected = np.mean(np.abs(effects) >= abs(observed) - 1e-9)
    found = stratified_effect(count_contrasts(yes, context, answer, stratum))
    assert found.effect == pytest.approx(observed)
    assert found.p_value == pytest.approx(expected)
    # Each image a cluster of its own: the Monte-Carlo test of the same hypothesis.
    drawn = clustered_p_value(yes, context, answer, stratum, np.arange(len(yes)), draws=20_000)
    assert drawn == pytest.approx(expected, abs=0.012)


def test_a_p_value_keeps_the_digits_of_thin_tails():
    log = stats.hypergeom.logpmf(100, 200, 100, 100)
    assert exact_p_value([[(100, 100, 0, 100)]]) == pytest.approx(2 * math.exp(log), rel=1e-6)


def test_clusters_of_one_group_count_once():
    # Two photographs of each scene: ten rows, five scenes.
    yes = [1, 1, 1, 1, 0, 0, 1, 0, 0, 0]
    shown = [1] * 4 + [0] * 6
    found = count_contrasts(yes, shown, [1] * 10, ["t"] * 10, np.repeat(np.arange(5), 2))
    assert found == [Contrast("t", 1, 2.0, 2, 0.5, 3)]


def test_both_versions_of_an_image_swap_together():
    # Six images, each once with and once without the context; the context turns every answer.
    yes, shown = [1, 0] * 6, [1, 0] * 6
    p = clustered_p_value(
        yes, shown, [1] * 12, ["t"] * 12, np.repeat(np.arange(6), 2), draws=50_000
    )
    assert p == pytest.approx(2 / 2**6, abs=0.003)


def test_contrasts_refuse_what_is_no_answer():
    with pytest.raises(ValueError, match="0 or 1"):
        count_contrasts([1, 2], [0, 1], [1, 1], ["a", "a"])
    with pytest.raises(ValueError, match="rows"):
        count_contrasts([1], [0, 1], [1, 1], ["a", "a"])


def coverage(sizes, rates, audits=4000):
    """Share of audits whose interval of the effect over both answers holds the truth."""
    rng = np.random.default_rng(5)
    truth, estimates, arms = 0.0, 0.0, [0.0, 0.0]
    for answer in (0, 1):
        n_1, n_0 = (np.array([s[answer][side] for s in sizes], dtype=float) for side in (0, 1))
        p_1, p_0 = (np.array([r[answer][side] for r in rates]) for side in (0, 1))
        yes = [
            rng.binomial(n.astype(int), p, (audits, len(n))).astype(float)
            for n, p in ((n_1, p_1), (n_0, p_0))
        ]
        effect, down, up = effect_arms(yes[0], n_1, yes[1], n_0, 0.95)
        weights = n_1 * n_0 / (n_1 + n_0)
        truth += np.average(p_1 - p_0, weights=weights) / 2
        estimates = estimates + effect / 2
        arms = [arms[0] + down**2 / 4, arms[1] + up**2 / 4]
    low, high = estimates - np.sqrt(arms[0]), estimates + np.sqrt(arms[1])
    return np.mean((low <= truth + 1e-9) & (truth <= high + 1e-9))


@pytest.mark.parametrize("n", [8, 16, 50, 200])
@pytest.mark.parametrize("rates", [((0.5, 0.5), (0.5, 0.5)), ((0.3, 0.05), (0.95, 0.7))])
def test_the_interval_holds_the_effect(n, rates):
    assert 0.93 <= coverage([((n, n), (n, 3 * n))], [rates]) <= 0.985


@pytest.mark.parametrize("n", [8, 50])
def test_near_zero_and_one_the_interval_is_cautious(n):
    assert coverage([((n, n), (n, n))], [((0.02, 0.02), (0.98, 0.98))]) >= 0.95


@pytest.mark.parametrize("sizes", [[1] * 30, [2] * 10, [20] * 3, [3, 40, 5, 12], [200, 8]])
def test_many_strata_hold_it_too(sizes):
    strata = [((n, n), (n, max(1, n // 2))) for n in sizes]
    rates = [((0.4 + 0.2 * i / len(sizes), 0.4), (0.6, 0.5)) for i in range(len(sizes))]
    assert 0.93 <= coverage(strata, rates) <= 0.985


def test_the_data_itself_counts_among_the_draws():
    """Nothing moves: p is 1 exactly. All moves, of many: p is one of draws and one."""
    still = clustered_p_value([1] * 6, [1, 0] * 3, [1] * 6, ["s"] * 6, [1, 2, 3, 4, 5, 6], draws=99)
    assert still == 1.0
    n = 40
    yes = [1] * n + [0] * n
    p = clustered_p_value(yes, yes, [1] * 2 * n, ["s"] * 2 * n, range(2 * n), draws=199)
    assert p == 1 / 200
