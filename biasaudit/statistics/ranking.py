"""The area under the ROC curve and its interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from biasaudit.statistics.rates import NO_INTERVAL, Interval, check_level


def auroc(positive_scores: ArrayLike, negative_scores: ArrayLike) -> float:
    """Return the probability that a positive scores above a negative, ties counting one half.

    Args:
        positive_scores: (P,) scores of the images with the object.
        negative_scores: (N,) scores of the images without.

    Returns:
        A value in [0, 1]; NaN where a side is empty or a score is NaN.
    """
    positives = np.asarray(positive_scores, dtype=np.float64).ravel()
    negatives = np.asarray(negative_scores, dtype=np.float64).ravel()
    p, n = positives.size, negatives.size
    if p == 0 or n == 0:
        return math.nan
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    return float((ranks[:p].sum() - p * (p + 1) / 2) / (p * n))


def auroc_interval(
    positive_scores: ArrayLike, negative_scores: ArrayLike, level: float = 0.95
) -> Interval:
    """Return a score interval of the area under the ROC curve.

    Newcombe (2006), "Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic", Part 2, method 5: the limits are the areas from which the estimate lies exactly
    z standard errors away, the standard error being that of the *limit*. It therefore stays
    inside [0, 1] and keeps a width where the estimate is 0 or 1.

    Args:
        positive_scores: (P,) scores of the images with the object.
        negative_scores: (N,) scores of the images without.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper limit; NaN twice where a side is empty or a score is NaN.
    """
    check_level(level)
    p, n = np.size(positive_scores), np.size(negative_scores)
    area = auroc(positive_scores, negative_scores)
    if math.isnan(area):
        return NO_INTERVAL
    z2 = float(special.ndtri(0.5 + level / 2)) ** 2
    low = _lower_limit(area, p, n, z2)
    # The variance is symmetric about one half, so the upper limit is the mirrored lower one.
    high = 1.0 - _lower_limit(1.0 - area, p, n, z2)
    return low, high


def _lower_limit(area: float, p: int, n: int, z2: float) -> float:
    """Solve (area - x)^2 = z^2 V(x) for x below ``area``."""
    if area <= 0.0:
        return 0.0

    def excess(x: float) -> float:
        return (area - x) ** 2 - z2 * _variance(x, p, n)

    # At an area of 1 the area itself is a root, and the limit is the other one: start below it.
    top = area if area < 1.0 else 1.0 - 1e-9
    return float(optimize.brentq(excess, 0.0, top, xtol=1e-12))


def _variance(x: float, p: int, n: int) -> float:
    """Return the variance of the estimate where the true area is ``x`` (Newcombe's V5)."""
    pairs = (p + n) / 2 - 1
    return x * (1 - x) * (1 + pairs * ((1 - x) / (2 - x) + x / (1 + x))) / (p * n)
