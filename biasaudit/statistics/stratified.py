"""The effect of a context on the share of yes answers, within strata, averaged over both answers.

For an object and a context, the effect among images of one right answer a (the object is there, or
it is not) is

    e_a = sum over strata s of w_as * [P(yes | context, a, s) - P(yes | no context, a, s)],

and the effect is (e_1 + e_0) / 2. A stratum is a subset of one source, so that nothing which tells
subsets or sources apart enters. The weights are those of Mantel and Haenszel (1959), w_as
proportional to n1 * n0 / (n1 + n0) with the stratum's numbers of images with (n1) and without (n0)
the context: fixed by the sizes of the groups, least variable where the strata share an effect, and
such that e_a is a linear function of one integer, the number of yes answers with the context. That
makes the permutation test exact (Cochran 1954; Mantel and Haenszel 1959; the distribution by
convolution, Thomas 1975).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from biasaudit.statistics.contrasts import ANSWERS, Contrast
from biasaudit.statistics.permutation import Table, exact_p_value
from biasaudit.statistics.rates import NO_INTERVAL, Interval, check_level

Floats = NDArray[np.float64]

OWN_INTERVAL = 25
"""From so many images in both of its groups on, a stratum has Wilson intervals of its own."""


@dataclass(frozen=True)
class AnswerEffect:
    """The effect among images of one right answer, in [-1, 1].

    Attributes:
        effect: Weighted mean difference of the yes-rates; NaN without a usable stratum.
        interval: Its interval; NaN twice likewise.
        p_value: Two-sided, of the exact permutation test; NaN likewise.
        n_with: Images with the context in the usable strata.
        n_without: Images without it.
        yes_with: Weighted yes-rate with the context; NaN likewise.
        yes_without: Weighted yes-rate without it.
    """

    effect: float
    interval: Interval
    p_value: float
    n_with: int
    n_without: int
    yes_with: float
    yes_without: float


@dataclass(frozen=True)
class StratifiedEffect:
    """The effect over both answers, and of each.

    Attributes:
        effect: Mean of the two answers' effects; NaN where one answer has no usable stratum.
        interval: Its interval; NaN twice likewise.
        p_value: Two-sided, of the exact permutation test of the context inside stratum and answer.
        by_answer: Effect of each answer, keys 1 and 0.
        used: The contrasts that entered.
        left_out: Those without both values of the context.
    """

    effect: float
    interval: Interval
    p_value: float
    by_answer: dict[int, AnswerEffect]
    used: tuple[Contrast, ...]
    left_out: tuple[Contrast, ...]


def stratified_effect(
    contrasts: Sequence[Contrast], level: float = 0.95, *, exact: bool = True
) -> StratifiedEffect:
    """Return the effect of the context with interval and exact p-value.

    The interval adds the squared distances to the Wilson limits of every yes-rate, times its weight
    (MOVER; Newcombe 1998, method 10; Zou and Donner 2008). Strata of fewer than 25 images in a
    group share one Wilson interval of their weighted rate at its effective number of images,
    because the limits of many small groups, added up, are too narrow: coverage .927 with three
    strata of 20 and 11.

    Args:
        contrasts: From :func:`biasaudit.statistics.contrasts.count_contrasts`.
        level: Confidence level, in (0, 1).
        exact: Whether to work out the p-values, which takes a while on very many images; NaN else.

    Returns:
        NaN where an answer has no stratum with both values of the context. The p-value is NaN too
        where counts are not whole (clusters): see
        :func:`biasaudit.statistics.permutation.clustered_p_value`.

    Raises:
        ValueError: The level is impossible.
    """
    check_level(level)
    used = tuple(one for one in contrasts if one.usable)
    by_answer, arms = {}, []
    for value in ANSWERS:
        mine = [one for one in used if one.answer == value]
        by_answer[value], *distances = _answer_effect(mine, level, exact=exact)
        arms.append(distances)
    effect = sum(one.effect for one in by_answer.values()) / len(by_answer)
    down, up = (math.hypot(*side) / 2 for side in zip(*arms, strict=True))
    return StratifiedEffect(
        effect,
        _limits(effect, down, up),
        exact_p_value([_as_tables(used, a) for a in ANSWERS]) if exact else math.nan,
        by_answer,
        used,
        tuple(one for one in contrasts if not one.usable),
    )


def effect_arms(
    yes_with: Floats, n_with: Floats, yes_without: Floats, n_without: Floats, level: float
) -> tuple[Floats, Floats, Floats]:
    """Return the effect among images of one answer, and its distances to both limits.

    Args:
        yes_with: (..., S) yes answers with the context, one a stratum.
        n_with: (S,) images with it, 1 or more.
        yes_without: (..., S) yes answers without it.
        n_without: (S,) images without it, 1 or more.
        level: Confidence level of the limits.

    Returns:
        Three arrays of the leading shape: effect, distance down, distance up.
    """
    weights = n_with * n_without / (n_with + n_without)
    weights = weights / weights.sum()
    small = np.minimum(n_with, n_without) < OWN_INTERVAL
    effect, below, above = np.zeros(()), np.zeros(()), np.zeros(())
    for sign, yes, n in ((1, yes_with, n_with), (-1, yes_without, n_without)):
        rates = yes / n
        effect = effect + sign * (rates * weights).sum(-1)
        for part, sizes, share in _interval_parts(rates, n, weights, small):
            down, up = _wilson_arms(part, sizes, level)
            below = below + ((share * (down if sign > 0 else up)) ** 2).sum(-1)
            above = above + ((share * (up if sign > 0 else down)) ** 2).sum(-1)
    return effect, np.sqrt(below), np.sqrt(above)


def _interval_parts(
    rates: Floats, n: Floats, weights: Floats, small: NDArray[np.bool_]
) -> list[tuple[Floats, Floats, Floats]]:
    """Return rates, sizes and weights of what has an interval: large strata, small ones as one."""
    if not small.any():
        return [(rates, n, weights)]
    parts = [(rates[..., ~small], n[~small], weights[~small])]
    share = weights[small].sum()
    if share > 0:
        pooled = (rates[..., small] * weights[small]).sum(-1, keepdims=True) / share
        # The number of images at which one rate would vary as the weighted rate does; it varies
        # less where the strata's rates differ (p * (1 - p) is concave), so the limits are cautious.
        size = share**2 / (weights[small] ** 2 / n[small]).sum()
        parts.append((np.clip(pooled, 0.0, 1.0), np.array([size]), np.array([share])))
    return parts


def _wilson_arms(rates: Floats, n: Floats, level: float) -> tuple[Floats, Floats]:
    """Return how far Wilson's limits lie below and above rates of ``n`` images, whole or not."""
    z2 = float(special.ndtri(0.5 + level / 2)) ** 2
    centre = (rates * n + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (n * rates * (1 - rates) + z2 / 4)) / (n + z2)
    return np.maximum(0.0, rates - centre + half), np.maximum(0.0, centre + half - rates)


