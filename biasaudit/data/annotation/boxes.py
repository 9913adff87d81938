"""Bounding boxes in whole pixels, and the regions that they fill."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from biasaudit.data.loading import images
from biasaudit.data.sample import Mask, Region

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in px: columns left to right - 1, rows top to bottom - 1."""
Size = tuple[int, int]
"""(width, height) in px."""


def box_region(boxes: Sequence[Box], file: Path, size: Size | None) -> Region:
    """Return the region that boxes fill together, cut at the image's border.

    Args:
        boxes: One an instance.
        file: The image.
        size: The image's size; None to look it up when the region is asked for.
    """
    return Region("box", partial(_filled, tuple(boxes), file, size))


def has_area(box: Box) -> bool:
    """Whether a box holds a pixel at all."""
    left, top, right, bottom = box
    return right > max(left, 0) and bottom > max(top, 0)


def _filled(boxes: Sequence[Box], file: Path, size: Size | None) -> Mask:
    width, height = size or images.size_of(file)
    mask = np.zeros((height, width), dtype=np.bool_)
    for left, top, right, bottom in boxes:
        mask[max(top, 0) : bottom, max(left, 0) : right] = True
    return mask
