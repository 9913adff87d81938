"""What a split could show, and how many images a wanted difference needs.

Three questions: one rate against a fixed value (the constant baseline), two rates on different
images (bias-aligned against bias-conflicting groups), and two models on the same images. The first
and the last are answered by enumerating the exact tests that the audit uses, the second by the
normal approximation. All tests are two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special, stats

ALPHA = 0.05
POWER = 0.8
_MOST_IMAGES = 100_000


def power_one(n: int, rate: float, reference: float, alpha: float = ALPHA) -> float:
    """Return the power of the exact binomial test of one rate against a reference.

    Args:
        n: Images.
        rate: The true rate, in [0, 1].
        reference: The rate under the hypothesis, in (0, 1).
        alpha: Size of the test; half of it is spent on each side.
    """
    _check(alpha, rate, reference)
    counts = np.arange(n + 1)
    under = stats.binom(n, reference)
    rejects = (under.cdf(counts) <= alpha / 2) | (under.sf(counts - 1) <= alpha / 2)
    return float(stats.binom.pmf(counts, n, rate)[rejects].sum())


def power_two(
    n_first: int, n_second: int, first: float, second: float, alpha: float = ALPHA
) -> float:
    """Return the power to tell two rates on different images apart (normal approximation).

    Args:
        n_first: Images that the first rate is measured on.
        n_second: Images that the second is.
        first: First true rate, in [0, 1].
        second: Second true rate.
        alpha: Size of the two-sided test.
    """
    _check(alpha, first, second)
    if n_first == 0 or n_second == 0:
        return 0.0
    pooled = (n_first * first + n_second * second) / (n_first + n_second)
    under = math.sqrt(pooled * (1 - pooled) * (1 / n_first + 1 / n_second))
    true = math.sqrt(first * (1 - first) / n_first + second * (1 - second) / n_second)
    excess = abs(first - second) - float(special.ndtri(1 - alpha / 2)) * under
    if true == 0.0:
        return float(excess > 0)
    return float(special.ndtr(excess / true))


def power_paired(n: int, difference: float, disagreement: float, alpha: float = ALPHA) -> float:
    """Return the power of the exact McNemar test.

    Args:
        n: Images that both models answer.
        difference: The true difference of their rates, in [-1, 1].
        disagreement: Share of images on which exactly one is right, at least ``|difference|``.
        alpha: Size of the test.

    Raises:
        ValueError: The models differ by more than they disagree.
    """
    _check(alpha, abs(difference), disagreement)
    if abs(difference) > disagreement + 1e-12:
        raise ValueError(f"a difference of {difference} needs that much disagreement at least")
    if disagreement == 0:
        return 0.0
    differing = np.arange(n + 1)
    share = min(1.0, (disagreement + abs(difference)) / (2 * disagreement))
    # The largest smaller count that the test still rejects; -1 where it rejects none.
    critical = stats.binom.ppf(alpha / 2, differing, 0.5)
    critical = np.where(
        stats.binom.cdf(critical, differing, 0.5) <= alpha / 2, critical, critical - 1
    )
    rejects = stats.binom.cdf(critical, differing, 1 - share) + stats.binom.cdf(
        critical, differing, share
    )
    chance = stats.binom.pmf(differing, n, disagreement)
    return float(min(1.0, np.sum(chance * np.where(critical >= 0, rejects, 0.0))))


def least_shown(n: int, alpha: float = ALPHA) -> float:
    """Return the smallest difference of two models that the exact McNemar test can ever show.

    It is that of the fewest answers that turn one way, with none turning back, whose p-value
    2 * 0.5^k is at most ``alpha``.

    Args:
        n: Images that both models answer.
        alpha: Size of the test.

    Returns:
        A difference in (0, 1]; NaN where ``n`` images can show none.
    """
    _check(alpha)
    fewest = math.ceil(round(1 - math.log2(alpha), 9))
    return fewest / n if fewest <= n else math.nan


def detectable(power_at: Callable[[float], float], most: float, power: float = POWER) -> float:
    """Return the smallest difference that is shown with the wanted power.

    Args:
        power_at: Power as a function of the difference, growing with it, such as
            ``lambda d: power_two(50, 50, 0.9, 0.9 - d)``.
        most: The largest difference possible.
        power: Wanted, in (0, 1).

    Returns:
        A difference in (0, ``most``], to 0.001; NaN where not even the largest is shown.
    """
    if power_at(most) < power:
        return math.nan
    low, high = 0.0, most
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if power_at(middle) >= power else (middle, high)
    return high


def images_needed(power_at: Callable[[int], float], power: float = POWER) -> int | None:
    """Return how many images show a difference with the wanted power.

    The power of an exact test dips as images are added, by a few hundredths; the number returned
    has the wanted power, and it is found by halving, so a slightly smaller one may have it too.

    Args:
        power_at: Power as a function of the number of images, such as
            ``lambda n: power_paired(n, 0.1, 0.3)``.
        power: Wanted, in (0, 1).

    Returns:
        A number of images; None where 100,000 are too few.
    """
    return fewest(lambda n: power_at(n) >= power)


def fewest(enough: Callable[[int], bool], beyond: int = 0) -> int | None:
    """Return the smallest number of images that is enough, by doubling and halving.

    Args:
        enough: Whether so many are; of more the same is taken.
        beyond: A number that is too small, 0 or more.

    Returns:
        A number above ``beyond``; None where 100,000 are too few.
    """
    low, high = beyond, beyond + 1
    while not enough(high):
        if high == _MOST_IMAGES:
            return None
        low, high = high, min(2 * high, _MOST_IMAGES)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(alpha: float, *rates: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies between 0 and 1, not at {alpha}")
    if any(not 0.0 <= rate <= 1.0 for rate in rates):
        raise ValueError(f"rates lie in [0, 1]: {rates}")
