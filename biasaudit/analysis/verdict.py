"""The verdict on one object and one context, by the rule that docs/verdict.md explains.

Which evidence decides is settled by what images there are, before any answer is looked at:

1. The images as they are, where in one subset (and one source, where the data names sources) images
   with and without the context have the same right answer, for both right answers.
2. Else edited pairs: versions of one image that differ in the context.
3. Else nothing: the groups differ in more than the context.

A coin is therefore thrown once, and the permutation test holds false convictions at the level.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import pandas as pd

from biasaudit.analysis.edited_pairs import ANSWERS, measure_pairs
from biasaudit.analysis.effect import Groups, Measured, measure_effect, measure_shift
from biasaudit.analysis.rule import Estimate, decide, excludes_zero, size_of, size_of_opposite
from biasaudit.analysis.verdict_text import (
    follow_verdict,
    group_names,
    say,
    say_nothing_decides,
)
from biasaudit.results import Answer, Answered, AnswerEffect, Evidence, PairEvidence, Verdict
from biasaudit.statistics.contrasts import Contrast
from biasaudit.statistics.power import fewest
from biasaudit.statistics.rates import (
    Interval,
    check_level,
    mean_of_rates_interval,
    wilson_interval,
)
from biasaudit.statistics.stratified import StratifiedEffect, stratified_effect

MARGIN = 0.05
"""Effects below this do not count: the smallest difference in yes-rates that matters."""
LEVEL = 0.95
"""Confidence level of the intervals."""
FEWEST = 8
"""Below so many images in one of the four groups, edited pairs decide where there are any."""
_EXACT_UP_TO = 5000
_Tests = Literal["passed", "intervals", "exact"]


def judge(
    rows: pd.DataFrame,
    object: str,
    context: str,
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    comparisons: int = 1,
) -> Verdict:
    """Judge one object and one context.

    Args:
        rows: Per-image rows of all held-out subsets, edited versions among them: the columns of
            :func:`biasaudit.analysis.effect.measure_effect` and
            :func:`biasaudit.analysis.edited_pairs.measure_pairs`.
        object: The audited object, for the sentences.
        context: Its suspected context, likewise.
        margin: The smallest effect that counts, in (0, 1).
        level: Confidence level, in (0, 1).
        comparisons: How many pairs of object and context are judged together: the level becomes
            1 - (1 - level) / comparisons (Bonferroni).

    Raises:
        ValueError: The margin, the level or the number of comparisons is impossible.
    """
    if not 0.0 < margin < 1.0:
        raise ValueError(f"the margin lies between 0 and 1, not at {margin}")
    if comparisons < 1:
        raise ValueError(f"{comparisons} comparisons: there is one at least")
    level = 1 - (1 - check_level(level)) / comparisons
    measured = measure_effect(rows, level)
    pairs = _pairs_of(rows, level)
    estimate, evidence = _choose(measured, pairs, level)
    needed = None
    if estimate is None and pairs is not None:
        kind, headline, reason = follow_verdict(pairs, object, context, level)
    elif estimate is None:
        kind, headline, reason = say_nothing_decides(measured, object, context)
    else:
        kind = decide(estimate, margin, level)
        headline, reason = say(kind, estimate, object, context, margin, level)
        if kind == "cannot_tell" and evidence == "same-subset groups":
            needed = images_needed(measured, margin, level)
    return Verdict(
        kind=kind,
        headline=headline,
        reason=reason,
        evidence=evidence,
        effect=estimate.effect if estimate else None,
        effect_ci=estimate.interval if estimate else None,
        p_value=_p_value(estimate, pairs),
        by_answer=dict(estimate.by_answer) if estimate else {},
        accuracy_ci=estimate.knowledge if estimate else None,
        groups={
            name: Answered(right=right, n=n)
            for name, (right, n) in zip(
                group_names(object, context), measured.groups.counts, strict=True
            )
        },
        strata=measured.strata,
        left_out=dict(measured.left_out),
        pairs=pairs,
        shift=measure_shift(rows, level=level),
        margin=margin,
        level=level,
        images_needed=needed,
    )


def _pairs_of(rows: pd.DataFrame, level: float) -> PairEvidence | None:
    if "pair" not in rows or not (rows["pair"].fillna("") != "").any():
        return None
    found = measure_pairs(rows, level)
    return None if found.effect is None and found.follow_p is None else found


def _choose(
    measured: Measured, pairs: PairEvidence | None, level: float
) -> tuple[Estimate | None, Evidence]:
    """Choose what decides by the numbers of images alone; None where versions only follow."""
    natural = not math.isnan(measured.found.effect)
    enough = min(n for _, n in measured.groups.counts) >= FEWEST
    if natural and (enough or pairs is None):
        return _of_groups(measured, level), "same-subset groups"
    if pairs is None:
        return None, "none"
    return _of_pairs(pairs, level), "edited pairs"


def _of_groups(measured: Measured, level: float) -> Estimate:
    found = measured.found
    by_answer: dict[Answer, AnswerEffect] = {
        name: AnswerEffect(
            effect=found.by_answer[value].effect,
            effect_ci=found.by_answer[value].interval,
            p_value=found.by_answer[value].p_value,
            n_with=found.by_answer[value].n_with,
            n_without=found.by_answer[value].n_without,
        )
        for name, value in ANSWERS
    }
    return Estimate(
        found.effect, found.interval, found.p_value, by_answer, _knowledge(measured, level)
    )


def _knowledge(measured: Measured, level: float) -> Interval:
    """Return the interval of accuracy in the subset where least is known of the object.

    A model that knows the object on val and says no to nearly everything on test shows no effect
    there, for want of answers. Every subset that has both right answers must show that it is known.
    """
    found = [mean_of_rates_interval(measured.groups.counts, level)]
    for groups in measured.by_subset.values():
        there, absent = groups.counts[:2], groups.counts[2:]
        if any(n for _, n in there) and any(n for _, n in absent):
            found.append(mean_of_rates_interval([c for c in there + absent if c[1]], level))
    return min(found)


def _of_pairs(pairs: PairEvidence, level: float) -> Estimate | None:
    """Return what versions edited in one way give; None where there are none."""
    if pairs.effect is None or pairs.effect_ci is None or pairs.p_value is None:
        return None
    # Two versions of one image count as one answer.
    knowledge = wilson_interval(pairs.versions.right // 2, pairs.versions.n // 2, level)
    return Estimate(pairs.effect, pairs.effect_ci, pairs.p_value, pairs.by_answer, knowledge)


def _p_value(estimate: Estimate | None, pairs: PairEvidence | None) -> float | None:
    if estimate is not None:
        return estimate.p_value
    return None if pairs is None else pairs.follow_p


def images_needed(measured: Measured, margin: float, level: float) -> int | None:
    """Return from how many images a group on the rates seen would decide.

    Found by halving with the intervals alone, and then raised by steps of 2% to where the whole
    rule decides. Above 5000 images a group the exact test is spared, and intervals of the tests'
    levels stand in its place.

    Args:
        measured: The effect; the rates are those of its answers, each weighted over the strata.
        margin: The smallest effect that counts.
        level: Confidence level.
    """

    def decides(n: int, tests: _Tests) -> bool:
        return decide(_expected(measured, n, level, tests), margin, level) != "cannot_tell"

    needed = fewest(lambda n: decides(n, "passed"), beyond=1)
    while needed is not None and needed <= _EXACT_UP_TO and not decides(needed, "exact"):
        needed += math.ceil(needed / 50)
    if needed is not None and needed > _EXACT_UP_TO:
        strict = fewest(lambda n: decides(n, "intervals"), beyond=1)
        needed = None if strict is None else max(needed, strict)
    return needed


def _expected(measured: Measured, n: int, level: float, tests: _Tests) -> Estimate:
    """Return what ``n`` images a group would give on the rates seen.

    Tests that count as passed have p-values of 0; by intervals, a p-value is the smallest size of
    the rule's tests whose interval excludes 0.
    """
    contrasts = [
        Contrast("", value, round(n * one.yes_with), n, round(n * one.yes_without), n)
        for value, one in measured.found.by_answer.items()
    ]
    there, absent = contrasts
    right = [there.yes_with, there.yes_without, n - absent.yes_with, n - absent.yes_without]
    groups = Groups(*((int(count), n) for count in right))
    found = stratified_effect(contrasts, level, exact=tests == "exact")
    if tests == "passed":
        by_answer = {a: replace(one, p_value=0.0) for a, one in found.by_answer.items()}
        found = replace(found, p_value=0.0, by_answer=by_answer)
    elif tests == "intervals":
        found = _with_p_values(found, contrasts, (size_of(level), size_of_opposite(level)))
    return _of_groups(Measured(found, groups, groups, (), {}), level)


def _with_p_values(
    found: StratifiedEffect, contrasts: list[Contrast], sizes: tuple[float, ...]
) -> StratifiedEffect:
    """Return the effect with p-values by intervals: the smallest size that excludes 0, or 1."""
    whole, by_answer = 1.0, dict.fromkeys(found.by_answer, 1.0)
    for size in sorted(sizes, reverse=True):
        strict = stratified_effect(contrasts, 1 - size, exact=False)
        whole = size if excludes_zero(strict.interval) else whole
        for value, one in strict.by_answer.items():
            by_answer[value] = size if excludes_zero(one.interval) else by_answer[value]
    return replace(
        found,
        p_value=whole,
        by_answer={v: replace(one, p_value=by_answer[v]) for v, one in found.by_answer.items()},
    )
