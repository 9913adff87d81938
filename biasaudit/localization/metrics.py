"""How well attention maps localize: boxes of their largest component, and pooled pixels.

Source: Choe et al., *Evaluating Weakly Supervised Object Localization Methods Right*, CVPR 2020
(MaxBoxAcc, PxAP), and its extension, arXiv 2007.04178 (MaxBoxAccV2). There the threshold is the
best one on the set that is reported; here it is chosen on another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from biasaudit.statistics import Interval, mean_interval, wilson_interval

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom are the first ones outside."""
Map = NDArray[np.floating]
"""(H, W), in [0, 1] with a maximum of 1, or zero everywhere."""

LEVELS = (0.3, 0.5, 0.7)
"""IoU from which on MaxBoxAccV2 counts a box as right."""
THRESHOLDS: NDArray[np.float64] = np.arange(1, 100) / 100
"""Shares of a map's maximum that are tried."""
BINS = 1000
"""Levels that pixels' values are told apart by in PxAP."""
_NEIGHBOURS = np.ones((3, 3), bool)


def largest_box(inside: NDArray[np.bool_]) -> Box | None:
    """Return the bounding box of the largest component of a mask.

    Args:
        inside: (H, W). Pixels that touch at a side or a corner belong together.

    Returns:
        Of two components of the same size, that of the first pixel in reading order; None where
        the mask is empty.
    """
    found, count = ndimage.label(inside, structure=_NEIGHBOURS)
    if not count:
        return None
    sizes = np.bincount(found.ravel())[1:]
    rows, columns = ndimage.find_objects(found)[int(sizes.argmax())]
    return columns.start, rows.start, columns.stop, rows.stop


def component_boxes(inside: NDArray[np.bool_]) -> list[Box]:
    """Return the bounding box of each component of a mask."""
    found, _ = ndimage.label(inside, structure=_NEIGHBOURS)
    slices = ndimage.find_objects(found)
    return [(x.start, y.start, x.stop, y.stop) for y, x in slices]


def box_iou(first: Box, second: Box) -> float:
    """Return the intersection over union of two boxes; 0 where neither has a pixel."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    both = max(width, 0) * max(height, 0)
    either = _area(first) + _area(second) - both
    return both / either if either else 0.0


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def box_ious(
    attention: Map, truth: Sequence[Box], thresholds: NDArray[np.float64] = THRESHOLDS
) -> NDArray[np.float64]:
    """Return how well a map's box fits, at each threshold.

    Args:
        attention: The map.
        truth: The boxes of its class in the image.
        thresholds: (T,) shares of the maximum; pixels at or above one are inside.

    Returns:
        (T,) IoU of the largest component's box with the nearest true one; 0 where there is none.
    """
    answers = np.zeros(len(thresholds))
    for place, threshold in enumerate(thresholds):
        box = largest_box(attention >= threshold)
        if box is not None:
            answers[place] = max((box_iou(box, one) for one in truth), default=0.0)
    return answers


def box_accuracy(ious: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return the share of images whose box is right at each threshold.

    Args:
        ious: (N, T) as :func:`box_ious` gives them, a row an image.
        level: IoU from which on a box is right.

    Returns:
        (T,); NaN where there is no image.
    """
    if not len(ious):
        return np.full(ious.shape[1], np.nan)
    return (ious >= level).mean(axis=0)


