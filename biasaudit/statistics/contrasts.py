"""Yes answers counted by stratum, right answer and context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

ANSWERS = (1, 0)
"""The right answers: the object is there, or it is not."""


@dataclass(frozen=True)
class Contrast:
    """One stratum's images of one right answer, with and without the context.

    Attributes:
        stratum: Its name, such as "test" or "test / msrc".
        answer: 1 where the object is there, 0 where it is not.
        yes_with: Yes answers on images with the context. Where images come in clusters, the sum
            of the clusters' mean answers, which need not be whole.
        n_with: Images (clusters) with the context.
        yes_without: Yes answers on images without it.
        n_without: Images (clusters) without it.
    """

    stratum: str
    answer: int
    yes_with: float
    n_with: int
    yes_without: float
    n_without: int

    @property
    def usable(self) -> bool:
        """Whether it has both values of the context; else it says nothing of the effect."""
        return self.n_with > 0 and self.n_without > 0

    @property
    def weight(self) -> float:
        """The Mantel-Haenszel weight before scaling: n1 * n0 / (n1 + n0); 0 where not usable."""
        return self.n_with * self.n_without / (self.n_with + self.n_without) if self.usable else 0.0


def count_contrasts(
    yes: ArrayLike,
    context: ArrayLike,
    answer: ArrayLike,
    stratum: Sequence[str],
    clusters: ArrayLike | None = None,
) -> list[Contrast]:
    """Count the yes answers of each stratum and right answer, with and without the context.

    Args:
        yes: (N,) decisions, 1 or 0.
        context: (N,) 1 where the context is there, 0 where it is not; no unknowns.
        answer: (N,) right answers, 1 or 0.
        stratum: (N,) names of the strata.
        clusters: (N,) which images count as one (photographs of one scene), or None. A cluster's
            images in one group count as one image with their mean answer.

    Returns:
        One contrast for each stratum and answer that has an image, in the strata's order of name.

    Raises:
        ValueError: The lengths differ, or a value is neither 0 nor 1.
    """
    columns = [np.asarray(values).ravel() for values in (yes, context, answer)]
    names = np.asarray(stratum, dtype=str).ravel()
    if len({len(names), *map(len, columns)}) != 1:
        raise ValueError(f"columns of {[len(names), *map(len, columns)]} rows")
    if any(not np.isin(column, (0, 1)).all() for column in columns):
        raise ValueError("decisions, contexts and answers are 0 or 1")
    said, shown, right = (column.astype(int) for column in columns)
    units = (
        np.arange(len(names))
        if clusters is None
        else np.unique(np.asarray(clusters), return_inverse=True)[1]
    )
    found = []
    for name in sorted(set(names.tolist())):
        for value in ANSWERS:
            here = (names == name) & (right == value)
            if here.any():
                counts = [_group(said, units, here & (shown == level)) for level in (1, 0)]
                found.append(Contrast(name, value, *counts[0], *counts[1]))
    return found


def _group(
    said: NDArray[np.int_], units: NDArray[np.intp], rows: NDArray[np.bool_]
) -> tuple[float, int]:
    """Return the yes answers and images of one group, a cluster counting as one image."""
    if not rows.any():
        return 0.0, 0
    sizes = np.bincount(units[rows])
    sums = np.bincount(units[rows], weights=said[rows])
    there = sizes > 0
    return float((sums[there] / sizes[there]).sum()), int(there.sum())
