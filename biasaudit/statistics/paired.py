"""Two answers to the same images: two models, or one model before and after an edit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from biasaudit.statistics.rates import (
    NO_INTERVAL,
    Interval,
    combined_interval,
    rate,
    wilson_interval,
)


@dataclass(frozen=True)
class Paired:
    """Four counts of images that two models answered.

    Attributes:
        both: Both right.
        first_only: The first alone right.
        second_only: The second alone right.
        neither: Both wrong.
    """

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def n(self) -> int:
        """How many images there are."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def difference(self) -> float:
        """The first's rate less the second's; NaN without images."""
        return rate(self.first_only - self.second_only, self.n)

    def __add__(self, other: Paired) -> Paired:
        return Paired(
            self.both + other.both,
            self.first_only + other.first_only,
            self.second_only + other.second_only,
            self.neither + other.neither,
        )


@dataclass(frozen=True)
class Flips:
    """How often an edit turns the answer.

    Attributes:
        turned: Pairs whose answer the edit turned in the direction asked for.
        n: Pairs that gave the first answer before the edit.
        rate: ``turned / n``; NaN where ``n`` is 0.
        interval: Wilson's.
    """

    turned: int
    n: int
    rate: float
    interval: Interval


def count_pairs(first: ArrayLike, second: ArrayLike) -> Paired:
    """Count the answers of two models on the same images.

    Args:
        first: (N,) 1 where the first model is right, else 0.
        second: (N,) the same for the second, in the same order.

    Raises:
        ValueError: The lengths differ.
    """
    a, b = np.asarray(first).ravel() == 1, np.asarray(second).ravel() == 1
    if a.shape != b.shape:
        raise ValueError(f"{a.size} answers of the first model and {b.size} of the second")
    return Paired(
        int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum())
    )


def mcnemar(pairs: Paired) -> float:
    """Return the exact two-sided p-value of McNemar's test.

    Of the images on which the models differ, each is right as often as the other under the
    hypothesis; the size never exceeds the level. 1 where they never differ, NaN without images.
    """
    differing = pairs.first_only + pairs.second_only
    if pairs.n == 0:
        return math.nan
    return float(stats.binomtest(pairs.first_only, differing).pvalue) if differing else 1.0


def paired_interval(pairs: Paired, level: float = 0.95) -> Interval:
    """Return the interval of the difference of two rates on the same images.

    Newcombe (1998), "Improved confidence intervals for the difference between binomial proportions
    based on paired data", method 10: Wilson limits squared and added, less their correlation. It
    keeps a width where the models never differ.

    Returns:
        Lower and upper limit of first less second, in [-1, 1]; NaN twice without images.
    """
    n = pairs.n
    if n == 0:
        return NO_INTERVAL
    down_1, up_1 = _arms(pairs.both + pairs.first_only, n, level)
    down_2, up_2 = _arms(pairs.both + pairs.second_only, n, level)
    phi = _correlation(pairs)
    down = math.sqrt(max(0.0, down_1**2 - 2 * phi * down_1 * up_2 + up_2**2))
    up = math.sqrt(max(0.0, up_1**2 - 2 * phi * up_1 * down_2 + down_2**2))
    return max(-1.0, pairs.difference - down), min(1.0, pairs.difference + up)


def mean_paired_interval(groups: Sequence[Paired], level: float = 0.95) -> Interval:
    """Return the interval of the unweighted mean of the groups' paired differences.

    Args:
        groups: The counts of groups that share no image.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper limit; NaN twice where a group is empty or there is none.
    """
    if not groups:
        return NO_INTERVAL
    return combined_interval(
        [1 / len(groups)] * len(groups),
        [group.difference for group in groups],
        [paired_interval(group, level) for group in groups],
    )


def flip_rates(before: ArrayLike, after: ArrayLike, level: float = 0.95) -> tuple[Flips, Flips]:
    """Return how often an edit turns yes into no, and no into yes.

    Args:
        before: (N,) decision on the images as they are, 1 or 0.
        after: (N,) decision on their edited versions, in the same order.
        level: Of Wilson's intervals.

    Raises:
        ValueError: The lengths differ.
    """
    counts = count_pairs(before, after)
    return (
        _flips(counts.first_only, counts.both + counts.first_only, level),
        _flips(counts.second_only, counts.second_only + counts.neither, level),
    )


def _flips(turned: int, n: int, level: float) -> Flips:
    return Flips(turned, n, rate(turned, n), wilson_interval(turned, n, level))


def _arms(successes: int, n: int, level: float) -> tuple[float, float]:
    """Return how far the Wilson limits lie below and above the rate."""
    low, high = wilson_interval(successes, n, level)
    return successes / n - low, high - successes / n


def _correlation(pairs: Paired) -> float:
    """Return Newcombe's phi: the correlation of the two answers, with continuity correction."""
    a, b, c, d = pairs.both, pairs.first_only, pairs.second_only, pairs.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    excess = float(a * d - b * c)
    if excess > 0:
        excess = max(0.0, excess - pairs.n / 2)
    return excess / math.sqrt(margins)
