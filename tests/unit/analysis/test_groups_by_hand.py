"""Figures of groups, classes and pairs on tables so small that each can be counted."""

import math

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.classes import class_answers
from biasaudit.analysis.conclude import agreement
from biasaudit.analysis.effect import measure_effect, planned_of
from biasaudit.analysis.faithfulness import faithfulness_of
from biasaudit.analysis.groups import summarise, weighted_accuracy, worst_group_accuracy
from biasaudit.analysis.pairs import by_pair
from biasaudit.analysis.versus import worse_pairs
from biasaudit.results import Audit, Group, Overall, Run, Split, class_rows
from biasaudit.statistics.permutation import clustered_p_value, exact_p_value

NAN = float("nan")


def groups(**accuracies):
    return {
        name: Group(n=10, accuracy=accuracy, n_training=count, alignment=alignment)
        for name, (accuracy, count, alignment) in accuracies.items()
    }


def test_the_weighted_accuracy_is_weighed_by_training_images():
    found = groups(a=(0.5, 30, "aligned"), b=(1.0, 10, "conflicting"))
    assert weighted_accuracy(found) == pytest.approx((30 * 0.5 + 10 * 1.0) / 40)
    for lacking in ((None, 10, "aligned"), (0.5, None, "aligned")):
        assert weighted_accuracy(found | groups(c=lacking)) is None
    assert weighted_accuracy(groups(a=(0.5, 0, "aligned"))) is None
    assert weighted_accuracy({}) is None


def test_the_worst_group_is_known_where_all_are():
    found = groups(a=(0.5, 3, "aligned"), b=(0.25, 1, "conflicting"))
    assert worst_group_accuracy(found) == 0.25
    assert worst_group_accuracy(found | groups(c=(None, 1, None))) is None
    assert worst_group_accuracy({}) is None


def rows(group, alignment, right, n, label=1):
    said = [label if i < right else 1 - label for i in range(n)]
    measured = ["energy_pointing_game", "iou", "area_fraction", "context_energy"]
    return pd.DataFrame(
        {
            "group": group,
            "alignment": alignment,
            "label": label,
            "decision": said,
            "decision_at_operating_point": NAN,
            "correct": [int(one == label) for one in said],
            "score": [float(2 * one - 1) for one in said],
            "pair": "",
            **dict.fromkeys(measured, NAN),
        }
    )


def test_groups_stand_as_in_the_table_with_the_answer_that_is_right():
    table = [rows("wet", "aligned", 2, 4, label=0), rows("boat", "conflicting", 3, 4)]
    found = summarise(pd.concat(table, ignore_index=True)).groups
    assert list(found) == ["wet", "boat"]
    assert [group.answer for group in found.values()] == [False, True]
    assert [group.accuracy for group in found.values()] == [0.5, 0.75]


def test_worst_and_weighted_rest_on_natural_groups_where_there_are_any():
    natural = [rows("boat", "conflicting", 6, 10), rows("wet boat", "aligned", 9, 10)]
    edited = rows("boat-removed", "", 1, 10, label=0)
    training = {"boat": 10, "wet boat": 90, "boat-removed": 100}
    found = summarise(pd.concat([*natural, edited], ignore_index=True), training).overall
    assert found.worst_group_accuracy == pytest.approx(0.6)
    assert found.weighted_accuracy == pytest.approx(0.1 * 0.6 + 0.9 * 0.9)
    assert (found.n, found.accuracy) == (10, 0.6)  # of the conflicting group alone
    alone = summarise(edited, training).overall
    assert (alone.worst_group_accuracy, alone.weighted_accuracy) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize(
    ("on_object", "on_context", "told"),
    [
        ((0.1, 0.3), (0.01, 0.2), "agrees"),
        ((0.1, 0.3), (-0.1, 0.2), "disagrees"),
        ((0.01, 0.02), (0.0, 0.2), "disagrees"),
        ((0.1, 0.3), None, "disagrees"),
        ((-0.1, 0.3), None, "unknown"),
        ((0.0, 0.3), None, "unknown"),
        ((-0.3, 0.0), None, "agrees"),
        (None, (0.1, 0.2), "agrees"),
        (None, (-0.1, 0.2), "unknown"),
        (None, None, "unknown"),
    ],
)
def test_what_the_attention_speaks_for(on_object, on_context, told):
    assert agreement(on_object, on_context) == told


def test_classes_stand_in_the_order_of_the_table():
    names = ("car", "boat", "tree")
    labels = np.eye(3, dtype=int)
    table = class_rows(
        "val", ["a", "b", "c"], names, labels=labels, scores=labels, decisions=labels, top=labels
    )
    assert list(class_answers(table)["val"].classes) == list(names)
    assert class_answers(table)["val"].confusion.classes == list(names)
    # of one class alone there is nothing to confuse
    one = class_answers(table[(table["class"] == "car") & (table["id"] == "a")])["val"]
    assert (one.confusion, one.top_1, one.top_1_ci) == (None, None, None)
    assert one.classes["car"].recall == 1.0


def stratum(said, context, label, cluster=None):
    table = pd.DataFrame({"decision": said, "context": context, "label": label, "subset": "test"})
    return table if cluster is None else table.assign(cluster=cluster)


