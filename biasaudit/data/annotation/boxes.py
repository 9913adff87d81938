"""Bounding boxes in whole pixels, and the regions that they fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biasaudit.data.loading import images
from biasaudit.data.sample import Mask, Region
from biasaudit.inputs.pictures import check_size
from biasaudit.inputs.places import Place

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in px: columns left to right - 1, rows top to bottom - 1."""
Size = tuple[int, int]
"""(width, height) in px."""


class BoxRegion(Region):
    """A region that boxes fill.

    Attributes:
        boxes: One an instance, as the annotation has them.
    """

    __slots__ = ("boxes",)

    def __init__(self, boxes: Sequence[Box], file: Place, size: Size | None) -> None:
        self.boxes = tuple(boxes)
        super().__init__("box", _Filled(self.boxes, file, size))


def box_region(boxes: Sequence[Box], file: Place, size: Size | None) -> BoxRegion:
    """Return the region that boxes fill together, cut at the image's border.

    Args:
        boxes: One an instance.
        file: The image.
        size: The image's size; None to look it up when the region is asked for.
    """
    return BoxRegion(boxes, file, size)


def has_area(box: Box) -> bool:
    """Whether a box holds a pixel at all."""
    left, top, right, bottom = box
    return right > max(left, 0) and bottom > max(top, 0)


def outlying(box: Sequence[float], width: int, height: int) -> bool:
    """Whether a box reaches more than a pixel over the border of its image.

    Args:
        box: Left, top, right, bottom in px.
        width: Of the image in px.
        height: Of the image in px.
    """
    left, top, right, bottom = box
    return left < -1 or top < -1 or right > width + 1 or bottom > height + 1


@dataclass(frozen=True, slots=True)
class _Filled:
    """Boxes, filled when called."""

    boxes: tuple[Box, ...]
    file: Place
    size: Size | None

    def __call__(self) -> Mask:
        width, height = self.size or images.size_of(self.file)
        check_size(width, height, str(self.file))
        mask = np.zeros((height, width), dtype=np.bool_)
        for left, top, right, bottom in self.boxes:
            mask[max(top, 0) : bottom, max(left, 0) : right] = True
        return mask
