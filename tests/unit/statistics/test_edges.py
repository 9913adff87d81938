"""Where a rule begins and ends: bounds that are allowed, sizes at which a method changes."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from biasaudit.statistics import (
    Paired,
    detectable,
    holm,
    images_needed,
    least_shown,
    mcnemar,
    mean_interval,
    mean_of,
    paired_interval,
    power_one,
    power_paired,
    power_two,
    wilson_interval,
)
from biasaudit.statistics.contrasts import Contrast, count_contrasts
from biasaudit.statistics.effect_power import Planned, least_effect, power_effect
from biasaudit.statistics.harm import harm
from biasaudit.statistics.means import RESAMPLES
from biasaudit.statistics.operating_point import OperatingPoint
from biasaudit.statistics.permutation import clustered_p_value, exact_p_value
from biasaudit.statistics.power import fewest
from biasaudit.statistics.rates import check_level, combined_interval, gap_interval
from biasaudit.statistics.resampling import _resampled, units_of, weights_of
from biasaudit.statistics.seeds import mean_over_seeds, two_part_quantile
from biasaudit.statistics.stratified import OWN_INTERVAL, effect_arms, stratified_effect


def test_p_values_of_nought_and_one_are_p_values():
    assert holm({"a": 0.0, "b": 1.0}) == {"a": 0.0, "b": 1.0}
    assert holm({}) == {}
    for wrong in (-1e-9, 1 + 1e-9):
        with pytest.raises(ValueError, match="p-values lie in"):
            holm({"a": wrong})


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1.1, math.nan])
def test_no_level_is_certain_or_nothing(level):
    with pytest.raises(ValueError, match="a confidence level lies between 0 and 1"):
        check_level(level)
    with pytest.raises(ValueError, match="confidence level"):
        mean_interval([0.1, 0.2, 0.3], level)
    with pytest.raises(ValueError, match="confidence level"):
        stratified_effect([], level)


def students(values, level=0.95):
    return stats.t.interval(level, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))


def test_seven_values_have_students_interval_and_eight_have_resamples():
    assert RESAMPLES == 2000
    values = [0.31, 0.35, 0.42, 0.44, 0.47, 0.52, 0.6, 0.55]
    assert mean_interval(values[:7]) == pytest.approx(students(values[:7]))
    assert mean_interval(values[:2], 0.5) == pytest.approx(students(values[:2], 0.5))
    eight = mean_interval(values)
    assert max(abs(np.array(eight) - students(values))) > 1e-3
    rows = np.random.default_rng(0).integers(0, 8, size=(2000, 8))
    made = np.array(values)[rows]
    spread = made.std(axis=1, ddof=1) / math.sqrt(8)
    t = (made.mean(axis=1) - np.mean(values))[spread > 0] / spread[spread > 0]
    low, high = np.quantile(t, [0.025, 0.975])
    error = stats.sem(values)
    assert eight == pytest.approx((np.mean(values) - high * error, np.mean(values) - low * error))


def test_values_alike_but_for_rounding_have_no_spread():
    assert all(math.isnan(end) for end in mean_interval([0.1 + 0.2, 0.3, 0.3] * 4))
    assert not math.isnan(mean_interval([1.0, 1.0 + 1e-9], bounds=None)[0])
    # the common offset costs no digits
    far = mean_interval([1e6 + 1, 1e6 + 2, 1e6 + 4], bounds=None)
    near = mean_interval([1.0, 2.0, 4.0], bounds=None)
    assert np.subtract(far, 1e6) == pytest.approx(near, abs=1e-8)


def test_a_bound_of_ones_own_is_kept():
    assert mean_interval([-1.0, 1.0], bounds=(-1.0, 1.0)) == (-1.0, 1.0)
    low, high = mean_interval([0.0, 1.0], bounds=(0.25, 0.75))
    assert (low, high) == (0.25, 0.75)


@pytest.mark.parametrize("wanted", [1, 2, 3, 7, 8, 9, 31, 100, 1000, 65_536])
def test_as_many_images_are_needed_as_the_power_says(wanted):
    assert images_needed(lambda n: float(n >= wanted)) == wanted
    assert images_needed(lambda n: 0.6 if n >= wanted else 0.5, power=0.6) == wanted


def test_up_to_a_hundred_thousand_images_are_looked_at():
    assert images_needed(lambda n: float(n >= 70_000)) == 70_000
    assert images_needed(lambda n: float(n >= 100_000)) == 100_000
    assert images_needed(lambda n: float(n >= 100_001)) is None


@pytest.mark.parametrize("wanted", [2, 3, 8, 9, 1000, 65_536, 99_999, 100_000])
def test_the_fewest_images_beyond_one(wanted):
    assert fewest(lambda n: n >= wanted, beyond=1) == wanted


def test_more_than_a_hundred_thousand_images_are_not_looked_at():
    assert fewest(lambda n: n > 100_000, beyond=1) is None


@pytest.mark.parametrize("least", [0.0004, 0.2, 0.4999, 0.73])
def test_the_smallest_difference_is_found_to_a_thousandth(least):
    found = detectable(lambda d: float(d >= least), 1.0)
    assert least <= found <= least + 1e-3
    assert detectable(lambda d: 0.8, 0.5) <= 1e-3
    assert math.isnan(detectable(lambda d: 0.79, 0.5))
    assert detectable(lambda d: d, 0.8) == pytest.approx(0.8, abs=1e-3)


def test_rates_of_nought_and_one_are_rates():
    assert power_one(10, 1.0, 0.5) == 1.0
    assert power_one(10, 0.0, 0.5) == 1.0
    assert power_two(10, 10, 0.0, 1.0) == 1.0
    assert power_two(10, 10, 0.0, 0.0) == 0.0
    assert (power_two(0, 9, 0.1, 0.9), power_two(9, 0, 0.1, 0.9)) == (0.0, 0.0)
    assert power_paired(9, 1.0, 1.0) == pytest.approx(1.0)
    assert power_paired(9, -1.0, 1.0) == pytest.approx(1.0)
    for wrong in (-1e-9, 1 + 1e-9):
        with pytest.raises(ValueError, match="rates lie in"):
            power_two(9, 9, 0.5, wrong)
        with pytest.raises(ValueError, match="rates"):
            power_effect([Planned(9, 9, 1)], wrong)
        with pytest.raises(ValueError, match="rates"):
            power_effect([Planned(9, 9, 1)], 0.1, sensitivity=wrong)
        with pytest.raises(ValueError, match="rates"):
            power_effect([Planned(9, 9, 1)], 0.1, specificity=wrong)
    with pytest.raises(ValueError, match="alpha"):
        power_effect([Planned(9, 9, 1)], 0.1, alpha=1.0)
    assert power_effect([Planned(9, 9, 1), Planned(9, 9, 0)], 0.0) < 0.05
    assert power_effect([Planned(99, 99, 1), Planned(99, 99, 0)], 1.0, 1.0, 1.0) == 1.0


def test_two_rates_by_the_normal_approximation_by_hand():
    pooled = (20 * 0.9 + 30 * 0.6) / 50
    under = math.sqrt(pooled * (1 - pooled) * (1 / 20 + 1 / 30))
    true = math.sqrt(0.9 * 0.1 / 20 + 0.6 * 0.4 / 30)
    z = (0.3 - NormalDist().inv_cdf(0.95) * under) / true
    for first, second in ((0.9, 0.6), (0.6, 0.9)):
        sizes = (20, 30) if first == 0.9 else (30, 20)
        found = power_two(*sizes, first, second, alpha=0.1)
        assert found == pytest.approx(NormalDist().cdf(z), abs=1e-12)


@pytest.mark.parametrize(
    ("alpha", "fewest"), [(0.5, 2), (0.25, 3), (0.05, 6), (0.0625, 5), (0.01, 8)]
)
def test_the_fewest_answers_that_can_turn(alpha, fewest):
    # 2 / 2**k is at most alpha
    assert 2 / 2**fewest <= alpha < 2 / 2 ** (fewest - 1)
    assert least_shown(fewest, alpha) == 1.0
    assert least_shown(4 * fewest, alpha) == 0.25
    assert math.isnan(least_shown(fewest - 1, alpha))


def test_where_the_context_has_nothing_to_mislead_the_effect_is_bounded_by_the_rate():
    # an accuracy of .1 cannot fall by .3: it falls to nothing
    low, all_of_it = (
        power_effect([Planned(50, 50, 1), Planned(50, 50, 0, accuracy=0.1)], effect)
        for effect in (0.3, 0.1)
    )
    one, other = (
        power_effect([Planned(50, 50, 1, accuracy=0.1), Planned(50, 50, 0, accuracy=0.1)], effect)
        for effect in (0.3, 0.1)
    )
    assert one == pytest.approx(other)
    assert low > all_of_it


def test_the_least_effect_is_bounded_by_the_lower_rate():
    planned = [Planned(40, 40, 1), Planned(40, 40, 0)]
    assert math.isnan(least_effect([Planned(2, 2, 1), Planned(2, 2, 0)]))
    assert least_effect(planned, 0.9, 0.7) <= 0.7
    assert least_effect(planned, power=0.9) > least_effect(planned, power=0.5)
    assert least_effect(planned, alpha=0.01) > least_effect(planned, alpha=0.1)


def test_images_that_never_differ_and_none_at_all():
    assert mcnemar(Paired(3, 0, 0, 4)) == 1.0
    assert math.isnan(mcnemar(Paired(0, 0, 0, 0)))
    assert math.isnan(Paired(0, 0, 0, 0).difference)
    assert all(math.isnan(end) for end in paired_interval(Paired(0, 0, 0, 0)))


@pytest.mark.parametrize(
    ("cells", "phi"),
    [
        # ad - bc = 24·20 - 3·3 = 471, less n / 2 = 25; margins 27·23·27·23
        ((24, 3, 3, 20), 446 / (27 * 23)),
        # 16 - 9 = 7, and no more than n / 2 = 7 to take off
        ((4, 3, 3, 4), 0.0),
        # against each other: -24, nothing taken off
        ((2, 6, 5, 3), -24 / math.sqrt(8 * 8 * 7 * 9)),
        # a margin of nothing
        ((5, 5, 0, 0), 0.0),
    ],
)
def test_the_correlation_of_two_answers_by_hand(cells, phi):
    a, b, c, _ = cells
    n = sum(cells)

    def arms(k):
        low, high = wilson_interval(k, n)
        return k / n - low, high - k / n

    (down_1, up_1), (down_2, up_2) = arms(a + b), arms(a + c)
    down = math.sqrt(down_1**2 - 2 * phi * down_1 * up_2 + up_2**2)
    up = math.sqrt(up_1**2 - 2 * phi * up_1 * down_2 + down_2**2)
    difference = (b - c) / n
    assert paired_interval(Paired(*cells)) == pytest.approx(
        (max(-1, difference - down), min(1, difference + up))
    )


def test_counts_that_are_not_whole_have_no_exact_p_value():
    whole = (3, 5, 1, 6)
    assert 0 < exact_p_value([[whole]]) <= 1
    for table in ((2.5, 5, 1, 6), (3, 5, 0.5, 6)):
        assert math.isnan(exact_p_value([[table]]))
        assert math.isnan(exact_p_value([[whole], [whole, table]]))
    # strata of one side are left out, whatever stands in them
    assert exact_p_value([[whole, (0.5, 4, 0, 0), (0, 0, 0.5, 4)]]) == exact_p_value([[whole]])
    assert math.isnan(exact_p_value([[whole], [(1, 3, 0, 0)]]))
    for answers in ([], [[whole]] * 3):
        with pytest.raises(ValueError, match="there are one or two"):
            exact_p_value(answers)


def test_p_values_of_two_tables_by_hand():
    # one yes of 1 with and 1 without: the effect is +1 or -1, either with 1/2
    assert exact_p_value([[(1, 1, 0, 1)]]) == 1.0
    # two of two with, none of two without: of six placings two are as far
    assert exact_p_value([[(2, 2, 0, 2)]]) == pytest.approx(2 / 6)
    # two such answers: both placings agree in 2 of 36
    assert exact_p_value([[(2, 2, 0, 2)], [(2, 2, 0, 2)]]) == pytest.approx(2 / 36)
    # opposite ones have a sum of nothing: nothing is nearer to it
    assert exact_p_value([[(2, 2, 0, 2)], [(0, 2, 2, 2)]]) == pytest.approx(1.0)
    # yes to all and no to all say nothing
    assert exact_p_value([[(2, 2, 2, 2)]]) == exact_p_value([[(0, 2, 0, 2)]]) == 1.0


def test_clusters_of_one_context_exchange_it_and_a_stratum_of_one_is_left_out():
    # four scenes, two photographs each: all with the context yes, the others no
    yes = shown = [1, 1, 1, 1, 0, 0, 0, 0]
    scenes = [0, 0, 1, 1, 2, 2, 3, 3]
    p = clustered_p_value(yes, shown, [1] * 8, ["s"] * 8, scenes, draws=20_000, seed=1)
    assert p == pytest.approx(2 / 6, abs=0.015)
    again = clustered_p_value(yes, shown, [1] * 8, ["s"] * 8, scenes, draws=20_000, seed=1)
    assert p == again
    lone = clustered_p_value(
        [*yes, 1], [*shown, 1], [1] * 9, [*["s"] * 8, "lone"], [*scenes, 9], draws=20_000, seed=1
    )
    assert lone == p
    assert math.isnan(clustered_p_value([1, 0], [1, 1], [1, 1], ["s"] * 2, [0, 1]))


def test_a_contrast_weighs_what_its_sides_do():
    assert Contrast("s", 1, 0, 6, 0, 3).weight == pytest.approx(2.0)
    for one in (Contrast("s", 1, 0, 0, 1, 3), Contrast("s", 1, 1, 3, 0, 0)):
        assert (one.usable, one.weight) == (False, 0.0)


def test_contrasts_stand_in_the_order_of_names_and_answers():
    found = count_contrasts(
        [1, 0, 1, 1, 0], [1, 1, 0, 0, 1], [0, 1, 1, 1, 1], ["b", "b", "b", "a", "a"]
    )
    assert found == [
        Contrast("a", 1, 0.0, 1, 1.0, 1),
        Contrast("b", 1, 0.0, 1, 1.0, 1),
        Contrast("b", 0, 1.0, 1, 0.0, 0),
    ]


def mover(first, second):
    """Effect and distances of one stratum by the Wilson limits of its two rates."""
    (k, n), (j, m) = first, second
    low_1, high_1 = wilson_interval(k, n)
    low_0, high_0 = wilson_interval(j, m)
    return k / n - j / m, k / n - low_1, high_1 - k / n, j / m - low_0, high_0 - j / m


def test_strata_of_twenty_five_have_intervals_of_their_own():
    assert OWN_INTERVAL == 25
    n_1, n_0 = np.array([25.0, 50.0]), np.array([25.0, 75.0])
    yes_1, yes_0 = np.array([20.0, 30.0]), np.array([10.0, 15.0])
    effect, down, up = effect_arms(yes_1, n_1, yes_0, n_0, 0.95)
    weights = np.array([12.5, 30.0]) / 42.5
    parts = [mover((20, 25), (10, 25)), mover((30, 50), (15, 75))]
    assert effect == pytest.approx(sum(w * p[0] for w, p in zip(weights, parts, strict=True)))
    squares = [
        sum(w**2 * (p[i] ** 2 + p[j] ** 2) for w, p in zip(weights, parts, strict=True))
        for i, j in ((1, 4), (2, 3))
    ]
    assert (down, up) == (
        pytest.approx(math.sqrt(squares[0])),
        pytest.approx(math.sqrt(squares[1])),
    )


def test_smaller_strata_share_one_interval():
    """Two of 24 and 24: one rate of 48 images, for both weigh the same."""
    n = np.array([24.0, 24.0])
    effect, down, up = effect_arms(np.array([20.0, 12.0]), n, np.array([6.0, 10.0]), n, 0.95)
    whole = mover((32, 48), (16, 48))
    assert effect == pytest.approx(whole[0])
    assert down == pytest.approx(math.hypot(whole[1], whole[4]))
    assert up == pytest.approx(math.hypot(whole[2], whole[3]))
    # it is the smaller side that counts
    uneven = effect_arms(*(np.array([value]) for value in (20.0, 24.0, 100.0, 200.0)), 0.95)
    alone = mover((20, 24), (100, 200))
    assert uneven[1] == pytest.approx(math.hypot(alone[1], alone[4]))


def test_an_effect_stays_within_one():
    found = stratified_effect([Contrast("s", a, 3, 3, 0, 3) for a in (1, 0)])
    assert found.effect == 1.0
    assert found.interval[1] == 1.0
    other = stratified_effect([Contrast("s", a, 0, 3, 3, 3) for a in (1, 0)])
    assert other.interval[0] == -1.0
    assert math.isnan(stratified_effect([Contrast("s", 1, 3, 3, 0, 3)], exact=False).p_value)


def test_terms_that_are_subtracted_use_their_other_side():
    low, high = combined_interval([1.0, -0.5], [0.6, 0.4], [(0.5, 0.8), (0.3, 0.7)])
    assert low == pytest.approx(0.4 - math.hypot(0.1, 0.15))
    assert high == pytest.approx(0.4 + math.hypot(0.2, 0.05))
    assert all(math.isnan(end) for end in combined_interval([], [], []))
    assert all(math.isnan(e) for e in combined_interval([1.0], [0.5], [(math.nan, 0.7)]))
    assert all(math.isnan(e) for e in combined_interval([1.0], [math.nan], [(0.1, 0.7)]))
    for sides in (([], [(1, 2)]), ([(1, 2)], [])):
        assert all(math.isnan(end) for end in gap_interval(*sides))


def test_a_percentile_interval_and_its_p_value_by_hand():
    draws = np.arange(-9.0, 91.0)  # 100 of them, ten of at most nought
    found = _resampled(40.0, draws, 0.9)
    assert found.estimate == 40.0
    assert found.interval == pytest.approx(tuple(np.quantile(draws, [0.05, 0.95])))
    assert found.p_value == pytest.approx(2 * (10 + 1) / 101)
    # turned round, the other side counts; nought itself counts to both
    assert _resampled(-40.0, -draws, 0.9).p_value == pytest.approx(found.p_value)
    assert _resampled(0.0, np.arange(-50.0, 50.0), 0.9).p_value == 1.0
    assert _resampled(5.0, draws + 20, 0.9).p_value == pytest.approx(2 / 101)


@pytest.mark.parametrize(("missing", "there"), [(10, True), (11, False)])
def test_nine_in_ten_resamples_must_have_the_figure(missing, there):
    draws = np.linspace(0.1, 1.0, 100)
    draws[:missing] = np.nan
    found = _resampled(0.5, draws, 0.95)
    assert math.isnan(found.p_value) is not there
    assert math.isnan(found.interval[0]) is not there
    assert math.isnan(_resampled(math.nan, np.linspace(0, 1, 9), 0.95).interval[0])


def test_units_and_strata_of_clusters():
    units, groups = units_of(["a", "b", "a", "b", "a"], ["x", "x", "y", "z", "w"])
    assert units.tolist() == [1, 1, 2, 3, 0]
    # x lies in both strata; y and w in the first alone, z in the second
    assert [group.tolist() for group in groups] == [[0, 2], [1], [3]]
    plain, strata = units_of(["b", "a", "b"], None)
    assert plain.tolist() == [0, 1, 2]
    assert [group.tolist() for group in strata] == [[1], [0, 2]]


def test_resamples_come_in_parts_and_keep_the_sizes(monkeypatch):
    from biasaudit.statistics import resampling

    units, groups = units_of(["a"] * 4 + ["b"] * 3, None)
    whole = list(weights_of(units, groups, 10, 3))
    assert len(whole) == 1
    assert (whole[0][:, :4].sum(axis=1) == 3).all()
    assert (whole[0][:, 4:].sum(axis=1) == 2).all()
    monkeypatch.setattr(resampling, "_WEIGHTS_AT_ONCE", 7 * 4)
    parts = list(weights_of(units, groups, 10, 3))
    assert [len(part) for part in parts] == [4, 4, 2]
    # versions of one image have one multiplicity
    pairs, strata = units_of(["a"] * 6, [0, 0, 1, 1, 2, 2])
    drawn = np.concatenate(list(weights_of(pairs, strata, 5, 0)))
    assert (drawn[:, ::2] == drawn[:, 1::2]).all()


def test_a_mean_of_nought_over_seeds_has_a_p_value_of_one():
    even = mean_of([1.0, -1.0] * 20)
    found = mean_over_seeds([even, even], np.zeros(40))
    assert (found.mean, found.p_value) == (0.0, 1.0)
    sure = mean_over_seeds([mean_of(np.linspace(9.9, 10.1, 40))] * 2, np.zeros(40))
    assert sure.p_value == 1e-6


def test_seeds_without_any_spread_have_no_interval():
    found = mean_over_seeds([mean_of([0.5] * 9)] * 2, np.zeros(9))
    assert (found.mean, found.se_images, found.sd_seeds) == (0.5, 0.0, 0.0)
    assert math.isnan(found.interval[0])
    assert math.isnan(found.p_value)


def test_the_quantile_between_normal_and_student_by_its_formula():
    z, t = stats.norm.ppf(0.975), stats.t.ppf(0.975, 2)
    k = 1.23 - 1.02 * (z - 1.25) / 2
    expected = math.sqrt(z**2 + (t**2 - z**2) * math.exp(-k / 0.7))
    assert two_part_quantile(0.7, 2) == pytest.approx(expected)
    # the bend is never below .1
    z, t = stats.norm.ppf(0.9995), stats.t.ppf(0.9995, 1)
    expected = math.sqrt(z**2 + (t**2 - z**2) * math.exp(-0.1 / 2))
    assert two_part_quantile(2.0, 1, 0.999) == pytest.approx(expected)
    known = stats.t.ppf(0.975, 3)
    assert two_part_quantile(-1.0, 5, free_known=3) == pytest.approx(known)
    assert two_part_quantile(9.0, 50, free_known=3) == pytest.approx(known)


def test_harm_of_answers_that_stay():
    found = harm([1, 0, 1, 0], [1, 0, 1, 0])
    assert (found.n, found.worse, found.better, found.difference) == (4, 0, 0, 0.0)
    assert (found.right_before, found.right_after) == (0.5, 0.5)
    none = harm([], [])
    assert (none.n, none.worse, none.better) == (0, 0, 0)
    assert all(math.isnan(value) for value in (none.right_before, none.least, none.likely))
    with pytest.raises(ValueError, match="3 images"):
        harm([1, 0], [1, 0], [1, 2, 3])


def test_a_point_without_a_fit_decides_nothing():
    for point in (OperatingPoint(4, 2, 1.5), OperatingPoint(4, 2, None, 0.5)):
        assert np.isnan(point.probability([0.1, 0.9])).all()
    half = OperatingPoint(4, 2, 2.0, 0.5)
    assert half.probability([0.5, 2.5]) == pytest.approx([0.5, 1 / (1 + math.exp(-1))])
    assert half.decision([0.5, 0.5 + 1e-9, 0.4]).tolist() == [0.0, 1.0, 0.0]
