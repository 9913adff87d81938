"""Mean intersection over union of label maps, over a whole set (numpy alone)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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


def class_ious(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's TP / (TP + FP + FN) of a confusion matrix of a whole set.

    Returns:
        (classes,); NaN where a class is neither in the truth nor in any answer.
    """
    right = np.diag(counts).astype(np.float64)
    either = counts.sum(axis=0) + counts.sum(axis=1) - right
    return np.divide(right, either, out=np.full(len(right), np.nan), where=either > 0)


def mean_iou(counts: NDArray[np.int64]) -> float:
    """Return the mean of :func:`class_ious`, over the classes that have one; NaN where none has."""
    found = class_ious(counts)
    valid = found[~np.isnan(found)]
    return float(valid.mean()) if len(valid) else float("nan")
