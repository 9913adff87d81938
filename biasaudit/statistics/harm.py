"""Harm to the other objects: one pooled paired test, and the smallest harm it would have shown.

Holm over dozens of overlapping pairs of classes has no power. Here each image is one unit, whatever
number of objects is asked about it: an image is worse after guidance where more of its answers went
from right to wrong than from wrong to right, better in the reverse case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from biasaudit.statistics.paired import Paired, mcnemar, paired_interval
from biasaudit.statistics.power import ALPHA, POWER, detectable, least_shown, power_paired
from biasaudit.statistics.rates import Interval


@dataclass(frozen=True)
class Harm:
    """How the answers to the same images changed from one model to another.

    Attributes:
        n: Images.
        right_before: Share of right answers before, the mean over images; NaN without images.
        right_after: The same after.
        worse: Images with more answers lost than gained.
        better: Images with more gained than lost.
        difference: Share of images that got better less the share that got worse.
        interval: Of that difference (Newcombe's paired interval).
        p_value: Exact sign test of worse against better, two-sided; McNemar's test where each
            image has one answer. NaN without images.
        least: The smallest harm, as a share of the images, that these images could have shown at
            all (none better); NaN where they could show none.
        likely: The harm that the test shows with a power of 80% if as many images differ as did,
            and at least that harm's own; NaN where not even a loss of all images would be.
    """

    n: int
    right_before: float
    right_after: float
    worse: int
    better: int
    difference: float
    interval: Interval
    p_value: float
    least: float
    likely: float


def harm(
    before: ArrayLike, after: ArrayLike, images: ArrayLike | None = None, alpha: float = ALPHA
) -> Harm:
    """Compare right answers to the same images before and after.

    Args:
        before: (N,) 1 where the first model is right, else 0; one row an answer.
        after: (N,) the same for the second model, in the same order.
        images: (N,) which image an answer is about; each its own where None.
        alpha: Size of the two-sided test.

    Raises:
        ValueError: The lengths differ, or ``alpha`` is impossible.
    """
    first, second = (np.asarray(v, dtype=np.float64).ravel() == 1 for v in (before, after))
    names = np.arange(len(first)) if images is None else np.asarray(images).ravel()
    if not len(first) == len(second) == len(names):
        raise ValueError(f"{len(first)} answers before, {len(second)} after, {len(names)} images")
    units = np.unique(names, return_inverse=True)[1]
    n = int(units.max()) + 1 if len(units) else 0
    sizes = np.bincount(units, minlength=n)
    sums = [np.bincount(units, weights=side, minlength=n) for side in (first, second)]
    moved = sums[1] - sums[0]
    worse, better = int((moved < 0).sum()), int((moved > 0).sum())
    kept = int(((moved == 0) & (sums[0] > 0)).sum())
    pairs = Paired(kept, better, worse, n - kept - better - worse)
    shares = [float((side / sizes).mean()) if n else math.nan for side in sums]
    return Harm(
        n,
        shares[0],
        shares[1],
        worse,
        better,
        pairs.difference,
        paired_interval(pairs),
        mcnemar(pairs),
        least_shown(n, alpha),
        _likely(n, (worse + better) / n if n else 0.0, alpha),
    )


def _likely(n: int, disagreement: float, alpha: float) -> float:
    """Return the harm that is shown with the usual power at the disagreement seen, or its own."""
    if n == 0:
        return math.nan
    return detectable(
        lambda loss: power_paired(n, loss, max(loss, disagreement), alpha), 1.0, POWER
    )
