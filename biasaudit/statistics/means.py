"""The interval of a mean of per-image values, such as the overlap of attention."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from biasaudit.statistics.rates import NO_INTERVAL, Interval, check_level

RESAMPLES = 2000
_FEWEST_FOR_BOOTSTRAP = 8
_VALUES_AT_ONCE = 200_000
"""Resampled values held at a time, so that memory does not grow with the images."""


def mean_interval(
    values: ArrayLike,
    level: float = 0.95,
    seed: int = 0,
    bounds: Interval | None = (0.0, 1.0),
) -> Interval:
    """Return the interval of the mean of independent values, leaving NaN out.

    By the studentised bootstrap (Efron and Tibshirani 1993, chapter 12.5), because overlaps are
    skewed, often with many zeros. Nominal 95% intervals of 16 skewed overlaps held the mean in
    96-97% of 1000 samples; Student's t in 92%, BCa in 92%, percentiles in 90%. With 200 values
    all of them hold 95%. Below 8 values, where too few resamples differ, Student's t.

    Args:
        values: (N,) one value an image; NaN where the image cannot be measured.
        level: Confidence level, in (0, 1).
        seed: Of the resamples: the same values and seed give the same interval.
        bounds: What the mean cannot leave, by default [0, 1]; None for values without bounds.

    Returns:
        Lower and upper limit; NaN twice where fewer than two values are there or all are alike,
        for such values say nothing of their spread.

    Raises:
        ValueError: The level is impossible.
    """
    check_level(level)
    kept = np.asarray(values, dtype=np.float64).ravel()
    kept = kept[~np.isnan(kept)]
    if kept.size < 2 or np.ptp(kept) <= 1e-12 * np.abs(kept).max():
        return NO_INTERVAL
    tail = (1 - level) / 2
    error = kept.std(ddof=1) / math.sqrt(kept.size)
    if kept.size < _FEWEST_FOR_BOOTSTRAP:
        quantile = float(special.stdtrit(kept.size - 1, 1 - tail))
        low_t, high_t = -quantile, quantile
    else:
        low_t, high_t = np.quantile(_studentised_means(kept, seed), [tail, 1 - tail])
    low, high = float(kept.mean() - high_t * error), float(kept.mean() - low_t * error)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return low, high


def _studentised_means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return, for each resample, how many of its own standard errors its mean lies off."""
    n = values.size
    # Centred first, so that a large common offset costs no digits.
    centred = values - values.mean()
    rng = np.random.default_rng(seed)
    at_once = max(1, _VALUES_AT_ONCE // n)
    means, spreads = [], []
    for start in range(0, RESAMPLES, at_once):
        samples = centred[rng.integers(0, n, size=(min(at_once, RESAMPLES - start), n))]
        means.append(samples.mean(axis=1))
        spreads.append(samples.std(axis=1, ddof=1))
    mean, spread = np.concatenate(means), np.concatenate(spreads)
    # A resample that drew one value alone has no standard error and cannot be studentised.
    usable = spread > 1e-12 * np.abs(centred).max()
    return np.asarray(mean[usable] / (spread[usable] / math.sqrt(n)))
