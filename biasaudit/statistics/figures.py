"""Figures of an audit as functions of image weights, so that thousands of resamples cost one call.

A resample of N images is a row of multiplicities, and a figure maps (B, N) such rows to (B,)
values: :func:`mean_of`, :func:`auroc_of`, and what is built from them (:func:`mean_over`,
:func:`worst_of`, :func:`difference_of`). Weights of one everywhere give the figure itself. Because
the whole figure is recomputed in each resample, the choice of the worst group is resampled too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]
"""(B, N) non-negative weights to (B,) values; NaN where a resample does not define the figure."""


def mean_of(values: ArrayLike, rows: ArrayLike | None = None) -> Figure:
    """Return the figure "mean of these values", NaN among them left out.

    Args:
        values: (N,) one value an image (1 and 0 for right and wrong answers).
        rows: (N,) bool, the images that count (a group's); None for all.
    """
    kept = np.asarray(values, dtype=np.float64).ravel()
    counts = ~np.isnan(kept)
    if rows is not None:
        counts &= np.asarray(rows, dtype=bool).ravel()
    filled, present = np.where(counts, kept, 0.0), counts.astype(np.float64)

    def figure(weights: Floats) -> Floats:
        return _ratio(weights @ filled, weights @ present)

    return figure


def auroc_of(scores: ArrayLike, labels: ArrayLike) -> Figure:
    """Return the figure "area under the ROC curve", ties counting one half.

    Args:
        scores: (N,) one score an image.
        labels: (N,) 1 where the object is there, else 0.
    """
    score = np.asarray(scores, dtype=np.float64).ravel()
    positive = np.asarray(labels).ravel() == 1
    yes, no = np.flatnonzero(positive), np.flatnonzero(~positive)
    no = no[np.argsort(score[no], kind="stable")]
    # of so many negatives, in the order of their scores, each positive lies above all, or is tied
    below = np.searchsorted(score[no], score[yes], side="left")
    up_to = np.searchsorted(score[no], score[yes], side="right")
    tied = bool((below != up_to).any())

    def figure(weights: Floats) -> Floats:
        # np.take leaves rows in one piece, which indexing by columns does not
        ours = np.take(weights, yes, axis=1)
        theirs = np.zeros((len(weights), len(no) + 1))
        np.cumsum(np.take(weights, no, axis=1), axis=1, out=theirs[:, 1:])
        won = np.einsum("bi,bi->b", ours, np.take(theirs, below, axis=1))
        if tied:
            won = (won + np.einsum("bi,bi->b", ours, np.take(theirs, up_to, axis=1))) / 2
        return _ratio(won, ours.sum(axis=1) * theirs[:, -1])

    return figure


def mean_over(figures: Sequence[Figure]) -> Figure:
    """Return the unweighted mean of several figures (overall accuracy of two groups)."""
    return lambda weights: np.mean([figure(weights) for figure in figures], axis=0)


def worst_of(figures: Sequence[Figure]) -> Figure:
    """Return the smallest of several figures (worst-group accuracy)."""
    return lambda weights: np.min([figure(weights) for figure in figures], axis=0)


def difference_of(first: Figure, second: Figure) -> Figure:
    """Return ``first`` less ``second``, both on the same images."""
    return lambda weights: first(weights) - second(weights)


def value_of(figure: Figure, n: int) -> float:
    """Return a figure on the N images themselves; NaN where it does not exist."""
    return float(figure(np.ones((1, n)))[0])


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(below > 0, above / below, np.nan))
