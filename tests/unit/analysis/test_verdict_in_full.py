"""The verdict's sentences word by word, and its figures against formulas written a second time."""

import math

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.decision_text import advice
from biasaudit.analysis.edited_pairs import measure_pairs
from biasaudit.analysis.rule import Estimate, decide, excludes_zero, knows, size_of
from biasaudit.analysis.verdict import FEWEST, LEVEL, MARGIN, judge
from biasaudit.analysis.verdict_text import beside, points, say
from biasaudit.results import Answered, AnswerEffect, Overall, Run, Split, Verdict
from biasaudit.statistics.paired import Paired, paired_interval

GROUPS = ((1, 1), (1, 0), (0, 1), (0, 0))


def single(effect, half, p=0.5):
    interval = (effect - half, effect + half)
    return AnswerEffect(effect=effect, effect_ci=interval, p_value=p, n_with=9, n_without=9)


def estimate(effect, half, p=0.5, there=None, absent=None, knowledge=(0.8, 0.9)):
    answers = {"yes": there or single(effect, half), "no": absent or single(effect, half)}
    return Estimate(effect, (effect - half, effect + half), p, answers, knowledge)


def told(kind, found, margin=0.05):
    return say(kind, found, "boat", "water", margin, 0.95)


def test_the_constants_of_the_rule():
    assert (MARGIN, LEVEL, FEWEST) == (0.05, 0.95, 8)
    assert size_of(0.95) == 0.025
    assert size_of(1 - 0.05 / 3) == pytest.approx(0.05 / 6)


def test_no_bias_in_words():
    found = estimate(0.0, 0.02, there=single(0.01, 0.02), absent=single(-0.01, 0.02))
    assert told("no_bias_shown", found) == (
        "no bias shown",
        "Water moves the share of yes answers by less than 5 points either way: "
        "-1.0 to +3.0 on images with boat, -3.0 to +1.0 on images without boat.",
    )


def test_bias_in_words():
    found = estimate(0.2, 0.1, 0.0012, single(0.3, 0.1), single(0.1, 0.1))
    singles = "+20.0 to +40.0 on images with boat, +0.0 to +20.0 on images without boat"
    assert told("biased", found) == (
        "biased by water",
        f"With water the model says boat oftener by +10.0 to +30.0 points, p = 0.0012: {singles}.",
    )
    against = estimate(-0.2, 0.1, 0.001)
    assert (
        "-30.0 to -10.0 points (the model answers against the context), p = 0.001"
        in (told("biased", against)[1])
    )
    cancel = estimate(0.0, 0.1, 0.9, single(0.3, 0.1, 0.0001), single(-0.3, 0.1, 0.0001))
    assert told("biased", cancel) == (
        "biased by water, in opposite directions",
        "With water the share of yes answers moves by +20.0 to +40.0 on images with boat, "
        "-40.0 to -20.0 on images without boat; the two cancel.",
    )


def test_cannot_tell_in_words():
    little = estimate(0.0, 0.1, knowledge=(0.554, 0.7))
    assert told("cannot_tell", little, margin=0.1) == (
        "cannot tell (the model knows too little)",
        "Mean accuracy of the four groups may be as low as 55% (in the subset where it is "
        "lowest); below 70% the lack of an effect says nothing.",
    )
    headline, reason = told("cannot_tell", estimate(0.04, 0.06, 0.2))
    assert headline == "cannot tell (n too small)"
    assert reason.startswith("The effect of water is -2.0 to +10.0 points, p = 0.2: ")
    assert reason.endswith("It may be none, or 5 points and more.")
    _, reason = told("cannot_tell", estimate(-0.04, 0.02, 0.001))
    assert reason.endswith("It may be less than 5 points against the context.")


def test_what_stands_beside_a_verdict():
    values = {"headline": "", "reason": "", "margin": 0.05, "level": 0.95, "kind": "biased"}
    groups = {"boat-with-water": Answered(right=3, n=5), "neither": Answered(right=1, n=7)}
    found = Verdict(
        **values, evidence="same-subset groups", groups=groups, strata=("test", "val"),
        left_out={"context unknown": 3, "source unknown": 4}, attention="agrees",
    )  # fmt: skip
    assert beside(found) == [
        "It rests on images as they are, compared within test, val: boat-with-water 5, neither 7.",
        "Images left out: 3 (context unknown), 4 (source unknown).",
        "The attention agrees with a bias; it decides nothing.",
    ]
    edited = Verdict(**values, evidence="edited pairs", attention="unknown")
    assert beside(edited) == ["It rests on edited versions of the same images."]
    assert points((-0.0123, 0.5)) == "-1.2 to +50.0"


