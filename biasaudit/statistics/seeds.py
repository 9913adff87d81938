"""The mean of one figure over several trainings, audited on the same images.

Its error has two parts. The images' part is shared: every training met the same images, and the
bootstrap over images measures it well. The rest differs from training to training (the seed itself,
and how each training met each image), and only the spread of a few figures tells of it. With S
trainings the variance of the mean is estimated by B + U: B the mean covariance between trainings
over resamples of the images, U = s^2 / S with the sample variance s^2 of the trainings' figures,
which has S - 1 degrees of freedom.

No quantile of one t distribution fits: Satterthwaite's degrees of freedom are estimated from U
too, and where two trainings come close by chance they are far too many (nominal 95% intervals over
two seeds held the mean in 81 to 87 of 100). The quantile here goes from the normal one (U much
smaller than B) to Student's with S - 1 degrees (U much larger) along a curve that is chosen for its
coverage at every ratio of the two; see :func:`two_part_quantile`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from biasaudit.statistics.figures import Figure, Floats, value_of
from biasaudit.statistics.rates import NO_INTERVAL, Interval, check_level
from biasaudit.statistics.resampling import FEWEST_DEFINED, RESAMPLES, units_of, weights_of

_SMALLEST_P = 1e-6


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


def two_part_quantile(
    ratio: float, free: int, level: float = 0.95, free_known: float = math.inf
) -> float:
    """Return the quantile for a mean whose variance has a known and an estimated part.

    q^2 = z^2 + (t^2 - z^2) * exp(-k / ratio), with z the normal quantile, t Student's of ``free``
    degrees, and k = max(0.1, 1.23 - 1.02 * (z - 1.25) / free), fitted to the levels .8 to .995.
    Numerical integration over every ratio of the true variances from .003 to 10,000 gives nominal
    95% intervals that hold 94.2 to 96.4% with one degree of freedom (two seeds), 95.0 to 95.7% with
    two and 95.0 to 95.4% with four.

    Args:
        ratio: The estimated part's estimate over the known part, 0 or more; infinite where there
            is no known part.
        free: Degrees of freedom of the estimated part, 1 or more.
        level: Confidence level, in (0, 1).
        free_known: Degrees of freedom of the known part, which is known so well only: Student's
            quantile takes the normal one's place.
    """
    normal = float(special.stdtrit(free_known, (1 + level) / 2))
    student = max(normal, float(special.stdtrit(free, (1 + level) / 2)))
    if ratio <= 0:
        return normal
    bend = max(0.1, 1.23 - 1.02 * (normal - 1.25) / free)
    return math.sqrt(normal**2 + (student**2 - normal**2) * math.exp(-bend / ratio))


def mean_over_seeds(
    figures: list[Figure],
    strata: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
    clusters: ArrayLike | None = None,
    bounds: Interval | None = None,
) -> SeedLevels:
    """Return the mean of a figure over trainings, with interval and p-value.

    The interval is mean ± q * sqrt(B + U), q by :func:`two_part_quantile` of U / B.

    Args:
        figures: The figure of each seed's run, on the same images in the same order.
        strata: (N,) what each image belongs to (its group).
        level: Confidence level, in (0, 1).
        seed: Of the resamples.
        resamples: How many.
        clusters: (N,) which images are drawn together, or None.
        bounds: What the mean cannot leave; None for a figure without bounds.

    Returns:
        NaN for interval and p-value where a figure does not exist or nothing varies. With one
        training they speak of the images alone.

    Raises:
        ValueError: No figure is given, the level is impossible, or the arrays differ in length.
    """
    check_level(level)
    if not figures:
        raise ValueError("no seed is given")
    units, groups = units_of(strata, clusters)
    values = np.array([value_of(figure, len(units)) for figure in figures])
    draws = np.concatenate(
        [
            np.stack([figure(weights) for figure in figures], axis=1)
            for weights in weights_of(units, groups, resamples, seed)
        ]
    )
    draws = draws[~np.isnan(draws).any(axis=1)]
    n, mean = len(figures), float(values.mean())
    if np.isnan(values).any() or len(draws) < FEWEST_DEFINED * resamples:
        return SeedLevels(mean, NO_INTERVAL, math.nan, math.nan, n, math.nan)
    shared, own = _image_variances(draws)
    se_images = math.sqrt(shared + own / n)
    spread = float(values.var(ddof=1)) if n > 1 else 0.0
    sd_seeds = math.sqrt(max(0.0, spread - own)) if n > 1 else math.nan
    of_seeds = spread / n
    # Trainings that tie and share nothing: the images' own part is what is left to go by.
    error = math.sqrt(shared + of_seeds) or se_images
    if error <= 0:
        return SeedLevels(mean, NO_INTERVAL, sd_seeds, se_images, n, math.nan)
    ratio = of_seeds / shared if shared > 0 else math.inf
    of_images = max(1, sum(len(group) - 1 for group in groups))

    def half(at: float) -> float:
        return two_part_quantile(ratio, max(1, n - 1), at, of_images) * error

    low, high = mean - half(level), mean + half(level)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return SeedLevels(mean, (low, high), sd_seeds, se_images, n, _p_value(abs(mean), half))


def _image_variances(draws: Floats) -> tuple[float, float]:
    """Return the images' variance that the trainings share, and what is each one's own.

    Args:
        draws: (B, S) figures of each training on each resample.
    """
    n = draws.shape[1]
    if n == 1:
        return float(draws.var()), 0.0
    covariance = np.cov(draws, rowvar=False)
    shared = float((covariance.sum() - np.trace(covariance)) / (n * (n - 1)))
    # Trainings whose answers are unrelated may come out negative, by the resamples alone.
    shared = max(0.0, shared)
    return shared, max(0.0, float(np.trace(covariance)) / n - shared)


def _p_value(distance: float, half: Callable[[float], float]) -> float:
    """Return one less the level at which the interval just reaches zero.

    Args:
        distance: Of the mean from zero.
        half: Half the interval's width at a level, growing with it.
    """
    if distance >= half(1 - _SMALLEST_P):
        return _SMALLEST_P
    if distance <= half(_SMALLEST_P):
        return 1.0
    found = optimize.brentq(lambda p: half(1 - p) - distance, _SMALLEST_P, 1 - _SMALLEST_P)
    return float(found)