def _answer_effect(
    contrasts: Sequence[Contrast], level: float, *, exact: bool
) -> tuple[AnswerEffect, float, float]:
    """Return the effect among images of one answer, and its distances to both limits."""
    if not contrasts:
        nothing = AnswerEffect(math.nan, NO_INTERVAL, math.nan, 0, 0, math.nan, math.nan)
        return nothing, math.nan, math.nan
    yes_1, n_1, yes_0, n_0 = _arrays(contrasts)
    effect, down, up = (float(value) for value in effect_arms(yes_1, n_1, yes_0, n_0, level))
    weights = np.array([one.weight for one in contrasts])
    with_rate, without_rate = (
        float(np.average(yes / n, weights=weights)) for yes, n in ((yes_1, n_1), (yes_0, n_0))
    )
    found = AnswerEffect(
        effect,
        _limits(effect, down, up),
        exact_p_value([_as_tables(contrasts, contrasts[0].answer)]) if exact else math.nan,
        int(n_1.sum()),
        int(n_0.sum()),
        with_rate,
        without_rate,
    )
    return found, down, up


def _arrays(contrasts: Sequence[Contrast]) -> tuple[Floats, Floats, Floats, Floats]:
    names = ("yes_with", "n_with", "yes_without", "n_without")
    columns = [np.array([getattr(one, name) for one in contrasts], dtype=float) for name in names]
    return columns[0], columns[1], columns[2], columns[3]


def _as_tables(contrasts: Sequence[Contrast], answer: int) -> list[Table]:
    return [
        (one.yes_with, one.n_with, one.yes_without, one.n_without)
        for one in contrasts
        if one.answer == answer
    ]


def _limits(effect: float, down: float, up: float) -> Interval:
    if math.isnan(effect):
        return NO_INTERVAL
    return max(-1.0, effect - down), min(1.0, effect + up)
