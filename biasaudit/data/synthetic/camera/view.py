"""Where the device lies in a photograph, and from where it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]

EXTENT = 1.2
"""Distance from the device's middle to the end of its ears, in radii, and a little more."""


@dataclass(frozen=True)
class View:
    """A viewpoint: the device's plane to the image.

    Attributes:
        x: The device's middle, as a share of the image's width.
        y: Likewise, downwards.
        radius: Of the housing, as a share of the image's side.
        roll: Turn of the device in its plane, in radians, anticlockwise.
        squeeze: How much shorter the device looks along ``lean``, in (0, 1]: the cosine of the
            angle under which it is seen.
        lean: The direction in which it is foreshortened, in radians from the image's right,
            anticlockwise.
    """

    x: float
    y: float
    radius: float
    roll: float = 0.0
    squeeze: float = 1.0
    lean: float = 0.0

    def plane(self, side: int) -> tuple[Field, Field]:
        """Return coordinates in the device's plane, not rolled, of every pixel's middle.

        Args:
            side: P, the side of the picture in px.

        Returns:
            (P, P) to the right and (P, P) upwards, in radii from the device's middle.
        """
        across = ((np.arange(side) + 0.5) / side - self.x)[None, :] / self.radius
        up = (self.y - (np.arange(side) + 0.5) / side)[:, None] / self.radius
        stretched = np.linalg.inv(self._foreshortening())
        return (
            stretched[0, 0] * across + stretched[0, 1] * up,
            stretched[1, 0] * across + stretched[1, 1] * up,
        )

    def project(self, points: Field, side: int) -> Field:
        """Return where points of the device lie in the image.

        Args:
            points: (N, 2) right and up in radii, in the device's own frame.
            side: S, the side of the image in px.

        Returns:
            (N, 2) column and row in px, from the image's upper left corner.
        """
        seen = points @ turn(self.roll).T @ self._foreshortening().T * self.radius
        return np.stack([self.x + seen[:, 0], self.y - seen[:, 1]], axis=1) * side

    def _foreshortening(self) -> Field:
        axes = turn(self.lean)
        return axes @ np.diag([self.squeeze, 1.0]) @ axes.T


def turn(angle: float) -> Field:
    """Return the (2, 2) matrix that turns a column vector anticlockwise by ``angle`` radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