@pytest.mark.parametrize(
    ("lowest", "margin", "known"), [(0.601, 0.05, True), (0.599, 0.05, False), (0.65, 0.1, False)]
)
def test_who_knows_the_object(lowest, margin, known):
    found = estimate(0.0, 0.01, knowledge=(lowest, 0.99))
    assert knows(found, margin) is known
    assert (decide(found, margin, 0.95) == "no_bias_shown") is known


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [(0.001, 0.3, "biased"), (0.0, 0.3, "cannot_tell"), (-0.3, -0.05, "biased"),
     (-0.3, -0.049, "cannot_tell"), (-0.3, 0.3, "cannot_tell")],
)  # fmt: skip
def test_where_the_interval_must_lie(low, high, kind):
    answers = {"yes": single(0.1, 0.3), "no": single(0.1, 0.3)}
    for p, expected in ((0.025, kind), (0.0251, "cannot_tell")):
        found = Estimate((low + high) / 2, (low, high), p, answers, (0.8, 0.9))
        assert decide(found, 0.05, 0.95) == expected


@pytest.mark.parametrize(
    ("there", "absent", "kind"),
    [
        (single(0.3, 0.1, 0.01), single(-0.3, 0.1, 0.01), "biased"),
        (single(0.3, 0.1, 0.0101), single(-0.3, 0.1, 0.01), "cannot_tell"),
        (single(0.3, 0.1, 0.01), single(-0.3, 0.1, 0.0101), "cannot_tell"),
        (single(0.3, 0.1, 0.01), single(0.3, 0.1, 0.01), "cannot_tell"),
        (single(0.3, 0.31, 0.01), single(-0.3, 0.1, 0.01), "cannot_tell"),
        (single(0.3, 0.1, 0.01), single(-0.3, 0.31, 0.01), "cannot_tell"),
    ],
)
def test_opposite_effects_convict_each_surely(there, absent, kind):
    found = Estimate(0.0, (-0.1, 0.1), 1.0, {"yes": there, "no": absent}, (0.8, 0.9))
    assert decide(found, 0.05, 0.95) == kind


def test_one_answer_alone_neither_acquits_nor_opposes():
    found = Estimate(0.0, (-0.01, 0.01), 1.0, {"yes": single(0.0, 0.01)}, (0.9, 0.95))
    assert decide(found, 0.05, 0.95) == "cannot_tell"


def test_which_intervals_exclude_zero():
    assert [excludes_zero(one) for one in ((0.1, 0.2), (-0.2, -0.1))] == [True, True]
    touching = ((0.0, 0.2), (-0.2, 0.0), (-0.1, 0.1), (math.nan, math.nan))
    assert [excludes_zero(one) for one in touching] == [False] * 4


def group(label, context, right, n, subset="test"):
    said = [label if i < right else 1 - label for i in range(n)]
    table = {"subset": subset, "label": label, "context": float(context), "decision": said}
    return pd.DataFrame({**table, "source": "", "pair": ""})


def four(right, n, **where):
    parts = [group(*key, k, n, **where) for key, k in zip(GROUPS, right, strict=True)]
    return pd.concat(parts, ignore_index=True)


