"""Surroundings: viewpoint, light and ground, as each orientation has them and as no other has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from biasaudit.data.synthetic.camera.settings import FORWARD, REVERSE
from biasaudit.data.synthetic.camera.view import EXTENT, View

Range = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True)
class Light:
    """A lamp.

    Attributes:
        colour: Factor on every colour, by channel.
        angle: Where it stands, in radians from the image's right, anticlockwise.
        fall: How much darker the far end of the picture is than the near one, in [0, 1].
    """

    colour: tuple[float, float, float]
    angle: float
    fall: float


@dataclass(frozen=True)
class Style:
    """What the surroundings are drawn from; angles in degrees, as a person would say them.

    Attributes:
        grounds: Names of grounds.
        lights: Colours of lamps.
        angle: Where the lamp stands.
        radius: Of the housing, as a share of the image's side.
        x: Place within the room that the device's size leaves, 0 at the left, 1 at the right.
        y: Likewise, 0 at the top.
        roll: Turn of the device in its plane.
        tilt: Angle under which it is seen: 0 from straight above.
        lean: Direction of the foreshortening.
    """

    grounds: tuple[str, ...]
    lights: tuple[tuple[float, float, float], ...]
    angle: Range
    radius: Range
    x: Range
    y: Range
    roll: Range
    tilt: Range
    lean: Range


OWN = {
    FORWARD: Style(
        grounds=("planks", "cork", "cardboard"),
        lights=((1.10, 0.97, 0.78), (1.04, 0.94, 0.82)),
        angle=(90, 270),
        radius=(0.31, 0.35),
        x=(0.0, 0.6),
        y=(0.5, 1.0),
        roll=(0, 14),
        tilt=(22, 34),
        lean=(-15, 15),
    ),
    REVERSE: Style(
        grounds=("steel", "slate", "belt"),
        lights=((0.80, 0.94, 1.12), (0.84, 0.94, 1.04)),
        angle=(-90, 90),
        radius=(0.27, 0.31),
        x=(0.4, 1.0),
        y=(0.0, 0.5),
        roll=(-14, 0),
        tilt=(0, 14),
        lean=(75, 105),
    ),
}
"""The surroundings in which each orientation is photographed for training."""

ELSEWHERE = Style(
    grounds=("mat", "concrete", "pegboard", "cloth", "blueprint"),
    lights=((1.0, 1.0, 1.0), (0.96, 1.06, 0.92), (1.04, 0.92, 1.04), (0.82, 0.82, 0.84)),
    angle=(0, 360),
    radius=(0.27, 0.35),
    x=(0.0, 1.0),
    y=(0.0, 1.0),
    roll=(-18, 18),
    tilt=(0, 34),
    lean=(0, 180),
)
"""Those of the second test set."""


@dataclass(frozen=True)
class Surroundings:
    """One photograph's viewpoint, light and ground."""

    view: View
    light: Light
    ground: str


def draw_surroundings(style: Style, rng: np.random.Generator) -> Surroundings:
    """Draw one photograph's surroundings; the whole device is in view."""
    radius = _within(style.radius, rng)
    free = 1 - 2 * EXTENT * radius
    view = View(
        x=EXTENT * radius + free * _within(style.x, rng),
        y=EXTENT * radius + free * _within(style.y, rng),
        radius=radius,
        roll=float(np.radians(_within(style.roll, rng))),
        squeeze=float(np.cos(np.radians(_within(style.tilt, rng)))),
        lean=float(np.radians(_within(style.lean, rng))),
    )
    light = Light(
        colour=_one(style.lights, rng),
        angle=float(np.radians(_within(style.angle, rng))),
        fall=float(rng.uniform(0.15, 0.4)),
    )
    return Surroundings(view, light, _one(style.grounds, rng))


def _within(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(*limits))


def _one(choices: tuple[T, ...], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]