def test_images_that_come_twice_count_once():
    """Two copies of every image, as clusters: the p-value is that of the images taken once."""
    said = [1] * 9 + [0] * 3 + [1] * 5 + [0] * 7 + [1] * 6 + [0] * 6 + [1] * 2 + [0] * 10
    context = ([1.0] * 12 + [0.0] * 12) * 2
    label = [1] * 24 + [0] * 24
    single = stratum(said, context, label)
    tables = [[(9, 12, 5, 12)], [(6, 12, 2, 12)]]
    exact = exact_p_value(tables)
    assert measure_effect(single).found.p_value == pytest.approx(exact)
    twice = pd.concat([single, single], ignore_index=True).assign(cluster=[*range(48)] * 2)
    found = measure_effect(twice).found
    assert found.effect == pytest.approx((4 / 12 + 4 / 12) / 2)
    assert found.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact / 9999))


def test_images_of_a_cluster_that_differ_are_permuted_together():
    """Where the copies' answers differ no count is whole, and clusters are permuted."""
    said = [1] * 9 + [0] * 3 + [1] * 5 + [0] * 7 + [1] * 6 + [0] * 6 + [1] * 2 + [0] * 10
    single = stratum(said, ([1.0] * 12 + [0.0] * 12) * 2, [1] * 24 + [0] * 24)
    copies = single.assign(decision=[1 - said[0], *said[1:]])
    twice = pd.concat([single, copies], ignore_index=True).assign(cluster=[*range(48)] * 2)
    found = measure_effect(twice).found
    columns = (twice["decision"], twice["context"], twice["label"], ["test"] * 96, twice["cluster"])
    assert 0 < found.p_value < 0.2
    assert found.p_value == pytest.approx(clustered_p_value(*columns), abs=0.02)


def test_sizes_for_the_power_are_counted_by_stratum_and_answer():
    table = stratum([1] * 10, [1.0] * 3 + [0.0] * 4 + [1.0, 0.0, 0.0], [1] * 7 + [0] * 3)
    found = planned_of(table.assign(decision=0))
    assert [(one.n_with, one.n_without, one.answer) for one in found] == [(1, 2, 0), (3, 4, 1)]


def test_the_interval_of_faithfulness_is_drawn_by_seed_nought():
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "probability": 0.9,
            "without_attention": generator.random(40),
            "without_random": generator.random(40),
            "without_region": NAN,
            "without_context": NAN,
        }
    )
    plain, same, other = (faithfulness_of(table, **seed) for seed in ({}, {"seed": 0}, {"seed": 1}))
    assert plain.excess_ci == same.excess_ci != other.excess_ci


def split(object, context, names):
    return Split(
        object=object,
        context=context,
        overall=Overall(n=2),
        groups={name: Group(n=1) for name in names},
    )


def run_of(splits, **fields):
    known = {"name": "r", "mode": "m", "backbone": "b", "dataset": "d"}
    return Run(**known, splits=splits, **fields)


def test_a_run_of_several_pairs_is_taken_apart():
    point = {
        "temperature": 1.0,
        "threshold": 0.0,
        "n": 4,
        "positives": 2,
        "subset": "val",
        "fitted_in": "training",
    }
    splits = {
        "val": split(None, None, []),
        "whole": split(None, None, []),
        "cow": split("cow", "grass", ["cow-without-grass"]),
        "boat@sand": split("boat", "sand", ["boat-without-sand"]),
        "boat@water": split("boat", "water", ["boat-without-water"]),
    }
    run = run_of(splits, object="boat", context="water", operating_point=point)
    water, cow, sand = by_pair(run)
    assert [(one.object, one.context) for one in (water, cow, sand)] == [
        ("boat", "water"),
        ("cow", "grass"),
        ("boat", "sand"),
    ]
    assert list(water.splits) == ["val", "whole", "boat@water"]
    assert list(cow.splits) == ["cow"]
    assert list(sand.splits) == ["val", "boat@sand"]
    # the operating point is that of the run's own object
    assert water.operating_point == sand.operating_point == run.operating_point
    assert run.operating_point is not None
    assert cow.operating_point is None
    alone = run_of({"boat@water": splits["boat@water"]}, object="boat", context="water")
    assert by_pair(alone) == [alone]


def test_pairs_are_compared_where_both_runs_have_them():
    run = run_of({}, object="boat", context="water")
    good = pd.concat(
        [rows(name, "conflicting", 30, 30, label) for name, label in (("a", 1), ("b", 0))],
        ignore_index=True,
    )
    good = good.assign(split="boat/water", id=[str(i) for i in range(60)])
    poor = good.assign(correct=0, decision=1 - good["label"])
    only = good.assign(split="boat/sand")
    both = Audit(run, pairs=pd.concat([good, only])), Audit(run, pairs=poor)
    assert worse_pairs(*both) == {"boat/water": -1.0}
    assert worse_pairs(*both[::-1]) == {}
    for one, other in ((Audit(run), both[1]), (both[0], Audit(run)), (Audit(run), Audit(run))):
        assert worse_pairs(one, other) is None
