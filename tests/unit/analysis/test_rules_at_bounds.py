"""The small rules between rows and words, each at its bounds."""

import math

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.classes import class_answers
from biasaudit.analysis.compare import ALPHA, _p_of_interval, accuracy_p, outcome_of
from biasaudit.analysis.conclude import agreement
from biasaudit.analysis.decision_text import (
    FAILING,
    _joined,
    advice,
    badge_of,
    effect_explained,
    headline,
    lacking,
    phrase,
)
from biasaudit.analysis.edited_pairs import _correlation, measure_pairs, swap_p_value
from biasaudit.analysis.effect import measure_effect, measure_shift, planned_of, strata_of
from biasaudit.analysis.faithfulness import _area, faithfulness_of
from biasaudit.analysis.figures import Question, _same_object, _same_question, questions_of
from biasaudit.analysis.gates import Gate, parse_gate, parse_max_gap
from biasaudit.analysis.groups import (
    conflicting_rows,
    localization_of,
    weighted_accuracy,
    worst_group_accuracy,
)
from biasaudit.analysis.harm import ClassHarm, class_harm, count_of, harm_sentence, p_words
from biasaudit.analysis.operating_point import decisions_at, operating_point_of
from biasaudit.analysis.paired_tables import align, clusters_of, figures_of, measured_in_both
from biasaudit.analysis.pairs import audits_by_pair, by_pair, pair_of
from biasaudit.analysis.rule import (
    Estimate,
    decide,
    excludes_zero,
    opposite,
    size_of,
    size_of_opposite,
)
from biasaudit.analysis.verdict_text import beside, follow_verdict, points
from biasaudit.analysis.versus import rows_of, shared_splits, table_of, worse_pairs
from biasaudit.errors import ConfigError, RunError
from biasaudit.results import (
    METRIC_PREFIX,
    Answered,
    AnswerEffect,
    Audit,
    Group,
    OperatingPointRecord,
    Overall,
    PairEvidence,
    Run,
    Shift,
    Split,
    Verdict,
)
from biasaudit.statistics import OperatingPoint, Paired, mean_paired_interval, value_of
from biasaudit.statistics.harm import harm

NAN = float("nan")


def test_a_share_of_images_is_rounded_up_but_not_by_rounding_errors():
    assert count_of(0.1, 30) == 3
    assert count_of(6 / 81, 81) == 6
    assert count_of(0.101, 30) == 4
    assert count_of(0.0, 30) == 0


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0, "< .001"), (0.00099, "< .001"), (0.001, ".001"), (0.0126, ".013"), (0.5, ".500"),
     (0.9994, ".999"), (0.99951, "1"), (1.0, "1")],
)  # fmt: skip
def test_p_values_in_words(p, words):
    assert p_words(p) == words


def harmed(before, after, **classes):
    by_class = {name: harm(*answers) for name, answers in classes.items()}
    adjusted = {name: min(1.0, one.p_value * len(by_class)) for name, one in by_class.items()}
    return ClassHarm("boat", harm(before, after), by_class, adjusted)


def test_harm_in_words():
    lost = harmed([1] * 20, [0] * 9 + [1] * 11, car=([1] * 12, [0] * 9 + [1] * 3), cow=([1], [1]))
    assert lost.shown
    assert lost.classes_shown == ["car"]
    assert harm_sentence(lost) == (
        "20 images of other objects: 9 more wrong (9 turned wrong, 0 right), p = .004. "
        "By class (Holm): car 9 of 12."
    )
    gained = harmed([0] * 20, [1] * 9 + [0] * 11, car=([0] * 9, [1] * 9))
    assert not gained.shown
    assert gained.classes_shown == []
    assert harm_sentence(gained) == (
        "20 images of other objects: 9 fewer wrong (0 turned wrong, 9 right), p = .004."
    )
    few = harmed([1], [1])
    assert harm_sentence(few) == (
        "1 image of other objects: as many wrong (0 turned wrong, 0 right), p = 1; so few can "
        "show no harm at all."
    )
    six = harmed([1] * 6, [1] * 6)
    assert harm_sentence(six) == (
        "6 images of other objects: no harm shown: as many wrong (0 turned wrong, 0 right), "
        "p = 1; a loss of 6 or more would have been in four cases of five, fewer than 6 could not "
        "be shown at all."
    )


def classes(answers, labels=None):
    rows = [
        ("val", f"i{n}", name, 1, right)
        for name, given in answers.items()
        for n, right in enumerate(given)
    ]
    table = pd.DataFrame(rows, columns=["subset", "id", "class", "label", "correct"])
    return table if labels is None else table.assign(label=labels)


