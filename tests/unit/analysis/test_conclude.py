"""The verdict as results.json holds it, from a per-image table written by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.figures import Question, figures
from biasaudit.results import Answered

NAN = float("nan")
COLUMNS = {
    "pair": "", "edit": "", "source": "", "score": 0.0, "decision_at_operating_point": NAN,
    "energy_pointing_game": NAN, "area_fraction": NAN, "iou": NAN, "pointing_game": NAN,
    "pixel_average_precision": NAN, "context_energy": NAN, "context_area": NAN,
}  # fmt: skip
GROUPS = {
    (1, 0): "boat-without-water",
    (0, 1): "water-without-boat",
    (1, 1): "boat-with-water",
    (0, 0): "neither",
}
BOAT = Question("biased-boat", "boat", "water")
VAL = Question("val", "boat")


def rows(label, context, right, n, *, split="biased-boat", subset="test", **more):
    """``n`` images alike, the first ``right`` of them answered rightly."""
    known = not np.isnan(context)
    grouped = split == "biased-boat"
    decision = [label if i < right else 1 - label for i in range(n)]
    table = pd.DataFrame({**COLUMNS, **more}, index=range(n))
    return table.assign(
        split=split,
        group=GROUPS[int(label), int(context)] if grouped else "",
        alignment=("aligned" if label == context else "conflicting") if grouped and known else "",
        subset=subset,
        id=[f"{subset}-{label}-{context}-{i}" for i in range(n)],
        label=label,
        context=context,
        decision=decision,
        correct=[int(one == label) for one in decision],
    )


def verdict_of(*parts, questions=(VAL, BOAT)):
    table = pd.concat(parts, ignore_index=True)
    return figures(table, questions, "water")["biased-boat"]


CONFLICTING = (rows(1, 0, 20, 50), rows(0, 1, 25, 50))
ALIGNED = (rows(1, 1, 48, 50), rows(0, 0, 45, 50))


def test_four_groups_of_one_subset_decide():
    split = verdict_of(*CONFLICTING, *ALIGNED)
    verdict = split.verdict
    assert (verdict.kind, verdict.evidence) == ("biased", "same-subset groups")
    # With a boat .96 - .40, without one .50 - .10.
    assert verdict.effect == pytest.approx((0.56 + 0.40) / 2)
    assert verdict.groups == {
        "boat-with-water": Answered(right=48, n=50),
        "boat-without-water": Answered(right=20, n=50),
        "water-without-boat": Answered(right=25, n=50),
        "neither": Answered(right=45, n=50),
    }
    assert verdict.strata == ("test",)
    json.dumps(verdict.model_dump(mode="json"), allow_nan=False)


def test_overall_is_the_mean_of_the_conflicting_groups():
    split = verdict_of(*CONFLICTING, *ALIGNED)
    alone = verdict_of(*CONFLICTING)
    assert split.overall.accuracy == pytest.approx((0.4 + 0.5) / 2)
    assert split.overall.model_copy(update={"worst_group_accuracy": 0.4}) == alone.overall
    assert split.overall.worst_group_accuracy == 0.4
    assert {name: group.alignment for name, group in split.groups.items()} == {
        "boat-without-water": "conflicting",
        "water-without-boat": "conflicting",
        "boat-with-water": "aligned",
        "neither": "aligned",
    }


def test_the_worst_group_may_be_an_aligned_one():
    split = verdict_of(*CONFLICTING, rows(1, 1, 5, 50), ALIGNED[1])
    assert split.overall.worst_group_accuracy == pytest.approx(0.1)
    assert split.overall.accuracy == pytest.approx(0.45)


def test_aligned_images_of_another_subset_decide_nothing():
    """The paper's own protocol: conflicting images collected for the purpose, against val."""
    val = [rows(1, 1, 100, 100, split="val", subset="val"),
           rows(0, 0, 100, 100, split="val", subset="val")]  # fmt: skip
    verdict = verdict_of(*CONFLICTING, *val).verdict
    assert (verdict.kind, verdict.evidence) == ("cannot_tell", "none")
    assert verdict.headline == "cannot tell: the groups differ in more than the context"
    assert verdict.effect is None


def test_an_empty_group_has_its_own_wording():
    verdict = verdict_of(*CONFLICTING, ALIGNED[0]).verdict
    assert verdict.headline == "cannot tell: no image in 'neither'"


def test_shift_is_measured_where_the_context_helps():
    val = [rows(1, 1, 95, 100, split="val", subset="val"),
           rows(0, 0, 95, 100, split="val", subset="val")]  # fmt: skip
    shift = verdict_of(*CONFLICTING, rows(1, 1, 30, 50), rows(0, 0, 30, 50), *val).verdict.shift
    assert (shift.reference, shift.audited) == pytest.approx((0.95, 0.6))


def test_images_of_which_nobody_said_are_left_out():
    val = rows(1, NAN, 0, 60, split="val", subset="val")
    verdict = verdict_of(*CONFLICTING, *ALIGNED, val).verdict
    assert verdict.left_out == {"context unknown": 60}
    assert verdict.effect == pytest.approx(0.48)


def test_an_image_of_two_splits_counts_once():
    pool = pd.concat([*CONFLICTING, *ALIGNED]).assign(split="test", group="", alignment="")
    both = verdict_of(*CONFLICTING, *ALIGNED, pool, questions=(BOAT, Question("test", "boat")))
    assert both.verdict == verdict_of(*CONFLICTING, *ALIGNED).verdict


def test_attention_is_told_and_decides_nothing():
    wobble = np.linspace(-0.01, 0.01, 50)
    looked = [
        rows(1, 0, 20, 50).assign(energy_pointing_game=0.3 + wobble, area_fraction=0.1),
        rows(0, 1, 25, 50).assign(context_energy=0.7 + wobble, context_area=0.4),
    ]
    verdict = verdict_of(*looked, *ALIGNED).verdict
    assert verdict.object_excess == pytest.approx(0.2)
    assert verdict.context_excess == pytest.approx(0.3)
    assert verdict.attention == "agrees"
    without = verdict_of(*CONFLICTING, *ALIGNED).verdict
    assert without.attention == "unknown"
    assert (verdict.kind, verdict.effect_ci) == (without.kind, without.effect_ci)


def coin_rows(rng, n_val=170, n_test=240):
    """A classifier that is worse on test, and a coin thrown for every image."""
    n = n_val + n_test
    val, label, context = np.arange(n) < n_val, rng.integers(0, 2, n), rng.integers(0, 2, n)
    correct = rng.random(n) < np.where(val, 0.95, 0.6)
    groups = [GROUPS[key] for key in zip(label.tolist(), context.tolist(), strict=True)]
    alike = np.where(label == context, "aligned", "conflicting")
    return pd.DataFrame({**COLUMNS}, index=range(n)).assign(
        split=np.where(val, "val", "biased-boat"),
        group=np.where(val, "", groups),
        alignment=np.where(val, "", alike),
        subset=np.where(val, "val", "test"),
        id=[str(i) for i in range(n)],
        label=label,
        context=context.astype(float),
        decision=np.where(correct, label, 1 - label),
        correct=correct.astype(int),
    )


def test_a_coin_is_not_convicted_by_a_shift_between_subsets():
    rng = np.random.default_rng(5)
    kinds = [verdict_of(coin_rows(rng)).verdict.kind for _ in range(60)]
    # 5% of 60, and two standard deviations.
    assert kinds.count("biased") <= 6
