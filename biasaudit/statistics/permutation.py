"""The permutation test of a context inside stratum and right answer.

The hypothesis: the context is a label given without regard to the model's decisions, among the
images of one stratum and one right answer. The statistic is the effect of
:mod:`biasaudit.statistics.stratified`. Single images allow the exact distribution: the number of
yes answers with the context is hypergeometric in each stratum (Cochran 1954; Mantel and Haenszel
1959), and with Mantel-Haenszel weights the effect depends on the sum over strata alone. Images that
come in clusters are permuted cluster by cluster, by Monte Carlo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Table = tuple[float, int, float, int]
"""One stratum: yes answers and images with the context, yes answers and images without it."""

_SAME = 1e-10
"""Effects closer than this are ties."""


def exact_p_value(answers: Sequence[Sequence[Table]]) -> float:
    """Return the exact two-sided p-value: the chance of an effect at least as far from zero.

    Args:
        answers: For each right answer its strata. One answer tests that answer's effect, two test
            the mean of both.

    Returns:
        A value in (0, 1]; NaN where an answer has no stratum with both values of the context, or
        counts are not whole.

    Raises:
        ValueError: There are more than two answers, or none.
    """
    if len(answers) not in (1, 2):
        raise ValueError(f"{len(answers)} answers: there are one or two")
    used = [[t for t in tables if t[1] > 0 and t[3] > 0] for tables in answers]
    if not all(used) or any(t[0] % 1 or t[2] % 1 for tables in used for t in tables):
        return math.nan
    observed = abs(sum(_effect(tables) for tables in used))
    values, chances = _distribution(used[0])
    others, other_chances = _distribution(used[1]) if len(used) == 2 else _NOTHING
    # Both ascend; sums of the tails from their thin ends keep the digits of small chances.
    upper = np.append(np.cumsum(other_chances[::-1])[::-1], 0.0)
    lower = np.append(0.0, np.cumsum(other_chances))
    above = upper[np.searchsorted(others, observed - _SAME - values, side="left")]
    below = lower[np.searchsorted(others, -observed + _SAME - values, side="right")]
    beyond = above + below if observed > _SAME else np.ones_like(values)
    return float(min(1.0, (chances * beyond).sum()))


_NOTHING = (np.zeros(1), np.ones(1))


def _effect(tables: Sequence[Table]) -> float:
    """Return the sum of observed less expected yes answers with the context, over the weights."""
    excess = math.fsum(
        yes_1 - (yes_1 + yes_0) * n_1 / (n_1 + n_0) for yes_1, n_1, yes_0, n_0 in tables
    )
    return excess / _total_weight(tables)


def _distribution(tables: Sequence[Table]) -> tuple[Floats, Floats]:
    """Return the effects that are possible under the hypothesis, ascending, and their chances."""
    lowest, expected = 0, 0.0
    chances: Floats = np.ones(1)
    for yes_1, n_1, yes_0, n_0 in tables:
        yes, n = int(yes_1 + yes_0), n_1 + n_0
        lowest += max(0, yes - n_0)
        chances = np.convolve(chances, _hypergeometric(yes, n_1, n_0))
        expected += yes * n_1 / n
    counts = lowest + np.arange(len(chances))
    return np.asarray((counts - expected) / _total_weight(tables)), chances


def _hypergeometric(yes: int, n_1: int, n_0: int) -> Floats:
    """Return the chances of every number of yes answers with the context, from the fewest on.

    Each is its neighbour's times a ratio of whole numbers, from the likeliest outwards: as exact
    as scipy's, and a hundredth of its time.

    Args:
        yes: Yes answers with the context and without.
        n_1: Images with it.
        n_0: Images without it.
    """
    counts = np.arange(max(0, yes - n_0), min(yes, n_1))
    ratios = (yes - counts) * (n_1 - counts) / ((counts + 1.0) * (n_0 - yes + counts + 1))
    likeliest = np.count_nonzero(ratios > 1)  # they fall
    below = np.cumprod(1 / ratios[:likeliest][::-1])[::-1]
    chances = np.concatenate([below, [1.0], np.cumprod(ratios[likeliest:])])
    return np.asarray(chances / chances.sum())


def _total_weight(tables: Sequence[Table]) -> float:
    return math.fsum(n_1 * n_0 / (n_1 + n_0) for _, n_1, _, n_0 in tables)


def clustered_p_value(
    yes: ArrayLike,
    context: ArrayLike,
    answer: ArrayLike,
    stratum: Sequence[str],
    clusters: ArrayLike,
    *,
    draws: int = 9999,
    seed: int = 0,
) -> float:
    """Return the Monte-Carlo permutation p-value where images come in clusters.

    Within a stratum and a right answer, a cluster whose images share the context exchanges it with
    other such clusters; a cluster of both contexts (versions of one image) swaps its two, or does
    not. The statistic is the effect over clusters' mean answers. The data itself counts among the
    draws (Phipson and Smyth 2010), so that the size never exceeds the level.

    Args:
        yes: (N,) decisions, 1 or 0.
        context: (N,) 1 with the context, 0 without.
        answer: (N,) right answers, 1 or 0.
        stratum: (N,) names of the strata.
        clusters: (N,) which images are permuted together.
        draws: Permutations.
        seed: Of the permutations: the same input and seed give the same value.

    Returns:
        A value in (0, 1]; NaN where an answer that occurs has no stratum with both contexts.
    """
    said, shown, right = (np.asarray(v).ravel().astype(int) for v in (yes, context, answer))
    names = np.asarray(stratum, dtype=str).ravel()
    units = np.unique(np.asarray(clusters), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    observed, drawn = 0.0, np.zeros(draws)
    for value in sorted(set(right.tolist())):
        parts = []
        for name in sorted(set(names.tolist())):
            here = (names == name) & (right == value)
            means = [_means(said, units, here & (shown == level)) for level in (1, 0)]
            if means[0] and means[1]:
                n_1, n_0 = len(means[0]), len(means[1])
                parts.append((n_1 * n_0 / (n_1 + n_0), means[0], means[1]))
        if not parts:
            return math.nan
        total = math.fsum(weight for weight, _, _ in parts)
        for weight, with_it, without in parts:
            own, draws_of_it = _permute(with_it, without, draws, rng)
            observed += weight / total * own
            drawn += weight / total * draws_of_it
    beyond = np.count_nonzero(np.abs(drawn) >= abs(observed) - _SAME)
    return (beyond + 1) / (draws + 1)


def _means(
    said: NDArray[np.int_], units: NDArray[np.intp], rows: NDArray[np.bool_]
) -> dict[int, float]:
    """Return the mean answer of each cluster among some rows."""
    return {int(u): float(said[rows & (units == u)].mean()) for u in np.unique(units[rows])}


def _permute(
    with_it: dict[int, float], without: dict[int, float], draws: int, rng: np.random.Generator
) -> tuple[float, Floats]:
    """Return one stratum's difference of means, and that of each permutation."""
    n_1, n_0 = len(with_it), len(without)
    mixed = sorted(with_it.keys() & without.keys())
    first = np.array([with_it[u] for u in mixed])
    second = np.array([without[u] for u in mixed])
    pure = np.array(
        [v for u, v in with_it.items() if u not in without]
        + [v for u, v in without.items() if u not in with_it]
    )
    n_pure = n_1 - len(mixed)
    sides = np.r_[np.full(n_pure, 1 / n_1), np.full(len(pure) - n_pure, -1 / n_0)]
    shuffled = rng.permuted(np.tile(sides, (draws, 1)), axis=1)
    swapped = rng.random((draws, len(mixed))) < 0.5
    kept_term, swap_term = first / n_1 - second / n_0, second / n_1 - first / n_0
    observed = float(sides @ pure + kept_term.sum())
    return observed, shuffled @ pure + np.where(swapped, swap_term, kept_term).sum(axis=1)