def audit(table=None, classes=None, pairs=None, name="r", **fields):
    given = {"name": name, "mode": "m", "object": "boat", "context": "water", "backbone": "n"}
    return Audit(Run(dataset="d", **{**given, **fields}), table, classes=classes, pairs=pairs)


def test_harm_counts_the_classes_that_an_image_has_but_for_the_audited_one():
    before = classes({"boat": [1, 1], "car": [1, 1, 1], "cow": [0, 1]})
    after = classes({"boat": [0, 0], "car": [0, 1, 1], "cow": [1, 0]})
    found = class_harm(audit(classes=before), audit(classes=after))
    assert list(found.by_class) == ["car", "cow"]
    # i0 loses its car and gains its cow, i1 loses its cow
    assert (found.pooled.n, found.pooled.worse, found.pooled.better) == (3, 1, 0)
    assert (found.by_class["cow"].worse, found.by_class["cow"].better) == (1, 1)
    assert class_harm(audit(), audit(classes=after)) is None
    assert class_harm(audit(classes=before), audit()) is None
    boats = classes({"boat": [1, 1]})
    assert class_harm(audit(classes=boats), audit(classes=boats)) is None
    absent = before.assign(label=0)
    assert class_harm(audit(classes=absent), audit(classes=absent)) is None
    with pytest.raises(RunError, match="'i0' has the class 'boat' in one of them alone"):
        class_harm(audit(classes=before), audit(classes=absent))


@pytest.mark.parametrize(
    ("p", "difference", "said"),
    [(0.05, 0.1, "better"), (0.05, -0.1, "worse"), (0.0501, 0.1, "no difference shown"),
     (NAN, 0.1, "no difference shown"), (0.0, 1e-9, "better")],
)  # fmt: skip
def test_what_a_p_value_shows(p, difference, said):
    assert ALPHA == 0.05
    assert outcome_of(difference, p) == said


def test_a_p_value_is_where_the_interval_reaches_zero():
    # half the width grows from nothing to one: it reaches .3 at a level of .3
    assert _p_of_interval(lambda level: (0.3 - level, 0.3 + level)) == pytest.approx(0.7)
    assert _p_of_interval(lambda level: (-0.3 - level, -0.3 + level)) == pytest.approx(0.7)
    assert _p_of_interval(lambda level: (0.0 - level, 0.0 + level)) == 1.0
    assert _p_of_interval(lambda level: (2 - level, 2 + level)) == 1e-9
    counts = [Paired(5, 9, 1, 5), Paired(4, 8, 2, 6)]
    low, _ = mean_paired_interval(counts, 1 - accuracy_p(counts))
    assert low == pytest.approx(0.0, abs=1e-9)
    assert accuracy_p([Paired(5, 6, 0, 5)]) == pytest.approx(2 / 2**6)


@pytest.mark.parametrize(
    ("on_object", "on_context", "said"),
    [
        (None, None, "unknown"), (None, (0.01, 0.2), "agrees"), ((0.1, 0.2), (0.01, 0.2), "agrees"),
        ((0.1, 0.2), (0.0, 0.2), "disagrees"), ((0.1, 0.2), None, "disagrees"),
        ((-0.1, 0.0), None, "agrees"), ((-0.1, 0.1), None, "unknown"),
        ((0.0, 0.1), None, "unknown"), (None, (0.0, 0.1), "unknown"),
    ],
)  # fmt: skip
def test_what_attention_says_of_a_bias(on_object, on_context, said):
    assert agreement(on_object, on_context) == said


def test_sizes_of_the_tests():
    assert (size_of(0.95), size_of(0.9)) == (0.025, 0.05)
    assert (size_of_opposite(0.95), size_of_opposite(0.9)) == (0.01, 0.02)
    assert size_of(1 - 0.05 / 3) == pytest.approx(0.05 / 6)
    assert excludes_zero((0.1, 0.2))
    assert excludes_zero((-0.2, -0.1))
    assert not excludes_zero((0.0, 0.2))
    assert not excludes_zero((-0.2, 0.0))
    assert not excludes_zero((NAN, NAN))


def answer(effect, half, p):
    interval = (effect - half, effect + half)
    return AnswerEffect(effect=effect, effect_ci=interval, p_value=p, n_with=9, n_without=9)


def estimate(effect, interval, p, there, absent, knows=(0.61, 0.9)):
    return Estimate(effect, interval, p, {"yes": there, "no": absent}, knows)


