"""Mean intersection over union of label maps, over a whole set (numpy alone)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biasaudit.statistics import Interval, bootstrap_each
from biasaudit.statistics.figures import Figure, Floats

VOID = 255
"""Pixels of the truth that nobody decided: they count nowhere."""

LabelMap = NDArray[np.uint8]
"""(H, W): 0 background, c the class c, 255 void."""


def confusion(truth: LabelMap, predicted: LabelMap, classes: int) -> NDArray[np.int64]:
    """Return how many pixels of each true class got each answer.

    Args:
        truth: Of any shape; :data:`VOID` where nobody decided.
        predicted: Of the same shape, each below ``classes``.
        classes: Background included.

    Returns:
        (classes, classes), rows the truth.

    Raises:
        ValueError: The shapes differ, or a value is none of the classes.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"the truth is {truth.shape}, the answer {predicted.shape}")
    known = truth != VOID
    rows, columns = truth[known].astype(np.int64), predicted[known].astype(np.int64)
    if max(rows.max(initial=0), columns.max(initial=0)) >= classes:
        raise ValueError(f"a value is none of the {classes} classes")
    counts = np.bincount(rows * classes + columns, minlength=classes * classes)
    return counts.reshape(classes, classes)


def right_and_either(counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return each class's TP and TP + FP + FN of a confusion matrix, (classes,) each."""
    right = np.diag(counts).astype(np.float64)
    return right, counts.sum(axis=0) + counts.sum(axis=1) - right


def class_ious(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's TP / (TP + FP + FN) of a confusion matrix of a whole set.

    Returns:
        (classes,); NaN where a class is neither in the truth nor in any answer.
    """
    return _ratio(*right_and_either(counts))


def mean_iou(ious: NDArray[np.float64]) -> float:
    """Return the mean of what :func:`class_ious` gives, over the classes that have one.

    Returns:
        NaN where none has.
    """
    valid = ious[~np.isnan(ious)]
    return float(valid.mean()) if len(valid) else float("nan")


def iou_intervals(right: Floats, either: Floats) -> tuple[Interval, list[Interval]]:
    """Return 95% intervals of the mean IoU and of each class's, by the bootstrap over images.

    Args:
        right: (N, classes) TP of each image.
        either: (N, classes) TP + FP + FN of each image.

    Returns:
        NaN twice where a figure does not exist, or no resample differs.
    """

    def ious(weights: Floats) -> Floats:
        return _ratio(weights @ right, weights @ either)

    def mean(weights: Floats) -> Floats:
        found = ious(weights)
        return _ratio(np.nansum(found, axis=1), (~np.isnan(found)).sum(axis=1))

    def of_class(place: int) -> Figure:
        return lambda weights: _ratio(weights @ right[:, place], weights @ either[:, place])

    figures = {"mean": mean} | {str(place): of_class(place) for place in range(right.shape[1])}
    drawn = bootstrap_each(figures, np.zeros(len(right)))
    intervals = [one.interval for one in drawn.values()]
    return intervals[0], intervals[1:]


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
