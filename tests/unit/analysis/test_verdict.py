"""The verdict: which evidence decides, what convicts, what acquits."""

import math

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.edited_pairs import _follow, measure_pairs, swap_p_value
from biasaudit.analysis.effect import measure_effect, measure_shift
from biasaudit.analysis.rule import Estimate, decide
from biasaudit.analysis.verdict import judge
from biasaudit.results import AnswerEffect
from biasaudit.statistics.rates import gap_interval

GROUPS = ((1, 1), (1, 0), (0, 1), (0, 0))
"""Label and context: with, without, context alone, neither."""


def group(label, context, right, n, subset="test", source=""):
    """Rows of one group, the first ``right`` of them answered rightly."""
    return pd.DataFrame(
        {
            "subset": subset,
            "label": label,
            "context": float(context),
            "decision": [label if i < right else 1 - label for i in range(n)],
            "source": source,
            "pair": "",
        }
    )


def four(right, n=100, **where):
    """Rows of the four groups, in the order of GROUPS."""
    parts = [group(*key, k, n, **where) for key, k in zip(GROUPS, right, strict=True)]
    return pd.concat(parts, ignore_index=True)


def test_a_large_effect_in_one_subset_is_bias():
    verdict = judge(four((96, 50, 50, 98)), "boat", "water")
    assert (verdict.kind, verdict.evidence) == ("biased", "same-subset groups")
    assert verdict.headline == "biased by water"
    # P(yes | water) - P(yes | no water): .96 - .50 with a boat, .50 - .02 without.
    assert verdict.by_answer["yes"].effect == pytest.approx(0.46)
    assert verdict.by_answer["no"].effect == pytest.approx(0.48)
    assert verdict.effect == pytest.approx(0.47)
    counts = gap_interval([(96, 100), (50, 100)], [(50, 100), (2, 100)])
    assert verdict.effect_ci == pytest.approx(counts)
    assert verdict.p_value < 1e-20
    assert [(one.right, one.n) for one in verdict.groups.values()] == [
        (96, 100),
        (50, 100),
        (50, 100),
        (98, 100),
    ]
    assert list(verdict.groups) == [
        "boat-with-water",
        "boat-without-water",
        "water-without-boat",
        "neither",
    ]
    assert verdict.images_needed is None


def test_groups_of_different_subsets_cannot_tell():
    rows = pd.concat(
        [
            group(1, 1, 96, 100, "val"),
            group(0, 0, 98, 100, "val"),
            group(1, 0, 50, 100),
            group(0, 1, 50, 100),
        ]
    )
    verdict = judge(rows, "boat", "water")
    assert (verdict.kind, verdict.evidence) == ("cannot_tell", "none")
    assert "differ in more than the context" in verdict.headline
    assert verdict.effect is None
    assert sum(verdict.left_out.values()) == 400


def test_groups_of_different_sources_cannot_tell():
    rows = pd.concat([group(*key, 90, 100, source="a" if sum(key) != 1 else "b") for key in GROUPS])
    assert judge(rows, "boat", "water").evidence == "none"
    assert judge(rows.drop(columns="source"), "boat", "water").evidence == "same-subset groups"


def test_a_shift_between_subsets_is_no_effect():
    # Half as good on test, where the context is rare: pooled, that would look like an effect.
    val = pd.concat([four((95, 0, 0, 95), 100, subset="val").iloc[[*range(100), *range(300, 400)]],
                     group(1, 0, 19, 20, "val"), group(0, 1, 19, 20, "val")])  # fmt: skip
    test = pd.concat([group(1, 1, 6, 10), group(1, 0, 60, 100), group(0, 1, 60, 100),
                      group(0, 0, 6, 10)])  # fmt: skip
    measured = measure_effect(pd.concat([val, test]))
    assert measured.found.effect == pytest.approx(0.0, abs=1e-12)
    assert measured.strata == ("test", "val")
    shift = measure_shift(pd.concat([val, test]))
    assert (shift.reference, shift.audited) == pytest.approx((0.95, 0.6))
    assert shift.difference == pytest.approx(-0.35)


