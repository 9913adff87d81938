"""The stratified bootstrap of any figure, with whole pairs or clusters kept together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from biasaudit.statistics.figures import Figure, Floats, value_of
from biasaudit.statistics.rates import NO_INTERVAL, Interval, check_level

RESAMPLES = 2000
_WEIGHTS_AT_ONCE = 4_000_000
_FEWEST_DEFINED = 0.9
"""Below this share of resamples in which the figure exists, there is no interval."""


@dataclass(frozen=True)
class Resampled:
    """A figure with its interval.

    Attributes:
        estimate: The figure on the images themselves; NaN where it does not exist.
        interval: Percentile interval; NaN twice where no resample differs.
        p_value: Two-sided, of "the figure is zero": the share of resamples beyond zero, doubled.
            Means something where the figure is a difference. NaN where there is no interval.
    """

    estimate: float
    interval: Interval
    p_value: float


@dataclass(frozen=True)
class SeedLevels:
    """One figure over several trainings: how much is the seed's doing, how much the images'.

    Attributes:
        mean: Mean over the seeds.
        interval: Of the mean over all seeds and all images that might have been drawn.
        sd_seeds: Standard deviation between seeds, with the images' part taken off; NaN for one.
        se_images: Standard error of the mean that the choice of the images gives.
        n_seeds: How many there are. With one seed the interval speaks of the images alone.
        p_value: Two-sided, of "the mean is zero". Means something where the figure is a
            difference. NaN where there is no interval.
    """

    mean: float
    interval: Interval
    sd_seeds: float
    se_images: float
    n_seeds: int
    p_value: float


def bootstrap(
    figure: Figure,
    strata: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
    clusters: ArrayLike | None = None,
) -> Resampled:
    """Return a figure with its percentile interval under the stratified bootstrap.

    Each stratum of n units gives n - 1 draws (Rao and Wu 1988), which makes the resamples' variance
    unbiased. In 600 simulated audits of 16 + 50, 50 + 50 and 200 + 200 images the nominal 95%
    intervals of differences in accuracy and AUROC held 94-96%, of worst-group accuracy 94-98%
    (BCa's: 91%).

    Args:
        figure: From :mod:`biasaudit.statistics.figures`; recomputed as a whole in each resample.
        strata: (N,) what each image belongs to (its group); the sizes of the strata stay.
        level: Confidence level, in (0, 1).
        seed: Of the resamples: the same input and seed give the same interval.
        resamples: How many.
        clusters: (N,) which images are drawn together (the versions of an edited pair), or None.
            Clusters that fall into the same strata form a stratum of clusters.

    Raises:
        ValueError: The level is impossible, or the arrays differ in length.
    """
    check_level(level)
    units, groups = _units(strata, clusters)
    estimate = value_of(figure, len(units))
    draws = np.concatenate([figure(w) for w in _weights(units, groups, resamples, seed)])
    usable = draws[~np.isnan(draws)]
    if math.isnan(estimate) or usable.size < _FEWEST_DEFINED * resamples or np.ptp(usable) < 1e-12:
        return Resampled(estimate, NO_INTERVAL, math.nan)
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    beyond = min(np.sum(usable <= 0), np.sum(usable >= 0)) + 1
    p_value = min(1.0, 2 * float(beyond) / (usable.size + 1))
    return Resampled(estimate, (float(low), float(high)), p_value)


def across_seeds(
    figures: list[Figure],
    strata: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
    clusters: ArrayLike | None = None,
    bounds: Interval | None = None,
) -> SeedLevels:
    """Return the mean of one figure over several trainings, audited on the same images.

    The seeds' figures vary because trainings differ and because each met the images in its own
    way; the bootstrap of the images measures the second part (variance less covariance between
    seeds), and what remains of the variance between seeds is the first. The mean's variance is
    that first part over the number of seeds plus the images' part; its degrees of freedom are
    Satterthwaite's.

    Args:
        figures: The figure of each seed's run, on the same images in the same order.
        strata: (N,) what each image belongs to (its group).
        level: Confidence level, in (0, 1).
        seed: Of the resamples.
        resamples: How many.
        clusters: (N,) which images are drawn together, or None; as for :func:`bootstrap`.
        bounds: What the mean cannot leave; None for a figure without bounds.

    Raises:
        ValueError: No figure is given, the level is impossible, or the arrays differ in length.
    """
    check_level(level)
    if not figures:
        raise ValueError("no seed is given")
    units, groups = _units(strata, clusters)
    values = np.array([value_of(figure, len(units)) for figure in figures])
    draws = np.concatenate(
        [
            np.stack([figure(w) for figure in figures], axis=1)
            for w in _weights(units, groups, resamples, seed)
        ]
    )
    draws = draws[~np.isnan(draws).any(axis=1)]
    n = len(figures)
    if np.isnan(values).any() or len(draws) < _FEWEST_DEFINED * resamples:
        return SeedLevels(float(values.mean()), NO_INTERVAL, math.nan, math.nan, n, math.nan)
    of_images, of_seeds = _variances(values, draws)
    free = max(1, sum(len(group) - 1 for group in groups))
    mean, error = float(values.mean()), math.sqrt(of_images + of_seeds / n)
    student = _student(of_images, free, of_seeds / n, n - 1)
    spread = math.sqrt(of_seeds) if n > 1 else math.nan
    if student is None:
        return SeedLevels(mean, NO_INTERVAL, spread, math.sqrt(of_images), n, math.nan)
    interval = _around(mean, float(student.ppf((1 + level) / 2)) * error, bounds)
    p_value = 2 * float(student.sf(abs(mean) / error))
    return SeedLevels(mean, interval, spread, math.sqrt(of_images), n, p_value)


def _variances(values: Floats, draws: Floats) -> tuple[float, float]:
    """Return the images' part of the mean's variance, and the variance between seeds."""
    of_images = float(draws.mean(axis=1).var())
    n = len(values)
    if n == 1:
        return of_images, 0.0
    covariance = np.cov(draws, rowvar=False)
    shared = (covariance.sum() - np.trace(covariance)) / (n * (n - 1))
    own = np.trace(covariance) / n - shared
    return of_images, max(0.0, float(values.var(ddof=1) - own))


def _student(of_images: float, free_images: int, of_seeds: float, free_seeds: int) -> Any:
    """Return Student's t for a variance of two parts (Satterthwaite); None where it is 0."""
    variance = of_images + of_seeds
    if variance <= 0:
        return None
    spent = of_images**2 / free_images + (of_seeds**2 / free_seeds if of_seeds else 0.0)
    return stats.t(variance**2 / spent)


def _around(centre: float, half: float, bounds: Interval | None) -> Interval:
    low, high = centre - half, centre + half
    if bounds is None:
        return low, high
    return max(low, bounds[0]), min(high, bounds[1])


def _units(
    strata: ArrayLike, clusters: ArrayLike | None
) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Return (N,) the unit of each image, and the units of each stratum."""
    names = np.asarray(strata).ravel()
    if clusters is None:
        units = np.arange(len(names))
    else:
        units = np.unique(np.asarray(clusters).ravel(), return_inverse=True)[1]
        if len(units) != len(names):
            raise ValueError(f"{len(names)} strata and {len(units)} clusters")
    signatures: dict[int, list[str]] = {}
    for unit, name in zip(units.tolist(), names.tolist(), strict=True):
        signatures.setdefault(unit, []).append(str(name))
    groups: dict[tuple[str, ...], list[int]] = {}
    for unit in sorted(signatures):
        groups.setdefault(tuple(sorted(signatures[unit])), []).append(unit)
    return units, [np.array(groups[key], dtype=np.intp) for key in sorted(groups)]


def _weights(
    units: NDArray[np.intp], groups: list[NDArray[np.intp]], resamples: int, seed: int
) -> Iterator[Floats]:
    """Yield (b, N) multiplicities, few enough at once that memory stays bounded."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _WEIGHTS_AT_ONCE // max(1, len(units)))
    for start in range(0, resamples, at_once):
        drawn = np.zeros((min(at_once, resamples - start), sum(map(len, groups))))
        for group in groups:
            n = len(group)
            drawn[:, group] = rng.multinomial(n - 1, np.full(n, 1 / n), size=len(drawn))
        yield drawn[:, units]
