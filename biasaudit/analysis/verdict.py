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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from biasaudit.analysis.edited_pairs import PairEvidence, measure_pairs
from biasaudit.analysis.effect import Groups, Measured, Shift, measure_effect, measure_shift
from biasaudit.analysis.rule import AnswerFigures, Estimate, Kind, decide
from biasaudit.analysis.verdict_text import follow_verdict, say, say_nothing_decides
from biasaudit.statistics.contrasts import Contrast
from biasaudit.statistics.rates import (
    Interval,
    check_level,
    mean_of_rates_interval,
    wilson_interval,
)
from biasaudit.statistics.stratified import stratified_effect

MARGIN = 0.05
"""Effects below this do not count: the smallest difference in yes-rates that matters."""
FEWEST = 8
"""Below so many images in one of the four groups, edited pairs decide where there are any."""
_MOST_IMAGES = 100_000
_EXACT_UP_TO = 1000

Evidence = Literal["same-subset groups", "edited pairs", "none"]


@dataclass(frozen=True)
class Verdict:
    """What an audit concludes of one object and one context.

    Attributes:
        kind: One of three.
        headline: As a report prints it, such as "biased by water".
        reason: One sentence with the figures that decided.
        evidence: What decided.
        effect: How much oftener the model says yes with the context than without it, the mean over
            the two right answers; NaN where no evidence gives it.
        effect_ci: Its interval.
        p_value: Two-sided, of the permutation test.
        by_answer: The effect of each right answer, keys 1 (the object is there) and 0.
        groups: The four groups of the images as they are that entered the effect.
        strata: Subsets (and sources) that entered.
        left_out: Number of images by the reason for which they did not.
        pairs: What edited pairs say, whether they decided or not; None without any.
        shift: Accuracy on val against test where the context points to the right answer; None
            where one of them lacks such images.
        margin: The smallest effect that counts.
        level: Confidence level of the intervals; one less the size of the tests.
        images_needed: Images a group at which the rates seen would decide; None where they would
            not, or where the verdict stands already.
    """

    kind: Kind
    headline: str
    reason: str
    evidence: Evidence
    effect: float
    effect_ci: Interval
    p_value: float
    by_answer: Mapping[int, AnswerFigures]
    groups: Groups
    strata: tuple[str, ...]
    left_out: Mapping[str, int]
    pairs: PairEvidence | None
    shift: Shift | None
    margin: float
    level: float
    images_needed: int | None = None


def judge(
    rows: pd.DataFrame,
    object: str,
    context: str,
    *,
    margin: float = MARGIN,
    level: float = 0.95,
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
    if evidence == "none":
        kind, headline, reason = say_nothing_decides(measured, context)
    elif estimate is None:
        kind, headline, reason = follow_verdict(pairs, object, context, level)
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
        effect=estimate.effect if estimate else math.nan,
        effect_ci=estimate.interval if estimate else (math.nan, math.nan),
        p_value=_p_value(estimate, pairs),
        by_answer=estimate.by_answer if estimate else {},
        groups=measured.groups,
        strata=measured.strata,
        left_out=measured.left_out,
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
    return None if math.isnan(found.effect) and math.isnan(found.follow_p) else found


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
    return (None if math.isnan(pairs.effect) else _of_pairs(pairs, level)), "edited pairs"


def _of_groups(measured: Measured, level: float) -> Estimate:
    found = measured.found
    by_answer = {
        value: AnswerFigures(one.effect, one.interval, one.p_value, one.n_with, one.n_without)
        for value, one in found.by_answer.items()
    }
    knowledge = mean_of_rates_interval(measured.groups.counts, level)
    return Estimate(found.effect, found.interval, found.p_value, by_answer, knowledge)


def _of_pairs(pairs: PairEvidence, level: float) -> Estimate:
    by_answer = {
        value: AnswerFigures(one.effect, one.interval, one.p_value, one.n, one.n)
        for value, one in pairs.by_answer.items()
    }
    right, n = pairs.accuracy
    # Two versions of one image count as one answer.
    knowledge = wilson_interval(right // 2, n // 2, level)
    return Estimate(pairs.effect, pairs.interval, pairs.p_value, by_answer, knowledge)


def _p_value(estimate: Estimate | None, pairs: PairEvidence | None) -> float:
    if estimate is not None:
        return estimate.p_value
    return math.nan if pairs is None else pairs.follow_p


def images_needed(measured: Measured, margin: float, level: float) -> int | None:
    """Return from how many images a group on the rates seen would decide.

    Found by halving with the intervals alone, and then raised by steps of 2% to where the whole
    rule decides. Above 1000 images a group, intervals and exact test agree and the test is spared.

    Args:
        measured: The effect; the rates are those of its answers, each weighted over the strata.
        margin: The smallest effect that counts.
        level: Confidence level.
    """

    def decides(n: int, *, exact: bool) -> bool:
        estimate = _expected(measured, n, level, exact=exact)
        return decide(estimate, margin, level) != "cannot_tell"

    low, high = 1, 2
    while not decides(high, exact=False):
        low, high = high, high * 2
        if high > _MOST_IMAGES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle, exact=False) else (middle, high)
    while high <= _EXACT_UP_TO and not decides(high, exact=True):
        high += math.ceil(high / 50)
    return high


def _expected(measured: Measured, n: int, level: float, *, exact: bool) -> Estimate:
    """Return what ``n`` images a group would give on the rates seen; p-values of 0 if not exact."""
    contrasts = [
        Contrast("", value, round(n * one.yes_with), n, round(n * one.yes_without), n)
        for value, one in measured.found.by_answer.items()
    ]
    there, absent = contrasts
    right = [there.yes_with, there.yes_without, n - absent.yes_with, n - absent.yes_without]
    groups = Groups(*((int(count), n) for count in right))
    found = stratified_effect(contrasts, level, exact=exact)
    estimate = _of_groups(Measured(found, groups, (), {}), level)
    if exact:
        return estimate
    by_answer = {a: replace(one, p_value=0.0) for a, one in estimate.by_answer.items()}
    return replace(estimate, p_value=0.0, by_answer=by_answer)