def test_effects_of_opposite_sign_never_acquit():
    # Aligned .95 and .74, conflicting .70 and .99, 1200 images each.
    verdict = judge(four((1140, 840, 1188, 888), 1200), "boat", "water")
    assert verdict.effect == pytest.approx(0.0)
    assert -0.05 < verdict.effect_ci[0] < verdict.effect_ci[1] < 0.05
    assert verdict.kind == "biased"
    assert "opposite" in verdict.headline


def test_an_acquittal_needs_both_answers():
    one = judge(four((1900, 1900, 1900, 1900), 2000), "boat", "water")
    assert (one.kind, one.headline) == ("no_bias_shown", "no bias shown")
    half = pd.concat([four((1900, 1900, 19, 19), 2000).iloc[:4000], group(0, 1, 19, 20),
                      group(0, 0, 19, 20)])  # fmt: skip
    assert judge(half, "boat", "water").kind == "cannot_tell"


def test_a_constant_answer_is_not_acquitted():
    verdict = judge(four((5000, 5000, 0, 0), 5000), "boat", "water")
    assert verdict.headline == "cannot tell (the model knows too little)"
    assert verdict.images_needed is None


def test_what_is_known_on_val_does_not_acquit_on_test():
    val = four((1900, 1900, 1900, 1900), 2000, subset="val")
    # the camera fails on test: no to nearly everything, with the context and without
    blind = pd.concat([val, four((20, 20, 1990, 1990), 2000)])
    verdict = judge(blind, "boat", "water")
    assert verdict.headline == "cannot tell (the model knows too little)"
    assert verdict.accuracy_ci[0] < 0.51
    seen = judge(pd.concat([val, four((1600, 1600, 1600, 1600), 2000)]), "boat", "water")
    assert seen.kind == "no_bias_shown"
    # what counts is the subset where least is known: 4 x 1600 of 2000
    assert seen.accuracy_ci[0] < 0.8 < seen.accuracy_ci[1]


def test_a_subset_of_one_answer_says_nothing_of_knowledge():
    val = four((1900, 1900, 1900, 1900), 2000, subset="val")
    boats = pd.concat([group(1, 1, 1900, 2000), group(1, 0, 1900, 2000)])
    assert judge(pd.concat([val, boats]), "boat", "water").kind == "no_bias_shown"


def test_leaning_against_the_context_is_bias_too():
    verdict = judge(four((60, 95, 95, 70)), "boat", "water")
    assert verdict.kind == "biased"
    assert verdict.effect < 0
    assert "against the context" in verdict.reason


def test_few_images_say_how_many_would_decide():
    verdict = judge(four((15, 14, 14, 16), 16), "boat", "water")
    assert verdict.headline == "cannot tell (n too small)"
    n = verdict.images_needed
    assert n > 16
    rates = [round(n * 15 / 16), round(n * 14 / 16), n - round(n * 2 / 16), n]
    assert judge(four(rates, n), "boat", "water").kind != "cannot_tell"


def test_unknown_is_not_no():
    rows = four((96, 50, 50, 98))
    unknown = group(1, 0, 0, 300).assign(context=math.nan)
    verdict = judge(pd.concat([rows, unknown]), "boat", "water")
    assert verdict.left_out == {"context unknown": 300}
    assert verdict.effect == pytest.approx(judge(rows, "boat", "water").effect)


def test_images_of_unknown_source_are_left_out_where_others_name_theirs():
    rows = pd.concat([four((96, 50, 50, 98), source="a"), four((5, 5, 5, 5), 10)])
    assert judge(rows, "boat", "water").left_out == {"source unknown": 40}


@pytest.mark.parametrize(("source", "of_source"), [("", ""), ("a", " of a known source")])
def test_an_empty_group_is_named_and_the_source_where_it_counts(source, of_source):
    rows = pd.concat([group(1, 1, 9, 10, source=source), group(0, 0, 9, 10, source=source)])
    if source:
        rows = pd.concat([rows, group(1, 0, 5, 10)])
    verdict = judge(rows, "boat", "water")
    assert verdict.kind == "cannot_tell"
    empty = "'boat-without-water' and 'water-without-boat'"
    assert verdict.headline == f"cannot tell: no image in {empty}"
    assert verdict.reason.startswith(f"No image{of_source} is in {empty}, so nothing says")


