"""Rates and their intervals: one proportion, and sums and differences of independent ones.

Wilson's interval (1927) holds its level where the plain one fails, near 0 and 1 and for the dozens
of images that a counterfactual group has. Sums and differences of independent rates combine the
Wilson limits by squaring and adding them (Newcombe 1998; Zou and Donner 2008, "MOVER").
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

Interval = tuple[float, float]
Count = tuple[int, int]
"""Successes and trials."""

NO_INTERVAL: Interval = (math.nan, math.nan)


def check_level(level: float) -> float:
    """Return a confidence level that lies strictly between 0 and 1.

    Raises:
        ValueError: It does not.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies between 0 and 1, not at {level}")
    return level


def rate(successes: int, n: int) -> float:
    """Return ``successes / n``, or NaN where there was no trial."""
    return successes / n if n else math.nan


def wilson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion, without continuity correction.

    Args:
        successes: Right answers, 0 to ``n``.
        n: Images.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper limit in [0, 1]; NaN twice where ``n`` is 0.

    Raises:
        ValueError: The counts or the level are impossible.
    """
    check_level(level)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return NO_INTERVAL
    z2 = float(special.ndtri(0.5 + level / 2)) ** 2
    centre = (successes + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2)
    # Both limits are exact at the ends in theory; rounding must not lose that.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def combined_interval(
    weights: Sequence[float], estimates: Sequence[float], intervals: Sequence[Interval]
) -> Interval:
    """Return the interval of a weighted sum of independent estimates (MOVER).

    Each term gives its own distance to the limit on its side, and the distances are squared and
    added, so that the asymmetry of the single intervals survives.

    Args:
        weights: One a term; negative for what is subtracted.
        estimates: The terms' estimates.
        intervals: The terms' intervals, all of the level that the result shall have.

    Returns:
        Lower and upper limit; NaN twice where a term is NaN or there is none.
    """
    terms = list(zip(weights, estimates, intervals, strict=True))
    if not terms or any(math.isnan(v) for _, e, (lo, hi) in terms for v in (e, lo, hi)):
        return NO_INTERVAL
    centre = math.fsum(w * e for w, e, _ in terms)
    down = math.hypot(*(w * (e - (lo if w > 0 else hi)) for w, e, (lo, hi) in terms))
    up = math.hypot(*(w * (e - (hi if w > 0 else lo)) for w, e, (lo, hi) in terms))
    return centre - down, centre + up


def mean_of_rates_interval(counts: Sequence[Count], level: float = 0.95) -> Interval:
    """Return the interval of the unweighted mean of independent rates.

    The paper's "overall" accuracy of a biased split is such a mean: of its two groups.

    Args:
        counts: Successes and trials of each group.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper limit in [0, 1]; NaN twice where a group is empty or there is none.
    """
    if not counts:
        return NO_INTERVAL
    return combined_interval(
        [1 / len(counts)] * len(counts),
        [rate(k, n) for k, n in counts],
        [wilson_interval(k, n, level) for k, n in counts],
    )


def gap_interval(first: Sequence[Count], second: Sequence[Count], level: float = 0.95) -> Interval:
    """Return the interval of the mean rate of ``first`` less the mean rate of ``second``.

    With one group on either side this is Newcombe's hybrid score interval (1998, method 10).

    Args:
        first: Successes and trials of the groups on the one side (the aligned groups).
        second: The same for the other side (the conflicting groups); no image is in both.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper limit in [-1, 1]; NaN twice where a group is empty or a side has none.
    """
    if not first or not second:
        return NO_INTERVAL
    groups = [*first, *second]
    weights = [1 / len(first)] * len(first) + [-1 / len(second)] * len(second)
    return combined_interval(
        weights, [rate(k, n) for k, n in groups], [wilson_interval(k, n, level) for k, n in groups]
    )


def constant_baseline(labels: ArrayLike) -> float:
    """Return the accuracy of the best constant answer: the share of the commoner label.

    Args:
        labels: (N,) 0 or 1 an image.

    Returns:
        A value in [0.5, 1]; NaN where there is no image.

    Raises:
        ValueError: A label is neither 0 nor 1.
    """
    values = np.asarray(labels).ravel()
    if not np.isin(values, (0, 1)).all():
        raise ValueError("labels are 0 or 1")
    positives = int(np.count_nonzero(values))
    return rate(max(positives, values.size - positives), values.size)
