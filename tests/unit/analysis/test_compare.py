"""Two runs held against each other, on tables whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis import compare, compare_seeds, figures_of, worsened
from biasaudit.errors import RunError
from biasaudit.statistics import (
    Paired,
    auroc,
    bootstrap,
    mcnemar,
    mean_of,
    paired_interval,
    value_of,
)

BOATS, WATER = "boat-without-water", "water-without-boat"


def table(right, seed=0, shift=0.0):
    """A run with so many right answers a group, on 20 boats and 30 waters."""
    rng = np.random.default_rng(seed)
    rows = []
    for group, n, label in ((BOATS, 20, 1), (WATER, 30, 0)):
        correct = np.arange(n) < right[group]
        says_yes = correct == (label == 1)
        rows.append(
            pd.DataFrame(
                {
                    "split": "biased-boat",
                    "group": group,
                    "id": [f"{group}/{i:02}" for i in range(n)],
                    "label": label,
                    "score": np.where(says_yes, 1.0, -1.0) + rng.normal(0, 0.3, n),
                    "decision": says_yes.astype(int),
                    "correct": correct.astype(int),
                    "energy_pointing_game": rng.random(n) / 2 + shift if label else np.nan,
                    "area_fraction": 0.1 if label else np.nan,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


POOR, GOOD = table({BOATS: 6, WATER: 15}), table({BOATS: 17, WATER: 28}, seed=1, shift=0.3)
CHANGES = {change.figure: change for change in compare(POOR, GOOD).changes}


def test_a_clear_gain_is_better_and_the_reverse_is_worse():
    assert compare(POOR, GOOD).outcome == "better"
    assert compare(GOOD, POOR).outcome == "worse"
    assert CHANGES["overall.accuracy"].first == pytest.approx((6 / 20 + 15 / 30) / 2)
    assert CHANGES["overall.accuracy"].second == pytest.approx((17 / 20 + 28 / 30) / 2)


def test_a_group_is_compared_by_mcnemar():
    boats = CHANGES[f"{BOATS}.accuracy"]
    # 11 images that the second alone gets right, none that the first alone does.
    assert boats.p_value == mcnemar(Paired(6, 11, 0, 3))
    assert boats.difference == pytest.approx(11 / 20)
    assert boats.interval == paired_interval(Paired(6, 11, 0, 3))


def test_areas_and_attention_are_compared():
    areas = CHANGES["overall.auroc"]
    for run, value in ((POOR, areas.first), (GOOD, areas.second)):
        there = run["label"] == 1
        assert value == pytest.approx(auroc(run["score"][there], run["score"][~there]))
    energy = CHANGES["overall.energy_pointing_game"]
    assert energy.second == pytest.approx(GOOD["energy_pointing_game"].mean())
    assert energy.outcome == "better"
    worst = CHANGES["worst.accuracy"]
    assert (worst.first, worst.second) == (0.3, 0.85)


def test_all_figures_are_adjusted_together():
    assert set(CHANGES) == {
        "overall.accuracy",
        f"{BOATS}.accuracy",
        f"{WATER}.accuracy",
        "worst.accuracy",
        "overall.auroc",
        "overall.energy_pointing_game",
    }
    assert all(c.p_adjusted >= c.p_value for c in CHANGES.values())
    smallest = min(CHANGES.values(), key=lambda c: c.p_value)
    assert smallest.p_adjusted == pytest.approx(6 * smallest.p_value)


def test_the_same_run_twice_shows_no_difference():
    comparison = compare(GOOD, GOOD)
    assert {c.outcome for c in comparison.changes} == {"no difference shown"}
    assert all(c.difference == 0 for c in comparison.changes)
    assert comparison.mended[BOATS] == comparison.broken[BOATS] == ()


def test_a_small_gain_is_not_shown():
    slightly = table({BOATS: 8, WATER: 16})
    comparison = compare(POOR, slightly)
    assert comparison.outcome == "no difference shown"
    low, high = comparison.changes[0].interval
    assert low < 0 < high


def test_the_images_that_changed_are_named():
    comparison = compare(POOR, GOOD)
    assert comparison.mended[BOATS] == tuple(f"{BOATS}/{i:02}" for i in range(6, 17))
    assert comparison.broken[BOATS] == ()
    assert compare(GOOD, POOR).broken == comparison.mended
    assert comparison.n == 50
    # Six answers that turn, none back: 2 * 0.5^6 = .03, and five give .06.
    assert comparison.least == {BOATS: 6 / 20, WATER: 6 / 30}


def test_the_order_of_rows_changes_nothing():
    assert compare(POOR.sample(frac=1, random_state=0), GOOD) == compare(POOR, GOOD)


def test_the_overall_p_value_is_where_the_interval_reaches_zero():
    change = compare(POOR, table({BOATS: 9, WATER: 19})).changes[0]
    assert 0 < change.p_value < 0.05
    assert change.interval[0] > 0


def test_a_split_without_groups_has_no_worst_group():
    first, second = (run.assign(group="") for run in (POOR, GOOD))
    changes = {c.figure: c for c in compare(first, second).changes}
    assert "worst.accuracy" not in changes
    assert changes["overall.accuracy"].p_value == mcnemar(Paired(21, 24, 0, 5))


def test_attention_is_compared_on_the_images_that_both_have_a_map_of():
    energy = "energy_pointing_game"
    first = POOR.assign(energy_pointing_game=POOR[energy].where(POOR.index != 3))
    second = GOOD.assign(energy_pointing_game=GOOD[energy].where(GOOD.index != 5))
    change = {c.figure: c for c in compare(first, second).changes}[f"overall.{energy}"]
    kept = [i for i in range(20) if i not in (3, 5)]
    assert change.first == pytest.approx(POOR[energy].iloc[kept].mean())
    assert change.second == pytest.approx(GOOD[energy].iloc[kept].mean())


def test_a_figure_that_does_not_exist_is_left_out():
    without = [run.assign(energy_pointing_game=np.nan) for run in (POOR, GOOD)]
    assert "overall.energy_pointing_game" not in {c.figure for c in compare(*without).changes}


def test_the_versions_of_one_edited_image_are_drawn_together():
    """Each image has a version in either group, and both turn: half as many units."""
    first, second = table({BOATS: 10, WATER: 10}), table({BOATS: 16, WATER: 16}, seed=1)
    rows = pd.concat([first.iloc[:20], first.iloc[20:40]]).index
    first, second = (
        run.loc[rows].assign(pair=[f"original-{i:02}" for i in [*range(20)] * 2])
        for run in (first, second)
    )
    apart, together = (
        {c.figure: c for c in compare(one, two).changes}["overall.accuracy"]
        for one, two in ((first.assign(pair=""), second.assign(pair="")), (first, second))
    )
    assert together.difference == apart.difference == pytest.approx(0.3)
    # Both groups turn on the same 6 of 20 images: the mean of the groups varies like one of them.
    alone = bootstrap(mean_of(np.arange(20) < 6), np.zeros(20)).interval
    assert together.interval == pytest.approx(alone, abs=0.051)
    assert together.interval[1] - together.interval[0] > 1.2 * (
        apart.interval[1] - apart.interval[0]
    )


def test_runs_on_other_images_are_refused():
    with pytest.raises(RunError, match=f"'{BOATS}/00' is in one alone"):
        compare(POOR.iloc[1:], GOOD)
    with pytest.raises(RunError, match="not audited on the same images"):
        compare(POOR.assign(group="c"), GOOD)
    with pytest.raises(RunError, match="another label"):
        compare(POOR.assign(label=1 - POOR["label"]), GOOD)
    with pytest.raises(RunError, match="no images"):
        compare(POOR.iloc[:0], GOOD.iloc[:0])


def test_several_seeds_have_a_mean_and_a_spread():
    firsts = [table({BOATS: 6 + s, WATER: 15}, seed=s) for s in range(3)]
    seconds = [table({BOATS: 16 + 2 * s, WATER: 27}, seed=9 + s) for s in range(3)]
    levels = compare_seeds(firsts, seconds, f"{BOATS}.accuracy")
    assert levels.mean == pytest.approx((10 + 11 + 12) / 3 / 20)
    assert levels.n_seeds == 3
    assert 0 < levels.interval[0] < levels.mean < levels.interval[1]


def test_seeds_of_an_unknown_figure_or_of_none_are_refused():
    with pytest.raises(RunError, match=r"overall\.f1.*known: overall\.accuracy"):
        compare_seeds([POOR], [GOOD], "overall.f1")
    with pytest.raises(ValueError, match="no seed"):
        compare_seeds([], [], "overall.auroc")


def test_a_pair_that_got_worse_is_named_and_the_others_are_not():
    pairs = {
        "boat/water": (POOR, GOOD),
        "car/road": (GOOD, POOR),
        "tree/grass": (GOOD, GOOD),
        "house/sand": (table({BOATS: 9, WATER: 16}), table({BOATS: 8, WATER: 15})),
    }
    worse = worsened(pairs)
    assert list(worse) == ["car/road"]
    assert worse["car/road"] == pytest.approx(0.4 - (17 / 20 + 28 / 30) / 2)


def test_figures_are_those_of_the_table():
    figures = figures_of(POOR)
    assert value_of(figures["overall.accuracy"], 50) == pytest.approx(0.4)
    assert value_of(figures[f"{WATER}.accuracy"], 50) == 0.5
    assert not math.isnan(value_of(figures["overall.auroc"], 50))


def test_groups_as_categories_are_compared_as_texts_are():
    kinds = [pd.CategoricalDtype([BOATS, WATER]), pd.CategoricalDtype([WATER, BOATS])]
    sides = [one.astype({"group": kind}) for one, kind in zip((POOR, GOOD), kinds, strict=True)]
    assert compare(*sides) == compare(POOR, GOOD)
    assert compare(POOR, GOOD.astype({"id": object})) == compare(POOR, GOOD)