def test_versions_count_where_both_of_one_image_are_there():
    rows = pd.DataFrame(
        [
            # pair, label, context, decision: the object without the context, the reverse
            ("a", 1, 0, 0), ("a", 0, 1, 1),
            ("b", 1, 0, 1), ("b", 0, 1, 0),
            ("c", 1, 0, 0),
            ("d", 0, 1, 1),
        ],
        columns=["pair", "label", "context", "decision"],
    )  # fmt: skip
    assert _follow(rows) == (1, 1, 1.0)


def test_many_comparisons_raise_the_bar():
    rows = four((92, 82, 84, 93))
    one, many = judge(rows, "boat", "water"), judge(rows, "boat", "water", comparisons=40)
    assert one.kind == "biased"
    assert many.kind == "cannot_tell"
    assert many.level == pytest.approx(1 - 0.05 / 40)
    assert many.effect_ci[0] < one.effect_ci[0]


@pytest.mark.parametrize("settings", [{"margin": 0.0}, {"level": 1.0}, {"comparisons": 0}])
def test_impossible_settings(settings):
    with pytest.raises(ValueError, match=r"margin|level|comparisons"):
        judge(four((96, 50, 50, 98)), "boat", "water", **settings)


def figures(effect, half, p):
    return AnswerEffect(
        effect=effect,
        effect_ci=(effect - half, effect + half),
        p_value=p,
        n_with=100,
        n_without=100,
    )


@pytest.mark.parametrize(
    ("total", "p", "there", "absent", "kind"),
    [
        ((0.1, 0.05), 0.01, figures(0.1, 0.07, 0.02), figures(0.1, 0.07, 0.02), "biased"),
        # The interval excludes 0, the permutation test does not agree.
        ((0.1, 0.09), 0.06, figures(0.1, 0.12, 0.1), figures(0.1, 0.12, 0.1), "cannot_tell"),
        ((0.1, 0.11), 0.04, figures(0.1, 0.15, 0.1), figures(0.1, 0.15, 0.1), "cannot_tell"),
        # Against the context: surely there, and perhaps less than what counts.
        ((-0.1, 0.06), 0.001, figures(-0.1, 0.08, 0.02), figures(-0.1, 0.08, 0.02), "cannot_tell"),
        ((-0.1, 0.05), 0.001, figures(-0.1, 0.07, 0.02), figures(-0.1, 0.07, 0.02), "biased"),
        # A sure effect of one point: it is there, and it does not count.
        ((0.01, 0.005), 0.001, figures(0.01, 0.008, 0.01), figures(0.01, 0.008, 0.01),
         "no_bias_shown"),
        ((0.0, 0.02), 1.0, figures(0.1, 0.03, 0.02), figures(-0.1, 0.03, 0.001), "cannot_tell"),
        ((0.0, 0.02), 1.0, figures(0.1, 0.03, 0.001), figures(-0.1, 0.03, 0.001), "biased"),
    ],
)  # fmt: skip
def test_the_rule_line_by_line(total, p, there, absent, kind):
    effect, half = total
    found = Estimate(
        effect, (effect - half, effect + half), p, {"yes": there, "no": absent}, (0.8, 0.9)
    )
    assert decide(found, 0.05, 0.95) == kind


def versions(decisions, edit="pasted"):
    """Rows of edited images: for each, decisions (with, without) of the object, then of none."""
    rows = []
    for image, four_answers in enumerate(decisions):
        for (label, context), said in zip(GROUPS, four_answers, strict=True):
            rows.append((f"image {image}", label, float(context), said, edit, "test"))
    columns = ["pair", "label", "context", "decision", "edit", "subset"]
    return pd.DataFrame(rows, columns=columns)


