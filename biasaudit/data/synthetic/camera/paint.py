"""Strokes with soft edges: shapes are signed distances, negative inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasaudit.data.synthetic.camera.view import Field

Colour = tuple[float, float, float]
"""Red, green, blue in [0, 255]."""
Picture = NDArray[np.floating[Any]]
"""(P, P, 3) in [0, 255]."""


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour that lies ``share`` of the way from the first to the second."""
    r, g, b = (a + (z - a) * share for a, z in zip(first, second, strict=True))
    return r, g, b


def cover(distance: Field, pixels: float) -> Field:
    """Return how much of each pixel lies inside a shape, in [0, 1].

    Args:
        distance: Signed distance to the shape's edge, negative inside, in any unit.
        pixels: Pixels of one such unit.
    """
    return np.clip(0.5 - distance * pixels, 0.0, 1.0)


def paint(picture: Picture, share: Field, colour: Colour | Picture) -> None:
    """Lay a colour, or a picture of the same size, over the picture in place.

    Args:
        picture: What to paint on.
        share: (P, P) in [0, 1], how much of each pixel is painted.
        colour: With what.
    """
    picture += (np.asarray(colour) - picture) * share[..., None]


def disc(x: Field, y: Field, centre: tuple[float, float], radius: float) -> Field:
    """Return the signed distance to a circle."""
    return np.hypot(x - centre[0], y - centre[1]) - radius


def box(x: Field, y: Field, across: float, up: float) -> Field:
    """Return the signed distance, largest coordinate, to a box about the origin."""
    return np.maximum(np.abs(x) - across, np.abs(y) - up)


def hexagon(x: Field, y: Field, radius: float) -> Field:
    """Return the signed distance to a regular hexagon about the origin, inner radius given."""
    sides = [np.abs(x * np.cos(a) + y * np.sin(a)) for a in np.pi / 3 * np.arange(3)]
    return np.maximum.reduce(sides) - radius