def choose_threshold(ious: NDArray[np.float64], levels: Sequence[float]) -> int:
    """Return the place of the one threshold that suits a validation set best.

    Args:
        ious: (N, T) of the validation set.
        levels: Whose accuracies are averaged: ``(0.5,)`` for MaxBoxAcc, :data:`LEVELS` for
            MaxBoxAccV2.

    Returns:
        Of several equally good thresholds the middle one.

    Raises:
        ValueError: The set is empty.
    """
    if not len(ious):
        raise ValueError("no image to choose a threshold on")
    means = np.mean([box_accuracy(ious, level) for level in levels], axis=0)
    best = np.flatnonzero(means >= means.max() - 1e-12)
    return int(best[len(best) // 2])


class PooledPixels:
    """Pixel average precision (PxAP) over the pixels of many images, one image at a time."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, BINS + 1), np.int64)

    def add(self, attention: Map, region: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
        """Count the pixels of one image.

        Args:
            attention: Its map; values are told apart to a thousandth.
            region: (H, W), True inside the object.
            known: (H, W), False where nobody decided.

        Raises:
            ValueError: The shapes differ, or a value lies outside [0, 1].
        """
        if not attention.shape == region.shape == known.shape:
            raise ValueError(f"shapes {attention.shape}, {region.shape} and {known.shape} differ")
        values = attention[known]
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise ValueError("a value of the map lies outside 0 to 1")
        levels = np.rint(values * BINS).astype(np.int64)
        for row, chosen in enumerate((levels[~region[known]], levels[region[known]])):
            self._counts[row] += np.bincount(chosen, minlength=BINS + 1)

    def average_precision(self) -> float:
        """Return Σ (recall step)·precision from the highest value down; NaN without a region."""
        wrong, right = self._counts[:, ::-1].cumsum(axis=1)
        if not right[-1]:
            return float("nan")
        precision = right / np.maximum(right + wrong, 1)
        steps = np.diff(right, prepend=0) / right[-1]
        return float((precision * steps).sum())


@dataclass(frozen=True)
class Localization:
    """How well a model localizes a class.

    Attributes:
        n: Images measured.
        n_val: Images that the thresholds were chosen on.
        max_box_acc: Share of boxes with IoU of .5, at the threshold chosen for that.
        max_box_acc_v2: Mean over the levels of IoU, at the one threshold chosen for their mean.
        by_level: The shares that this mean is of, by level.
        threshold: The threshold of ``max_box_acc``, a share of a map's maximum.
        threshold_v2: That of ``max_box_acc_v2``.
        px_ap: Average precision of pooled pixels; NaN where no region has masks.
        top_1: Share of images whose box is right at .5 and whose highest score is this class's.
    """

    n: int
    n_val: int
    max_box_acc: float
    max_box_acc_v2: float
    by_level: dict[float, float]
    threshold: float
    threshold_v2: float
    px_ap: float
    top_1: float

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """The 95% intervals of the shares, by name: Wilson's, and the bootstrap's of a mean."""
        return {
            "max_box_acc_ci": share_interval(self.max_box_acc, self.n),
            "max_box_acc_v2_ci": self._over_levels(),
            "top_1_ci": share_interval(self.top_1, self.n),
        }

    def _over_levels(self) -> Interval:
        """Return the interval of a mean over levels, from the images that are right at each.

        A box that is right at one level is right at every lower one, and all levels share one
        threshold: so the counts say in how many images it is right at none, one, two or three.
        """
        counts = [round(self.by_level[level] * self.n) for level in sorted(LEVELS)]
        values = np.zeros(self.n)
        for count in counts:
            values[:count] += 1 / len(counts)
        return mean_interval(values)


def share_interval(share: float, n: int) -> Interval:
    """Return the 95% Wilson interval of a share of ``n`` images."""
    return wilson_interval(round(share * n), n)


def localization(
    val_ious: NDArray[np.float64],
    ious: NDArray[np.float64],
    highest: NDArray[np.bool_],
    pixels: PooledPixels,
) -> Localization:
    """Put the figures of a set together, thresholds chosen on validation images alone.

    Args:
        val_ious: (M, T) of the validation images.
        ious: (N, T) of the images reported.
        highest: (N,) whether the class has the image's highest score.
        pixels: Of the images reported.

    Raises:
        ValueError: Either set is empty.
    """
    if not len(ious):
        raise ValueError("no image to measure")
    one, both = choose_threshold(val_ious, (0.5,)), choose_threshold(val_ious, LEVELS)
    by_level = {level: float(box_accuracy(ious, level)[both]) for level in LEVELS}
    return Localization(
        n=len(ious),
        n_val=len(val_ious),
        max_box_acc=float(box_accuracy(ious, 0.5)[one]),
        max_box_acc_v2=float(np.mean(list(by_level.values()))),
        by_level=by_level,
        threshold=float(THRESHOLDS[one]),
        threshold_v2=float(THRESHOLDS[both]),
        px_ap=pixels.average_precision(),
        top_1=float(((ious[:, one] >= 0.5) & highest).mean()),
    )
