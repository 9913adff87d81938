"""Where the things of a scene stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasaudit.data.synthetic.harbour.composition import Composition
from biasaudit.data.synthetic.harbour.grounds import View

_SPAN = {
    "boat": (0.43, 0.58),
    "car": (0.32, 0.44),
    "house": (0.30, 0.41),
    "tree": (0.28, 0.38),
    "rock": (0.06, 0.16),
}
"""Width in canvas sides at the lower edge, smallest and largest."""
_HEIGHT = {"boat": 0.7, "car": 0.5, "house": 0.95, "tree": 1.15, "rock": 0.45}
"""Usual height in widths."""
_TRIES = 16
_FREE = 0.05
"""Overlap of two boxes that is let pass, so that some things stand partly behind others."""


@dataclass(frozen=True)
class Placed:
    """One thing in its place.

    Attributes:
        kind: An object class, or ``rock``.
        x: Middle of the foot, in canvas px.
        y: The foot, in canvas px.
        scale: Canvas px of the thing's unit.
        mirrored: Whether it looks to the left.
        afloat: Whether it stands in water.
    """

    kind: str
    x: float
    y: float
    scale: float
    mirrored: bool
    afloat: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in canvas px, by the kind's usual shape."""
        half = self.scale / 2
        return (self.x - half, self.y - self.scale * _HEIGHT[self.kind], self.x + half, self.y)


def place(
    scene: Composition, view: View, bank: NDArray[np.bool_], rng: np.random.Generator
) -> list[Placed]:
    """Return the scene's things from the farthest to the nearest.

    Boats float where there is water, and everything else then stands on the bank; on dry ground
    anything stands anywhere. Rocks lie in water and on land alike. Things overlap a little at
    most.

    Args:
        scene: What to place.
        view: The perspective.
        bank: (P, P), where the second ground lies.
        rng: Draws the places.
    """
    placed: list[Placed] = []
    for i in rng.permutation(len(scene.things)):
        placed.append(_free_place(scene.things[i], placed, scene, view, bank, rng))
    placed += [_candidate("rock", scene, view, bank, rng) for _ in range(scene.rocks)]
    return sorted(placed, key=lambda thing: thing.y)


def _free_place(
    kind: str,
    placed: list[Placed],
    scene: Composition,
    view: View,
    bank: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Placed:
    """Return the first place that is as good as free, or the best of some."""
    best = _candidate(kind, scene, view, bank, rng)
    for _ in range(_TRIES):
        least = max((_overlap(best, other) for other in placed), default=0.0)
        if least <= _FREE:
            break
        new = _candidate(kind, scene, view, bank, rng)
        if max(_overlap(new, other) for other in placed) < least:
            best = new
    return best


def _candidate(
    kind: str, scene: Composition, view: View, bank: NDArray[np.bool_], rng: np.random.Generator
) -> Placed:
    side, rows = view.side, view.side - view.horizon
    for _ in range(200):
        x = rng.uniform(0.19, 0.81) * side
        y = view.horizon + rng.uniform(0.10, 0.94) * rows
        on_bank = bool(bank[int(y), int(x)])
        if scene.ground != "water" or kind == "rock" or on_bank == (kind != "boat"):
            break
    near = (y - view.horizon) / rows
    scale = rng.uniform(*_SPAN[kind]) * (0.86 + 0.22 * near) * side
    afloat = scene.ground == "water" and not on_bank
    return Placed(kind, x, y, scale, bool(rng.random() < 0.5), afloat)


def _overlap(first: Placed, second: Placed) -> float:
    """Return the share of the smaller box that lies in the other."""
    a, b = first.box, second.box
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / smaller
