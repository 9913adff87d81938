"""A picture and its labels, drawn with the same strokes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from biasaudit.data.synthetic.harbour.settings import CONTEXTS, OBJECTS

Colour = tuple[float, float, float]
"""Red, green, blue in [0, 255]."""
Point = tuple[float, float]

NAMES = (*OBJECTS, *CONTEXTS)
"""Every class that has a region."""
NOTHING = 0
"""Label of a pixel that belongs to no class: rocks, hills."""
LABEL = {name: i for i, name in enumerate(NAMES, start=1)}

OVERSAMPLING = 2
"""Canvas pixels on a side of one image pixel."""


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour that lies ``share`` of the way from the first to the second."""
    r, g, b = (a + (z - a) * share for a, z in zip(first, second, strict=True))
    return r, g, b


def channels(colour: Colour) -> NDArray[np.float32]:
    """Return a colour as a (3,) array."""
    return np.array(colour, dtype=np.float32)


class Canvas:
    """An RGB picture and a plane of labels of the same size.

    Args:
        picture: (P, P, 3) uint8.
        labels: (P, P) uint8, values of ``LABEL`` or ``NOTHING``.
        light: Factor on each colour that is drawn, by channel.
    """

    def __init__(
        self, picture: NDArray[np.uint8], labels: NDArray[np.uint8], light: Colour
    ) -> None:
        self.side = len(picture)
        self.light = light
        self.picture = Image.fromarray(picture)
        self.labels = Image.fromarray(labels)
        self._ink = ImageDraw.Draw(self.picture)
        self._mark = ImageDraw.Draw(self.labels)

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return copies of the picture (P, P, 3) and the labels (P, P)."""
        return np.array(self.picture), np.array(self.labels)

    def tint(self, colour: Colour) -> tuple[int, int, int]:
        """Return a colour in the scene's light."""
        r, g, b = (min(255, max(0, round(c * f))) for c, f in zip(colour, self.light, strict=True))
        return r, g, b

    def polygon(self, points: Sequence[Point], colour: Colour, label: int | None) -> None:
        """Fill a polygon given in canvas pixels; without a label it leaves the labels alone."""
        self._ink.polygon(points, fill=self.tint(colour))
        if label is not None:
            self._mark.polygon(points, fill=label)

    def ellipse(self, box: Sequence[float], colour: Colour, label: int | None) -> None:
        """Fill an ellipse given by its box (left, top, right, bottom) in canvas pixels."""
        self._ink.ellipse(box, fill=self.tint(colour))
        if label is not None:
            self._mark.ellipse(box, fill=label)

    def line(
        self, points: Sequence[Point], colour: Colour, width: float, label: int | None
    ) -> None:
        """Draw a line at least one canvas pixel wide."""
        pixels = max(1, round(width))
        self._ink.line(points, fill=self.tint(colour), width=pixels)
        if label is not None:
            self._mark.line(points, fill=label, width=pixels)


class Pen:
    """Draws one thing in its own coordinates: origin at the middle of its foot, y upwards.

    Args:
        canvas: What to draw on.
        label: The label of its pixels.
        foot: Where its origin lies, in canvas pixels.
        scale: Canvas pixels of one unit.
        mirrored: Whether x points to the left.
    """

    def __init__(
        self, canvas: Canvas, label: int, foot: Point, scale: float, mirrored: bool
    ) -> None:
        self.canvas = canvas
        self.label = label
        self.foot = foot
        self.scale = scale
        self.sign = -1.0 if mirrored else 1.0

    def polygon(self, points: Iterable[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self.canvas.polygon([self._at(p) for p in points], colour, self.label)

    def box(self, left: float, bottom: float, right: float, top: float, colour: Colour) -> None:
        """Fill an upright rectangle."""
        self.polygon([(left, bottom), (left, top), (right, top), (right, bottom)], colour)

    def ellipse(self, centre: Point, across: float, up: float, colour: Colour) -> None:
        """Fill an ellipse of half-axes ``across`` and ``up``."""
        x, y = self._at(centre)
        a, b = max(0.5, across * self.scale), max(0.5, up * self.scale)
        self.canvas.ellipse((x - a, y - b, x + a, y + b), colour, self.label)

    def line(self, points: Iterable[Point], colour: Colour, width: float) -> None:
        """Draw a line of the given width in units."""
        self.canvas.line([self._at(p) for p in points], colour, width * self.scale, self.label)

    def _at(self, point: Point) -> Point:
        return (
            self.foot[0] + self.sign * point[0] * self.scale,
            self.foot[1] - point[1] * self.scale,
        )