def test_versions_edited_in_one_way_convict_within_the_image():
    rows = versions([(1, 0, 1, 0)] * 12 + [(1, 1, 0, 0)] * 20)
    found = measure_pairs(rows)
    assert found.effect == pytest.approx(12 / 32)
    assert found.by_answer["yes"].effect == pytest.approx(12 / 32)
    assert found.by_answer["yes"].p_value == pytest.approx(2 / 2**12)
    assert found.p_value == pytest.approx(2 / 2**12)
    verdict = judge(rows, "boat", "water")
    assert (verdict.kind, verdict.evidence) == ("biased", "edited pairs")


def test_versions_edited_in_one_way_acquit():
    verdict = judge(versions([(1, 1, 0, 0)] * 400), "boat", "water")
    assert (verdict.kind, verdict.evidence) == ("no_bias_shown", "edited pairs")


def test_the_trace_of_an_edit_convicts_nobody():
    # Any paste takes the boat away, whatever the ground: unedited against edited would convict.
    verdict = judge(versions([(0, 0, 0, 0)] * 100 + [(1, 1, 0, 0)] * 60), "boat", "water")
    assert verdict.effect == 0.0
    assert verdict.kind != "biased"


def conflicting(decisions):
    """The object on other ground, and the object removed: decisions of both, image by image."""
    rows = versions([(0, kept, gone, 0) for kept, gone in decisions]).drop(columns="edit")
    return rows[rows["label"] != rows["context"]]


def test_versions_edited_in_different_ways_convict_only_against_the_object():
    follows = judge(conflicting([(0, 1)] * 30 + [(1, 0)] * 8), "boat", "water")
    assert (follows.kind, follows.evidence) == ("biased", "edited pairs")
    assert (follows.pairs.follow_context, follows.pairs.follow_object) == (30, 8)
    for decisions in ([(0, 1)] * 8 + [(1, 0)] * 30, [(0, 0)] * 90, [(1, 1)] * 90):
        assert judge(conflicting(decisions), "boat", "water").kind == "cannot_tell"


def test_images_as_they_are_decide_before_edited_pairs():
    edited = versions([(1, 0, 1, 0)] * 50).assign(source="")
    verdict = judge(pd.concat([four((95, 95, 95, 95)), edited]), "boat", "water")
    assert (verdict.evidence, verdict.kind) == ("same-subset groups", "cannot_tell")
    assert verdict.pairs.effect == 1.0
    few = judge(pd.concat([four((5, 5, 5, 5), 5), edited]), "boat", "water")
    assert (few.evidence, few.kind) == ("edited pairs", "biased")


def test_the_swap_test_is_that_of_all_signs():
    moves = np.array([2, 1, 0, -1, 2, 1])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    expected = np.mean(np.abs((signs * moves[:, None]).sum(axis=0)) >= abs(moves.sum()))
    assert swap_p_value(moves) == pytest.approx(expected)


@pytest.mark.parametrize("chance", [(0.5, 0.5), (0.8, 0.2)])
def test_coins_are_not_convicted(chance):
    rng = np.random.default_rng(8)
    convicted = 0
    for _ in range(100):
        test = rng.random(240) < 0.5
        label = rng.integers(0, 2, 240)
        right = rng.random(240) < np.where(test, 0.6, 0.95)
        rows = pd.DataFrame(
            {
                "subset": np.where(test, "test", "val"),
                "label": label,
                "decision": np.where(right, label, 1 - label),
                "context": (rng.random(240) < np.where(test, *chance)).astype(float),
            }
        )
        convicted += judge(rows, "object", "coin").kind == "biased"
    # 5% of 100, and two standard deviations.
    assert convicted <= 9


def test_beyond_the_exact_test_the_images_needed_still_decide():
    # an effect of a point: its interval leaves 0 well before the test of size .025 convicts
    right, margin = (364, 360, 360, 364), 0.02
    needed = judge(four(right, 400), "boat", "water", margin=margin).images_needed
    assert needed > 1000
    rates = [k / 400 for k in right]

    def kind(n):
        return judge(
            four([round(n * rate) for rate in rates], n), "boat", "water", margin=margin
        ).kind

    assert kind(needed) != "cannot_tell"
    assert kind(round(0.9 * needed)) == "cannot_tell"