def test_the_rule_at_its_bounds():
    near = answer(0.0, 0.04, 1.0)
    at = answer(0.0, 0.05, 1.0)
    free = (0.0, (-0.02, 0.02), 1.0)
    assert decide(estimate(*free, near, near), 0.05, 0.95) == "no_bias_shown"
    assert decide(estimate(*free, near, at), 0.05, 0.95) == "cannot_tell"
    # accuracy must lie above .5 by more than twice the margin
    known = (0.6, 0.9)
    assert decide(estimate(*free, near, near, known), 0.05, 0.95) == "cannot_tell"
    wide = answer(0.2, 0.3, 0.2)
    for interval, p, kind in (
        ((1e-9, 0.4), 0.025, "biased"), ((1e-9, 0.4), 0.0251, "cannot_tell"),
        ((0.0, 0.4), 0.001, "cannot_tell"), ((-0.4, -0.05), 0.025, "biased"),
        ((-0.4, -0.0499), 0.001, "cannot_tell"),
    ):  # fmt: skip
        assert decide(estimate(0.2, interval, p, wide, wide), 0.05, 0.95) == kind


def test_opposite_effects_at_their_bounds():
    there = answer(0.2, 0.1, 0.01)
    for other, said in (
        (answer(-0.2, 0.1, 0.01), True), (answer(-0.2, 0.1, 0.0101), False),
        (answer(-0.2, 0.2, 0.001), False), (answer(0.2, 0.1, 0.001), False),
        (answer(0.0, 0.1, 0.001), False),
    ):  # fmt: skip
        assert opposite(estimate(0.0, (-0.1, 0.1), 1.0, there, other), 0.95) is said
    alone = Estimate(0.2, (0.1, 0.3), 0.01, {"yes": there}, (0.7, 0.9))
    assert not opposite(alone, 0.95)


def test_points_are_signed():
    assert points((-0.0213, 0.07)) == "-2.1 to +7.0"


def pairs(**fields):
    return PairEvidence(**{"follow_context": 30, "follow_object": 8, "follow_p": 0.0004, **fields})


def test_versions_that_follow_the_context_in_words():
    kind, head, reason = follow_verdict(pairs(), "boat", "water", 0.95)
    assert (kind, head) == ("biased", "biased by water")
    assert reason == (
        "Of edited images, 30 say boat where it is taken out of water and not where it stands "
        "without water; 8 answer both rightly (p = 0.0004)."
    )
    for changes in (
        {"follow_p": 0.026}, {"follow_context": 8, "follow_object": 30},
        {"follow_context": 8}, {"follow_p": None},
    ):  # fmt: skip
        kind, head, reason = follow_verdict(pairs(**changes), "boat", "water", 0.95)
        assert kind == "cannot_tell"
        assert head == "cannot tell: the groups differ in more than the context"
        assert reason.endswith("and the groups differ in more than the context.")
    assert follow_verdict(pairs(follow_p=0.025), "boat", "water", 0.95)[0] == "biased"


NAMES = ("boat-with-water", "boat-without-water", "water-without-boat", "neither")


