"""The verdict's rule, case by case."""

import math

import pytest

from biasaudit.analysis.verdict import Attention, judge
from biasaudit.statistics import gap_interval

GOOD = {"boat-with-water": (96, 100), "neither": (98, 100)}
ON_CONTEXT = Attention(object_excess=(0.01, 0.1), context_excess=(0.05, 0.2))
ON_OBJECT = Attention(object_excess=(0.1, 0.3), context_excess=(-0.2, -0.1))


def conflicting(right, n=100):
    return {"boat-without-water": (right, n), "water-without-boat": (right, n)}


def test_a_large_gap_is_bias_whatever_the_attention_says():
    for attention in (None, ON_CONTEXT, ON_OBJECT):
        verdict = judge("water", GOOD, conflicting(50), attention)
        assert verdict.headline == "biased by water"
        assert verdict.effect == pytest.approx(0.47)
    assert verdict.effect_ci == gap_interval(GOOD.values(), conflicting(50).values())
    assert verdict.attention == "disagrees"


def test_a_gap_that_is_surely_small_is_no_bias():
    many = {"boat-with-water": (1940, 2000), "neither": (1940, 2000)}
    verdict = judge("water", many, conflicting(1930, 2000))
    assert verdict.headline == "no bias shown"
    assert verdict.effect_ci[1] < verdict.margin


def test_few_images_cannot_tell_and_say_how_many_would():
    verdict = judge("water", {"with": (15, 16), "neither": (16, 16)}, conflicting(14, 16))
    assert verdict.headline == "cannot tell (n too small)"
    assert verdict.effect_ci[0] <= 0 <= verdict.margin <= verdict.effect_ci[1]
    n = verdict.images_needed
    assert n > 16
    more = judge(
        "water",
        {"with": (round(n * 15 / 16), n), "neither": (n, n)},
        conflicting(round(n * 7 / 8), n),
    )
    assert more.kind != "cannot_tell"


@pytest.mark.parametrize(
    ("attention", "kind"),
    [(ON_CONTEXT, "biased"), (ON_OBJECT, "cannot_tell"), (None, "cannot_tell")],
)
def test_attention_settles_a_gap_that_is_there_but_may_be_small(attention, kind):
    verdict = judge("water", GOOD, conflicting(90), attention)
    assert 0 < verdict.effect_ci[0] < verdict.margin < verdict.effect_ci[1]
    assert (
        f"{100 * verdict.effect_ci[0]:+.1f} to {100 * verdict.effect_ci[1]:+.1f}" in verdict.reason
    )
    assert verdict.kind == kind


def test_a_point_estimate_alone_never_decides():
    # A gap of 50 points, on two images a group.
    verdict = judge("water", {"with": (2, 2), "neither": (2, 2)}, conflicting(1, 2), ON_CONTEXT)
    assert verdict.effect == 0.5
    assert verdict.kind == "cannot_tell"


def test_a_model_that_knows_nothing_is_not_cleared():
    # It always says yes: no gap, and no use.
    always_yes = judge(
        "water",
        {"boat-with-water": (5000, 5000), "neither": (0, 5000)},
        {"boat-without-water": (5000, 5000), "water-without-boat": (0, 5000)},
    )
    assert always_yes.effect == 0.0
    assert always_yes.headline == "cannot tell (the model knows too little)"
    assert always_yes.images_needed is None


def test_leaning_against_the_context_is_bias_too():
    verdict = judge("water", {"with": (60, 100), "neither": (70, 100)}, conflicting(95))
    assert verdict.kind == "biased"
    assert verdict.effect < 0
    assert "against the context" in verdict.reason


def test_an_empty_group_decides_nothing():
    for aligned in ({}, {"with": (0, 0), "neither": (9, 10)}):
        verdict = judge("water", aligned, conflicting(5, 10))
        assert verdict.headline == "cannot tell (n too small)"
        assert math.isnan(verdict.effect)
        assert verdict.reason == "A group has no images."


def test_a_stricter_level_widens_the_interval():
    usual, strict = (judge("water", GOOD, conflicting(88), level=v) for v in (0.95, 0.995))
    assert strict.effect_ci[0] < usual.effect_ci[0] < usual.effect_ci[1] < strict.effect_ci[1]


@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_the_margin_is_a_gap(margin):
    with pytest.raises(ValueError, match="margin"):
        judge("water", GOOD, conflicting(50), margin=margin)


@pytest.mark.parametrize(
    ("attention", "said"),
    [
        (Attention(), "unknown"),
        (ON_CONTEXT, "agrees"),
        (ON_OBJECT, "disagrees"),
        (Attention(object_excess=(-0.1, -0.01)), "agrees"),
        (Attention(object_excess=(-0.1, 0.1)), "unknown"),
        (Attention(object_excess=(0.1, 0.2)), "disagrees"),
    ],
)
def test_what_the_attention_says(attention, said):
    assert attention.agreement == said