def versions(decisions, edit="pasted"):
    rows = [
        (f"image {image}", label, float(context), said, edit, "test", "")
        for image, answers in enumerate(decisions)
        for (label, context), said in zip(GROUPS, answers, strict=True)
    ]
    columns = ["pair", "label", "context", "decision", "edit", "subset", "source"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(("n", "evidence"), [(8, "same-subset groups"), (7, "edited pairs")])
def test_eight_images_a_group_decide_before_edited_pairs(n, evidence):
    edited = versions([(1, 0, 1, 0)] * 50)
    natural = pd.concat([four((n,) * 4, n), four((4, 9, 9, 9), 9).query("label == 1")])
    assert judge(pd.concat([natural, edited]), "boat", "water").evidence == evidence
    assert judge(natural, "boat", "water").evidence == "same-subset groups"


def test_knowledge_is_that_of_the_subset_where_it_is_lowest():
    rows = pd.concat([four((98,) * 4, 100, subset="val"), four((40,) * 4, 50)])
    verdict = judge(rows, "boat", "water")
    alone = judge(four((40,) * 4, 50), "boat", "water")
    assert verdict.accuracy_ci == pytest.approx(alone.accuracy_ci)
    assert verdict.accuracy_ci[1] < 0.9


@pytest.mark.parametrize(
    ("right", "images", "order"),
    [((15, 14, 14, 16), 16, 50), ((14, 12, 13, 14), 16, 80), ((360, 360, 360, 360), 400, 1800)],
)
def test_the_images_needed_decide_and_clearly_fewer_do_not(right, images, order):
    """Below 1000 images a group the whole rule is asked, above the intervals alone."""
    margin = 0.05 if images < 100 else 0.02
    measured = judge(four(right, images), "boat", "water", margin=margin)
    assert measured.kind == "cannot_tell"
    there, alone, absent, none = (one / images for one in right)
    assert order / 2 < measured.images_needed < 2 * order

    def kind(n):
        said = [round(n * there), round(n * alone), n - round(n * (1 - absent))]
        rows = four([*said, n - round(n * (1 - none))], n)
        return judge(rows, "boat", "water", margin=margin).kind

    n = measured.images_needed
    assert kind(n) != "cannot_tell"
    assert {kind(m) for m in (n // 2, round(0.93 * n))} == {"cannot_tell"}


def test_edited_pairs_against_the_formula():
    """Both answers' arms with their correlation; counts drawn by hand, sides that differ."""
    decisions = [(1, 0, 1, 0)] * 6 + [(1, 0, 0, 0)] * 5 + [(1, 1, 1, 0)] * 2 + [(0, 1, 0, 0)]
    decisions += [(1, 1, 0, 0)] * 10
    found = measure_pairs(versions(decisions))
    n = len(decisions)
    yes = np.array([a - b for a, b, _, _ in decisions])
    no = np.array([c - d for _, _, c, d in decisions])
    assert found.effect == pytest.approx((yes.mean() + no.mean()) / 2)
    # decided yes with and without: both, with alone, without alone, neither
    tables = [Paired(12, 11, 1, 0), Paired(0, 8, 0, 16)]
    tie = np.corrcoef(yes, no)[0, 1]
    assert tie > 0.3
    arms = []
    for table, mean in zip(tables, (yes.mean(), no.mean()), strict=True):
        low, high = paired_interval(table)
        arms.append((mean - low, high - mean))
    down, up = (math.sqrt(a**2 + b**2 + 2 * tie * a * b) / 2 for a, b in zip(*arms, strict=True))
    assert found.effect_ci == pytest.approx((found.effect - down, found.effect + up))
    assert (found.n, found.versions.n) == (n, 4 * n)
    # right: yes of (1, 1) and (1, 0) versions, no of the others
    right = sum(a + b + (1 - c) + (1 - d) for a, b, c, d in decisions)
    assert found.versions.right == right


def test_answers_that_move_apart_are_not_credited_for_it():
    """A negative correlation would narrow the interval; it counts as none."""
    apart = [(1, 0, 0, 0)] * 8 + [(1, 1, 1, 0)] * 8
    found = measure_pairs(versions(apart))
    low, high = paired_interval(Paired(8, 8, 0, 0))
    low_0, high_0 = paired_interval(Paired(0, 8, 0, 8))
    assert found.effect - found.effect_ci[0] == pytest.approx(
        math.hypot(0.5 - low, 0.5 - low_0) / 2
    )
    assert found.effect_ci[1] - found.effect == pytest.approx(
        math.hypot(high - 0.5, high_0 - 0.5) / 2
    )


@pytest.mark.parametrize("said", [(0, 0), (1, 1)])
def test_versions_that_follow_nothing_have_a_p_value_of_one(said):
    kept, gone = said
    rows = versions([(0, kept, gone, 0)] * 12)
    found = measure_pairs(rows[rows["label"] != rows["context"]].drop(columns="edit"))
    assert (found.follow_context, found.follow_object, found.follow_p) == (0, 0, 1.0)


def test_a_version_that_is_there_twice_counts_once():
    rows = versions([(1, 0, 1, 0)] * 5)
    turned = rows.assign(decision=1 - rows["decision"])
    found = measure_pairs(pd.concat([rows, turned]))
    assert (found.n, found.effect) == (5, 1.0)
    # two ways of editing one image are one image, too
    assert measure_pairs(pd.concat([rows, turned.assign(edit="removed")])).n == 5


def test_three_empty_groups_are_joined_in_words():
    names = ("boat-with-water", "boat-without-water", "water-without-boat", "neither")
    groups = {name: Answered(right=0, n=9 * (name == names[0])) for name in names}
    verdict = Verdict(
        kind="cannot_tell", headline="", reason="", evidence="none", groups=groups,
        margin=0.05, level=0.95,
    )  # fmt: skip
    split = Split(overall=Overall(n=9), groups={}, verdict=verdict, context="water")
    run = Run(
        name="r", mode="m", object="boat", context="water", backbone="n", dataset="d",
        splits={"s": split},
    )  # fmt: skip
    assert advice(run, split).first == (
        "collect images of boat without water, water without boat and neither boat nor water"
    )