def verdict(kind="cannot_tell", sizes=(50, 50, 50, 50), **fields):
    groups = {name: Answered(right=n // 2, n=n) for name, n in zip(NAMES, sizes, strict=True)}
    given = {
        "headline": "", "reason": "", "evidence": "same-subset groups", "effect": 0.3,
        "effect_ci": (0.2, 0.4), "accuracy_ci": (0.7, 0.8), "margin": 0.05, "level": 0.95,
    }  # fmt: skip
    return Verdict(kind=kind, groups=groups, **{**given, **fields})


def test_what_stands_beside_a_reason():
    told = beside(
        verdict(
            strata=("test", "val / web"), left_out={"context unknown": 3, "source unknown": 1},
            pairs=PairEvidence(n=7, effect=0.1, effect_ci=(0.01, 0.19), p_value=0.031),
            shift=Shift(reference=0.951, audited=0.6, difference=-0.35, difference_ci=(-0.4, -0.3)),
            attention="agrees",
        )
    )  # fmt: skip
    assert told == [
        "It rests on images as they are, compared within test, val / web: boat-with-water 50, "
        "boat-without-water 50, water-without-boat 50, neither 50.",
        "Edited pairs of 7 images: +1.0 to +19.0 points (p = 0.031).",
        "Where the context points to the right answer, accuracy is 95% on val and 60% on test "
        "(-40.0 to -30.0 points): what differs there is the images.",
        "Images left out: 3 (context unknown), 1 (source unknown).",
        "The attention agrees with a bias; it decides nothing.",
    ]
    assert beside(verdict(evidence="edited pairs", attention="disagrees")) == [
        "It rests on edited versions of the same images.",
        "The attention disagrees with a bias; it decides nothing.",
    ]
    assert beside(verdict(evidence="none")) == []


def told(found, missed=0.5, called=0.5, costs=(), context="water", settings=None, **fields):
    groups = {
        NAMES[1]: Group(n=20, accuracy=1 - missed, answer=True, alignment="conflicting"),
        NAMES[2]: Group(n=20, accuracy=1 - called, answer=False, alignment="conflicting"),
    }
    split = Split(overall=Overall(n=40), groups=groups, verdict=found, context=context)
    given = {"name": "r", "mode": "m", "object": "boat", "context": "sea", "backbone": "n"}
    return advice(Run(dataset="d", settings=settings or {}, **given, **fields), split, costs)


def test_a_tenth_of_wrong_answers_is_a_place_of_failure():
    assert FAILING == 0.1
    free = verdict("no_bias_shown")
    names = "boat without water or water without boat"
    assert told(free, 0.1, 0.1).first == f"look at its errors on {names}"
    assert told(free, 0.1, 0.1).more == (
        "It misses the boat in 2 of 20 images of boat without water.",
        "It sees a boat in 2 of 20 images of water without boat.",
    )
    assert told(free, 0.05, 0.05).more == (
        "Nothing here speaks against it on images like these; only water was audited.",
    )
    dear = told(free, 0.2, 0.0, costs=["It is dear."])
    assert dear.first == "weigh what it costs before you deploy it"
    assert dear.more == (
        "It is dear.", "It misses the boat in 4 of 20 images of boat without water.",
    )  # fmt: skip


def test_no_verdict_no_advice_and_the_context_is_the_splits():
    assert told(None) is None
    assert "only sea was audited" in told(verdict("no_bias_shown"), 0, 0, context=None).more[0]
    biased = told(verdict("biased"), 0.5, 0.0)
    assert biased.more[-1] == "Then audit the repaired model on the same images."
    labels = told(verdict("biased"), pixel_labels=4, box_labels=5)
    assert labels.more[-1] == "Training with 9 labels did not suffice."
    against = told(verdict("biased", effect=-0.2, effect_ci=(-0.3, -0.1)))
    assert against.more[-1] == (
        "It answers against water. Then audit the repaired model on the same images."
    )
    touching = told(verdict("biased", effect_ci=(-0.3, 0.0)))
    assert "against" not in touching.more[-1]
    nowhere = told(verdict("biased"), 0.0, 0.0)
    assert nowhere.first == "do not deploy it where boat and water part; repair it"


def test_what_is_wanted_for_a_verdict():
    until = "Until then, do not rely on it where boat and water part."
    all_ = told(verdict(images_needed=60))
    assert all_.first == "annotate 10 more images of each of 4 groups"
    assert all_.more == (
        "60 images a group would decide at the rates seen: 10 more boat with water, 10 more boat "
        "without water, 10 more water without boat, 10 more neither boat nor water.",
        until,
    )
    two = told(verdict(images_needed=60, sizes=(60, 50, 51, 70)))
    assert two.first == "annotate 10 more boat without water and 9 more water without boat"
    assert two.more == ("60 images a group would decide at the rates seen.", until)
    assert lacking(verdict(images_needed=50)) == {}
    assert lacking(verdict(images_needed=51))[NAMES[0]] == 1
    assert lacking(verdict()) == {}
    margin = told(verdict(images_needed=50))
    assert margin.more == (
        "At the rates seen, more images would not decide: the effect lies at the margin.",
    )
    nothing = {"effect": None, "effect_ci": None, "evidence": "none"}
    empty = told(verdict(sizes=(0, 9, 9, 0), **nothing))
    assert empty.first == "collect images of boat with water and neither boat nor water"
    assert empty.more == (until,)
    edited = told(verdict(sizes=(0, 9, 9, 9), **nothing, pairs=PairEvidence(n=4)))
    assert edited.first == "collect comparable images, or audit edited pairs of boat"
    assert edited.more == (
        "Images with and without water must come from one source, for both answers.", until,
    )  # fmt: skip
    few = told(verdict(evidence="edited pairs", pairs=PairEvidence(n=4)))
    assert few.more == ("It rests on 4 images and their edits.", until)
    blind = told(verdict(accuracy_ci=(0.5, 0.6)))
    assert blind.more == ("It knows too little to be judged.",)


def test_words_of_names_and_lists():
    assert _joined([], "and") == ""
    assert _joined(["a"], "and") == "a"
    assert _joined(["a", "b"], "or") == "a or b"
    assert _joined(["a", "b", "c"], "and") == "a, b and c"
    assert [badge_of(kind, "sand") for kind in ("biased", "no_bias_shown", "cannot_tell")] == [
        "Biased by sand", "No bias shown", "Cannot tell",
    ]  # fmt: skip
    assert phrase("boat-removed", "boat", "water") == "boat removed"
    assert phrase("boat-without-water", "boat", "water") == "boat without water"
    assert phrase("other-group", "boat", "water") == "other-group"
    assert effect_explained("boat", "water") == (
        "Effect: how many points more often “boat” is answered with water than without."
    )
    assert headline([verdict("no_bias_shown")], "sand") == (
        "No bias by sand is shown in this model."
    )
    assert headline([None, verdict()], "sand") == (
        "This audit cannot tell whether sand biases the model."
    )
    assert headline([verdict(), verdict()], "sand") == "Cannot tell: 2 of 2 models"


def test_a_curve_of_one_point_has_no_area():
    assert math.isnan(_area({0.5: 1.0}))
    assert math.isnan(_area({}))
    # from .2 to .6: mean height of a straight line from 1 to 0
    assert _area({0.2: 1.0, 0.6: 0.0}) == pytest.approx(0.5)
    found = faithfulness_of(
        pd.DataFrame(
            {
                "probability": [0.9, 0.8], "without_attention": [0.5, NAN],
                "without_random": [0.7, 0.8], "without_region": [NAN, NAN],
                "without_context": [0.6, 0.8], "insertion_0.0": [0.0, 0.2],
            }
        )
    )  # fmt: skip
    assert (found.n, found.n_regions) == (1, 0)
    assert found.insertion_curve == [0.1]
    assert found.deletion_curve == []
    assert found.excess_ci is None or math.isnan(found.excess_ci[0])
    assert not found.decides


def split(object=None, context=None, groups=(), note=""):
    made = {name: Group(n=3, n_training=count) for name, count in groups}
    return Split(
        overall=Overall(n=3), groups=made, object=object, context=context, note=note
    )  # fmt: skip


def run(splits, **fields):
    given = {"name": "r", "mode": "m", "object": "boat", "context": "water", "backbone": "n"}
    return Run(dataset="d", splits=splits, **{**given, **fields})


def test_what_an_audit_asked():
    asked = questions_of(
        run({
            "val": split(), "biased-cow": split("cow", "grass", [("a", 4), ("b", None)], "drawn"),
        })
    )  # fmt: skip
    assert asked == [
        Question("val", "boat"), Question("biased-cow", "cow", "grass", {"a": 4}, "drawn"),
    ]  # fmt: skip


def test_which_rows_speak_of_the_same_question():
    table = pd.DataFrame({"split": ["val", "b", "edited", "cow", "sand"]})
    asked = {
        one.split: one
        for one in (
            Question("val", "boat"), Question("b", "boat", "water"),
            Question("edited", "boat", "water"), Question("cow", "cow", "water"),
            Question("sand", "boat", "sand"),
        )
    }  # fmt: skip
    same = _same_question(asked["b"], asked, table, "water")
    assert same["split"].tolist() == ["val", "edited"]
    assert _same_question(asked["sand"], asked, table, "water").empty
    assert _same_question(asked["b"], asked, table, None)["split"].tolist() == ["edited"]
    assert _same_object(asked["b"], asked, table)["split"].tolist() == [
        "val",
        "b",
        "edited",
        "sand",
    ]


def test_an_audit_of_several_pairs_taken_apart():
    one = [("g", None)]
    whole = run(
        {
            "val": split(), "test": split(), "a": split("boat", "water", one),
            "b": split("cow", "grass", one), "c": split("boat", "sand", one),
        },
        operating_point=OperatingPointRecord(n=4, positives=2, fitted_in="training", subset="val"),
    )  # fmt: skip
    assert pair_of(whole, "val") == ("boat", "water")
    assert pair_of(whole, "b") == ("cow", "grass")
    parts = by_pair(whole)
    assert [(part.object, part.context, list(part.splits)) for part in parts] == [
        ("boat", "water", ["val", "test", "a"]), ("cow", "grass", ["b"]),
        ("boat", "sand", ["val", "c"]),
    ]  # fmt: skip
    assert [part.operating_point is None for part in parts] == [False, True, False]
    single = run({"val": split(), "a": split("boat", "water", one)})
    assert by_pair(single) == [single]
    # the audited pair comes first though another was measured before it
    turned = run({"b": split("cow", "grass", one), "a": split("boat", "water", one)})
    assert [part.object for part in by_pair(turned)] == ["boat", "cow"]
    others = run({"b": split("cow", "grass", one), "c": split("cow", "sand", one)})
    assert [part.context for part in by_pair(others)] == ["grass", "sand"]
    table = pd.DataFrame({"split": ["val", "test", "a", "b", "c"]})
    rows = [part.per_image["split"].tolist() for part in audits_by_pair(Audit(whole, table))]
    assert rows == [["val", "test", "a"], ["b"], ["val", "c"]]
    assert [part.per_image for part in audits_by_pair(Audit(whole))] == [None] * 3
    alone = Audit(single, table)
    assert audits_by_pair(alone) == [alone]


def rows(split, group="", n=2):
    return pd.DataFrame({"split": [split] * n, "group": group, "id": [f"{i}" for i in range(n)]})


def test_splits_that_all_measured():
    first = audit(pd.concat([rows("val"), rows("b", "g"), rows("x", "g")]), name="first")
    second = audit(pd.concat([rows("b", "g"), rows("val"), rows("y", "g")]))
    assert shared_splits([first, second]) == ["b", "val"]
    assert shared_splits([first, second], ["val"]) == ["val"]
    with pytest.raises(ConfigError, match="not evaluated in both"):
        shared_splits([first, second], ["x"])
    with pytest.raises(RunError, match="no split in common"):
        shared_splits([audit(rows("a")), audit(rows("b"))])
    assert rows_of(first, "x")["split"].tolist() == ["x", "x"]
    with pytest.raises(RunError, match=r"first: no per_image\.csv of 'first'"):
        table_of(audit(name="first"))


def answers(split, right, n=20):
    return pd.DataFrame(
        {
            "split": split, "group": "g", "id": [f"{i:02}" for i in range(n)], "label": 1,
            "correct": [int(i < right) for i in range(n)], "pair": "", "score": 0.5,
            "energy_pointing_game": 0.1,
        }
    )  # fmt: skip


def test_pairs_that_got_worse_are_those_that_both_answered():
    before = pd.concat([answers("boat/water", 20), answers("cow/grass", 20), answers("x/y", 20)])
    after = pd.concat([answers("boat/water", 3), answers("cow/grass", 12), answers("z/y", 0)])
    worse = worse_pairs(audit(pairs=before), audit(pairs=after))
    assert worse == {"boat/water": pytest.approx(-0.85), "cow/grass": pytest.approx(-0.4)}
    assert list(worse) == ["boat/water", "cow/grass"]
    assert worse_pairs(audit(), audit(pairs=after)) is None
    assert worse_pairs(audit(pairs=before), audit()) is None
    assert worse_pairs(audit(pairs=after), audit(pairs=before)) == {}


def test_the_worst_and_the_weighted_group():
    groups = {"a": Group(n=2, accuracy=0.5, n_training=30), "b": Group(n=2, accuracy=0.9,
                                                                        n_training=10)}  # fmt: skip
    assert worst_group_accuracy(groups) == 0.5
    assert weighted_accuracy(groups) == pytest.approx((30 * 0.5 + 10 * 0.9) / 40)
    unknown = {**groups, "c": Group(n=0, accuracy=None, n_training=1)}
    assert (worst_group_accuracy(unknown), weighted_accuracy(unknown)) == (None, None)
    uncounted = {**groups, "c": Group(n=1, accuracy=0.1)}
    assert (worst_group_accuracy(uncounted), weighted_accuracy(uncounted)) == (0.1, None)
    assert (worst_group_accuracy({}), weighted_accuracy({})) == (None, None)
    never = {"a": Group(n=2, accuracy=0.5, n_training=0)}
    assert weighted_accuracy(never) is None


def test_rows_of_conflicting_groups_where_there_are_some():
    table = pd.DataFrame({"alignment": ["aligned", "conflicting", ""]})
    assert conflicting_rows(table).index.tolist() == [1]
    assert len(conflicting_rows(table.iloc[[0, 2]])) == 2
    assert len(conflicting_rows(pd.DataFrame({"x": [1, 2]}))) == 2


def test_overlap_of_rows_that_have_a_map():
    columns = [
        "energy_pointing_game", "iou", "area_fraction", "pointing_game",
        "pixel_average_precision", "context_energy", "context_area",
        f"{METRIC_PREFIX}a", f"{METRIC_PREFIX}b",
    ]  # fmt: skip
    table = pd.DataFrame(
        [[0.2, 0.1, 0.3, 1, 0.4, NAN, NAN, 5.0, NAN], [0.4, 0.3, 0.5, 0, 0.6, 0.7, 0.5, 7.0, NAN],
         [NAN, NAN, NAN, NAN, NAN, 0.9, 0.7, NAN, NAN]],
        columns=columns,
    )  # fmt: skip
    found = localization_of(table)
    assert (found.n_valid, found.context_n) == (2, 2)
    assert found.energy_pointing_game == pytest.approx(0.3)
    assert (found.iou, found.area_fraction) == (pytest.approx(0.2), pytest.approx(0.4))
    assert (found.pointing_game, found.pixel_average_precision) == (0.5, pytest.approx(0.5))
    assert (found.context_energy, found.context_area) == (pytest.approx(0.8), pytest.approx(0.6))
    assert {name: (one.mean, one.n) for name, one in found.metrics.items()} == {"a": (6.0, 2)}
    nothing = localization_of(table.iloc[:0])
    assert (nothing.n_valid, nothing.energy_pointing_game, nothing.metrics) == (0, None, {})


def test_gates_from_nought_to_one():
    assert parse_gate("a.b.accuracy=0") == Gate("a.b", "accuracy", 0.0)
    assert parse_gate("overall.accuracy= 1 ").least == 1.0
    assert (parse_max_gap("0"), parse_max_gap("1")) == (0.0, 1.0)
    for wrong in ("-0.001", "1.001", "nan", "inf", ""):
        with pytest.raises(ConfigError, match="is not a number from 0 to 1; write"):
            parse_max_gap(wrong)
    for wrong in (".accuracy=1", "accuracy=1", "=", ""):
        with pytest.raises(ConfigError, match=r"GROUP\.METRIC=X"):
            parse_gate(wrong)


def test_decisions_at_an_operating_point():
    point = OperatingPointRecord(
        n=4, positives=2, threshold=0.5, temperature=1.0, fitted_in="training", subset="val"
    )
    scores = pd.Series([0.4, 0.5, 0.6, NAN], index=[3, 1, 4, 2])
    found = decisions_at(point, scores)
    assert found.index.tolist() == [3, 1, 4, 2]
    assert found.tolist()[:3] == [0.0, 0.0, 1.0]
    assert math.isnan(found.tolist()[3])
    bare = OperatingPointRecord(n=4, positives=2, fitted_in="training", subset="val")
    for none in (None, bare):
        assert decisions_at(none, scores).isna().all()
    table = pd.DataFrame(
        {"split": ["val"] * 4 + ["val", "b"], "group": ["", "", "", "", "g", ""],
         "score": [3, 3, -1, -1, 99.0, 99.0], "label": [1, 1, 0, 0, 0, 0]}
    )  # fmt: skip
    fitted = operating_point_of(table, "boat", None)
    assert (fitted.fitted_in, fitted.subset, fitted.n) == ("evaluation", "val", 4)
    assert fitted.threshold == pytest.approx(1.0)
    assert operating_point_of(table.iloc[4:], "boat", None) is None
    trained = operating_point_of(table, "boat", {"boat": OperatingPoint(9, 3, 2.0, 0.25)})
    assert (trained.fitted_in, trained.threshold, trained.n) == ("training", 0.25, 9)


def test_rows_are_brought_into_line():
    first = pd.concat([answers("s", 3, 4).assign(group="h"), answers("s", 2, 3)])
    second = first.sample(frac=1, random_state=0)
    one, other = align(first, second)
    assert one["group"].tolist() == ["g"] * 3 + ["h"] * 4
    assert one["id"].tolist() == other["id"].tolist()
    figures = figures_of(one)
    assert value_of(figures["overall.accuracy"], 7) == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert value_of(figures["worst.accuracy"], 7) == pytest.approx(2 / 3)
    assert value_of(figures["h.accuracy"], 7) == 0.75
    assert "worst.accuracy" not in figures_of(answers("s", 2, 3))
    assert clusters_of(one) is None
    assert clusters_of(one.drop(columns="pair")) is None
    paired = one.assign(pair=["a", "", "a", "", "", "", "b"])
    assert clusters_of(paired).tolist() == ["a", "01", "a", "00", "01", "02", "b"]
    maps = [one.assign(energy_pointing_game=[NAN, 0.2, 0.3, 0.4, NAN, 0.6, 0.7]),
            other.assign(energy_pointing_game=[0.1, NAN, 0.5, 0.5, NAN, 0.5, 0.5])]  # fmt: skip
    both = [table["energy_pointing_game"].tolist() for table in measured_in_both(*maps)]
    assert np.isnan(both).tolist() == [[True, True, False, False, True, False, False]] * 2
    assert both[0][2:4] == [0.3, 0.4]


def test_every_class_and_the_confusion_by_hand():
    # three images of one class each: a is taken for a, b for a, c for none
    table = pd.DataFrame(
        [("val", f"{i}", name, int(name == own), said, top) for i, (own, says, top_of) in enumerate(
            [("a", "a", "a"), ("b", "ab", "a"), ("c", "", "")])
         for name in "abc" for said, top in [(int(name in says), int(name == top_of))]],
        columns=["subset", "id", "class", "label", "decision", "top"],
    )  # fmt: skip
    found = class_answers(table)["val"]
    assert (found.n, found.top_1) == (3, pytest.approx(1 / 3))
    assert found.confusion.classes == ["a", "b", "c"]
    assert found.confusion.counts == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert found.confusion.elsewhere == [0, 0, 1]
    a, b, c = (found.classes[name] for name in "abc")
    assert (a.n, a.predicted, a.recall, a.precision) == (1, 2, 1.0, 0.5)
    assert (b.n, b.predicted, b.recall, b.precision) == (1, 1, 1.0, 1.0)
    assert (c.n, c.predicted, c.recall, c.precision) == (1, 0, 0.0, None)
    several = table.assign(label=1)
    assert class_answers(several)["val"].confusion is None
    alone = class_answers(table[table["class"] == "a"])["val"]
    assert (alone.confusion, alone.top_1) == (None, None)


def test_moves_that_are_all_alike_have_no_correlation():
    assert _correlation(np.array([1, 1, 1]), np.array([0, 1, 0])) == 0.0
    assert _correlation(np.array([0, 1, 0]), np.array([1, 1, 1])) == 0.0
    assert _correlation(np.array([0, 1, 0]), np.array([0, 1, 0])) == pytest.approx(1.0)
    assert swap_p_value(np.array([], dtype=int)) == 1.0
    assert swap_p_value(np.array([1, 1, 1])) == pytest.approx(2 / 8)
    assert swap_p_value(np.array([2, 2, -2])) == 1.0
    assert swap_p_value(np.array([2, 1])) == pytest.approx(0.5)


def test_versions_of_one_answer_alone_and_of_no_common_image():
    columns = ["pair", "label", "context", "decision", "edit"]
    yes = [("a", 1, 1.0, 1, "p"), ("a", 1, 0.0, 0, "p"), ("b", 1, 1.0, 1, "p"),
           ("b", 1, 0.0, 1, "p")]  # fmt: skip
    one = measure_pairs(pd.DataFrame(yes, columns=columns))
    assert (one.effect, one.n) == (0.5, 2)
    assert list(one.by_answer) == ["yes"]
    assert (one.versions.right, one.versions.n) == (3, 4)
    no = [("c", 0, 1.0, 1, "p"), ("c", 0, 0.0, 0, "p")]
    apart = measure_pairs(pd.DataFrame([*yes, *no], columns=columns))
    assert apart.effect is None or math.isnan(apart.effect)
    assert apart.n == 0
    assert apart.versions.n == 6
    # another way of editing the same image does not count twice, nor one across two ways
    more = [("a", 1, 1.0, 0, "q"), ("a", 1, 0.0, 0, "q"), ("d", 1, 1.0, 1, "p"),
            ("d", 1, 0.0, 0, "q")]  # fmt: skip
    again = measure_pairs(pd.DataFrame([*yes, *more], columns=columns))
    assert (again.effect, again.n) == (0.5, 2)


def image(label, context, decision, subset="test", **more):
    return {"label": label, "context": context, "decision": decision, "subset": subset, **more}


def test_names_of_strata_and_sizes_of_groups():
    table = pd.DataFrame(
        [image(1, 1.0, 1, source="web"), image(1, 0.0, 1, source="web"),
         image(1, 0.0, 0, source="own"),
         image(0, 1.0, 0, "val", source="own"), image(0, NAN, 0, "val", source="own"),
         image(0, 1.0, 0, "val", source="")]
    )  # fmt: skip
    assert strata_of(table).tolist() == [
        "test / web", "test / web", "test / own", "val / own", "val / own", "val",
    ]  # fmt: skip
    assert strata_of(table.drop(columns="source")).tolist() == ["test"] * 3 + ["val"] * 3
    planned = planned_of(table)
    assert [(one.n_with, one.n_without, one.answer) for one in planned] == [
        (0, 1, 1), (1, 1, 1), (1, 0, 0),
    ]  # fmt: skip
    measured = measure_effect(table)
    assert measured.left_out == {
        "context unknown": 1, "source unknown": 1,
        "the subset and source hold one value of the context only": 2,
    }  # fmt: skip
    assert measured.strata == ("test / web",)
    assert list(measured.by_subset) == ["test"]
    assert measured.everywhere.counts == [(1, 1), (1, 2), (1, 1), (0, 0)]
    assert measured.groups.counts == [(1, 1), (1, 1), (0, 0), (0, 0)]


def test_a_shift_needs_all_four_aligned_groups():
    table = [image(1, 1.0, 1, "val"), image(0, 0.0, 0, "val"), image(1, 1.0, 0), image(0, 0.0, 0)]
    found = measure_shift(pd.DataFrame(table))
    assert (found.reference, found.audited, found.difference) == (1.0, 0.5, -0.5)
    for missing in range(4):
        left = pd.DataFrame(table[:missing] + table[missing + 1 :])
        assert measure_shift(left) is None
    edited = pd.DataFrame(table).assign(pair=["", "", "x", ""])
    assert measure_shift(edited) is None
