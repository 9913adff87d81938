"""The verdict on one object and one context, by the rule that docs/verdict.md explains.

Three answers: the model is biased by the context, no bias is shown, or the images are too few (or
the model too poor) to tell. The decision rests on an interval, never on a point estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from biasaudit.results.schema import Agreement, VerdictKind
from biasaudit.statistics import (
    Count,
    Interval,
    gap_interval,
    mean_of_rates_interval,
    rate,
)

MARGIN = 0.05
"""Gaps below this do not count as bias: the smallest difference in accuracy that matters."""


_MOST_IMAGES = 100_000


@dataclass(frozen=True)
class Attention:
    """Where the object's attention lies, beyond what a uniform map would put there.

    Each is the interval of a mean over images: the share of the map's energy inside the region,
    less the region's area fraction. NaN where it was not measured.

    Attributes:
        object_excess: On the object, over the images that show it without the context.
        context_excess: On the context, over the images that show it without the object.
    """

    object_excess: Interval = (math.nan, math.nan)
    context_excess: Interval = (math.nan, math.nan)

    @property
    def agreement(self) -> Agreement:
        """Whether the attention speaks for a bias.

        It agrees where it lies on the context above chance, or misses the object; it disagrees
        where it lies on the object above chance and not on the context.
        """
        if self.context_excess[0] > 0 or self.object_excess[1] <= 0:
            return "agrees"
        if self.object_excess[0] > 0:
            return "disagrees"
        return "unknown"


@dataclass(frozen=True)
class Judgement:
    """What an audit concludes.

    Attributes:
        kind: One of three.
        headline: As a report prints it, such as "biased by water".
        reason: One sentence with the figures that decided.
        effect: Mean accuracy on the aligned groups less that on the conflicting ones: the effect of
            the context on the share of yes answers. NaN where a group is empty.
        effect_ci: Its interval.
        aligned_ci: Interval of the mean accuracy on the aligned groups.
        margin: The smallest effect that counts.
        level: Confidence level of the intervals.
        attention: Whether the attention speaks for a bias.
        images_needed: Images a group at which the rates seen would decide; None where they would
            not, or where the verdict stands already.
    """

    kind: VerdictKind
    headline: str
    reason: str
    effect: float
    effect_ci: Interval
    aligned_ci: Interval
    margin: float
    level: float
    attention: Agreement
    images_needed: int | None = None


def judge(
    context: str,
    aligned: Mapping[str, Count],
    conflicting: Mapping[str, Count],
    attention: Attention | None = None,
    *,
    margin: float = MARGIN,
    level: float = 0.95,
) -> Judgement:
    """Judge one object and one context.

    Args:
        context: The suspected context, for the headline.
        aligned: Right answers and images of the groups in which context and answer go together
            (the object with the context, neither of them).
        conflicting: The same for the groups in which they do not.
        attention: Where the object's attention lies, if that was measured.
        margin: The smallest gap that counts as bias, in (0, 1).
        level: Confidence level of the intervals, in (0, 1). To judge many pairs at once, give
            1 - 0.05 / number of pairs.

    Raises:
        ValueError: A count, the margin or the level is impossible.
    """
    if not 0.0 < margin < 1.0:
        raise ValueError(f"the margin lies between 0 and 1, not at {margin}")
    agreement = (attention or Attention()).agreement
    first, second = list(aligned.values()), list(conflicting.values())
    effect = _mean_rate(first) - _mean_rate(second)
    effect_ci = gap_interval(first, second, level)
    aligned_ci = mean_of_rates_interval(first, level)
    kind, reason = _decide(effect_ci, aligned_ci, agreement, margin)
    needed = None
    if kind == "cannot_tell" and not math.isnan(effect):
        needed = _images_needed(first, second, agreement, margin, level)
    return Judgement(
        kind,
        _headline(kind, context, poor=aligned_ci[0] <= 0.5 and needed is None),
        reason,
        effect,
        effect_ci,
        aligned_ci,
        margin,
        level,
        agreement,
        needed,
    )


def _decide(
    gap: Interval, aligned: Interval, agreement: Agreement, margin: float
) -> tuple[VerdictKind, str]:
    low, high = gap
    if math.isnan(low):
        return "cannot_tell", "A group has no images."
    span = f"{100 * low:+.1f} to {100 * high:+.1f} points"
    if not aligned[0] > 0.5:
        return "cannot_tell", (
            "Where the context helps it, the model is not shown to beat a constant answer, so a "
            "lack of a gap would say nothing."
        )
    if -margin < low and high < margin:
        return "no_bias_shown", (
            f"The gap between aligned and conflicting images is {span}, less than "
            f"{100 * margin:g} either way."
        )
    if high < 0:
        low, high = -high, -low
        span += " (the model answers against the context)"
    if low >= margin:
        return "biased", f"The gap between aligned and conflicting images is {span}."
    if low > 0 and agreement == "agrees":
        return "biased", (
            f"The gap between aligned and conflicting images is {span}, and the attention agrees."
        )
    if low > 0:
        said = "contradicts it" if agreement == "disagrees" else "does not settle it"
        return "cannot_tell", (
            f"The gap between aligned and conflicting images is {span}; it may be under "
            f"{100 * margin:g}, and the attention {said}."
        )
    return "cannot_tell", (
        f"The gap between aligned and conflicting images is {span}: none at all, or one of "
        f"{100 * margin:g} and more."
    )


def _headline(kind: VerdictKind, context: str, *, poor: bool) -> str:
    if kind == "biased":
        return f"biased by {context}"
    if kind == "no_bias_shown":
        return "no bias shown"
    return "cannot tell (the model knows too little)" if poor else "cannot tell (n too small)"


def _mean_rate(groups: list[Count]) -> float:
    return math.fsum(rate(k, n) for k, n in groups) / len(groups) if groups else math.nan


def _images_needed(
    aligned: list[Count],
    conflicting: list[Count],
    agreement: Agreement,
    margin: float,
    level: float,
) -> int | None:
    """Return from how many images a group on the rates seen would decide, found by halving."""

    def decides(n: int) -> bool:
        first = [(round(n * rate(*group)), n) for group in aligned]
        second = [(round(n * rate(*group)), n) for group in conflicting]
        kind, _ = _decide(
            gap_interval(first, second, level),
            mean_of_rates_interval(first, level),
            agreement,
            margin,
        )
        return kind != "cannot_tell"

    low, high = 1, 2
    while not decides(high):
        low, high = high, high * 2
        if high > _MOST_IMAGES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
