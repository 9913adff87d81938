"""The rule of the verdict: from an effect with interval and p-value to one of three answers.

- *no bias shown*: the interval of each right answer's effect lies within the margin (so that two
  opposite effects never cancel), and the model is shown to know the object, in every subset that
  enters: mean accuracy above .5 by more than twice the margin;
- *biased*: the interval of the effect lies above 0, or at the margin and beyond on the other side
  (a model that answers against the context), and the permutation test has p <= (1 - level) / 2; or
  both right answers have an effect, in opposite directions, each by its own interval and with
  p <= (1 - level) / 5 (by chance in 1 of 20,000 audits);
- *cannot tell*: anything else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from biasaudit.results import Answer, AnswerEffect, VerdictKind, known_from
from biasaudit.statistics.rates import Interval

_OPPOSITE = 5
"""Two opposite effects need p-values so many times smaller than 1 - level."""


def size_of(level: float) -> float:
    """Return the size of the permutation test at a confidence level: half of what is left.

    A test of size .05 convicts more than 5% of 200 contexts drawn at random in four trials of ten;
    one of .025, in one of seventy. Rounded, so that a level such as 1 - .05 / 3 does not miss a
    p-value that equals its size.
    """
    return round((1 - level) / 2, 12)


@dataclass(frozen=True)
class Estimate:
    """What the rule looks at, whatever the evidence.

    Attributes:
        effect: Mean of the two answers' effects.
        interval: Its interval.
        p_value: Two-sided.
        by_answer: Effect of each right answer.
        knowledge: Interval of the mean accuracy of the four groups, in the subset where it is
            lowest.
    """

    effect: float
    interval: Interval
    p_value: float
    by_answer: Mapping[Answer, AnswerEffect]
    knowledge: Interval


def decide(found: Estimate, margin: float, level: float) -> VerdictKind:
    """Apply the rule.

    Args:
        found: The effect.
        margin: The smallest effect that counts, in (0, 1).
        level: Confidence level of the intervals; see :func:`size_of` for the tests.
    """
    inside = [
        -margin < one.effect_ci[0] and one.effect_ci[1] < margin for one in found.by_answer.values()
    ]
    if len(inside) == 2 and all(inside) and knows(found, margin):
        return "no_bias_shown"
    low, high = found.interval
    # Where things are harder to see in the context, an unbiased model says yes a little less there.
    if (low > 0 or high <= -margin) and found.p_value <= size_of(level):
        return "biased"
    return "biased" if opposite(found, level) else "cannot_tell"


def knows(found: Estimate, margin: float) -> bool:
    """Whether the object itself moves the share of yes answers by more than four margins."""
    return found.knowledge[0] > known_from(margin)


def size_of_opposite(level: float) -> float:
    """Return the size of each answer's test where the two have opposite effects."""
    return round((1 - level) / _OPPOSITE, 12)


def opposite(found: Estimate, level: float) -> bool:
    """Whether the context moves the two right answers in opposite directions, each surely."""
    if len(found.by_answer) < 2:
        return False
    size = size_of_opposite(level)
    there, absent = found.by_answer["yes"], found.by_answer["no"]
    return there.effect * absent.effect < 0 and all(
        excludes_zero(one.effect_ci) and one.p_value <= size for one in (there, absent)
    )


def excludes_zero(interval: Interval) -> bool:
    """Whether an interval lies on one side of 0; False where there is none."""
    low, high = interval
    return not math.isnan(low) and (low > 0 or high < 0)
