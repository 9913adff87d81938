"""The stratified bootstrap of any figure, with whole pairs or clusters kept together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biasaudit.statistics.figures import Figure, Floats, value_of
from biasaudit.statistics.rates import NO_INTERVAL, Interval, check_level

RESAMPLES = 2000
_DRAWN_AT_ONCE = 4_000_000
"""Which resamples a seed gives hangs on it."""
_WEIGHTS_AT_ONCE = 200_000
"""So many are handed on at once, that memory stays small."""
_COUNTED = 5_000
"""In a stratum of more units than this, draws are made one by one and counted: the same
distribution as numpy's multinomial, which draws a binomial a unit and takes ten times as long."""
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
    found = bootstrap_each(
        {"": figure}, strata, level=level, seed=seed, resamples=resamples, clusters=clusters
    )
    return found[""]


def bootstrap_each(
    figures: Mapping[str, Figure],
    strata: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
    clusters: ArrayLike | None = None,
) -> dict[str, Resampled]:
    """Return what :func:`bootstrap` gives of several figures, with the resamples drawn once.

    Arguments and errors as there.
    """
    check_level(level)
    units, groups = units_of(strata, clusters)
    drawn: dict[str, list[Floats]] = {name: [] for name in figures}
    for weights in weights_of(units, groups, resamples, seed):
        for name, figure in figures.items():
            drawn[name].append(figure(weights))
    return {
        name: _resampled(value_of(figure, len(units)), np.concatenate(drawn[name]), level)
        for name, figure in figures.items()
    }


def _resampled(estimate: float, draws: Floats, level: float) -> Resampled:
    usable = draws[~np.isnan(draws)]
    if math.isnan(estimate) or usable.size < FEWEST_DEFINED * draws.size or np.ptp(usable) < 1e-12:
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
    if clusters is None:  # each image a unit: no list for each of them
        places: dict[str, int] = {}
        own = np.array([places.setdefault(str(name), len(places)) for name in names.tolist()])
        return np.arange(len(own)), [np.flatnonzero(own == places[name]) for name in sorted(places)]
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
    at_once = max(1, _DRAWN_AT_ONCE // max(1, len(units)))
    few = max(1, _WEIGHTS_AT_ONCE // max(1, len(units)))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        parts = [slice(first, min(first + few, rows)) for first in range(0, rows, few)]
        # n - 1 draws take one of n units more than 255 times in one resample of 10 ** 507
        drawn = np.zeros((rows, sum(map(len, groups))), dtype=np.uint8)
        for group in groups:
            for part in parts:
                drawn[part, group] = _multiplicities(rng, len(group), part.stop - part.start)
        for part in parts:
            yield np.take(drawn[part], units, axis=1).astype(np.float64)


def _multiplicities(rng: np.random.Generator, n: int, rows: int) -> NDArray[np.int64]:
    """Return (rows, n) how often each of n units is among n - 1 draws."""
    if n <= _COUNTED:
        return rng.multinomial(n - 1, np.full(n, 1 / n), size=rows)
    every = [np.bincount(rng.integers(0, n, n - 1), minlength=n) for _ in range(rows)]
    return np.stack(every)
