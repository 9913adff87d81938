"""Label maps: pictures whose pixel values are classes, as VOC stores its segmentation.

A binary mask is a label map too: every value but 0 is inside. :data:`VOID` is neither object nor
background, and no region holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasaudit.data.checks.faults import UNREADABLE, Complain
from biasaudit.data.sample import Mask, Region
from biasaudit.errors import DataError
from biasaudit.inputs.pictures import opened
from biasaudit.inputs.places import Place

VOID = 255
SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif")
"""Lossless formats: JPEG would smear one class into another."""


@dataclass(frozen=True)
class LabelCounts:
    """What a label map holds.

    Attributes:
        size: (width, height) in pixels.
        pixels: How many pixels have each value that occurs.
    """

    size: tuple[int, int]
    pixels: Mapping[int, int]

    def share(self, value: int | None) -> float:
        """Return the share of the picture that has a value; of any but 0 for None."""
        inside = (
            sum(n for v, n in self.pixels.items() if v) if value is None else self.pixels.get(value)
        )
        return (inside or 0) / (self.size[0] * self.size[1])


@dataclass(frozen=True, slots=True)
class Part:
    """Where a class lies in one label map.

    Attributes:
        path: The label map.
        value: The value that means the class; None for a binary mask, where any but 0 does.
    """

    path: Place
    value: int | None = None


def read_label_map(path: Place) -> NDArray[Any]:
    """Read a label map's values.

    Returns:
        (H, W) unsigned integers: palette indices or grey values.

    Raises:
        DataError: It is missing, unreadable, too large, or a picture in colours.
    """
    with opened(path, "a mask", "no such mask") as stored:
        if stored.mode == "1":
            return np.array(stored).astype(np.uint8)
        if stored.mode not in ("P", "L", "I", "I;16"):
            raise DataError(
                f"{path}: a picture in colours ({stored.mode}), not a label map",
                "save it with one channel or a palette",
            )
        return np.array(stored)


def count_labels(path: Place) -> LabelCounts:
    """Count the pixels of each value in a label map.

    Raises:
        DataError: As :func:`read_label_map`.
    """
    values = read_label_map(path)
    found, pixels = np.unique(values, return_counts=True)
    height, width = values.shape
    return LabelCounts((width, height), dict(zip(found.tolist(), pixels.tolist(), strict=True)))


def count_all(paths: Iterable[Place], complain: Complain) -> dict[Place, LabelCounts]:
    """Count the labels of many maps side by side; those that cannot be read are left out."""

    def count(path: Place) -> LabelCounts | DataError:
        try:
            return count_labels(path)
        except DataError as error:
            return error

    unique = list(dict.fromkeys(paths))
    with ThreadPoolExecutor() as pool:
        found = dict(zip(unique, pool.map(count, unique), strict=True))
    for outcome in found.values():
        if isinstance(outcome, DataError):
            complain(UNREADABLE, outcome)
    return {path: counts for path, counts in found.items() if isinstance(counts, LabelCounts)}


def mask_region(parts: Sequence[Part], counts: Mapping[Place, LabelCounts]) -> Region | None:
    """Join what label maps say of one class.

    Args:
        parts: Where the class lies.
        counts: Of each part's label map.

    Returns:
        The region, or None where it covers no pixel.
    """
    shares = [counts[part.path].share(part.value) for part in parts]
    if not any(shares):
        return None
    area = shares[0] if len(parts) == 1 else None
    return Region("mask", _Joined(tuple(parts)), area)


@dataclass(frozen=True, slots=True)
class _Joined:
    """The parts of one class, joined when called."""

    parts: tuple[Part, ...]

    def __call__(self) -> Mask:
        inside = [_inside(part) for part in self.parts]
        for part, one in zip(self.parts, inside, strict=True):
            if one.shape != inside[0].shape:
                raise DataError(
                    f"{part.path}: the mask is {one.shape[1]}x{one.shape[0]} pixels, another of "
                    f"the same image {inside[0].shape[1]}x{inside[0].shape[0]}"
                )
        return np.logical_or.reduce(inside)


def _inside(part: Part) -> Mask:
    values = read_label_map(part.path)
    return values != 0 if part.value is None else values == part.value
