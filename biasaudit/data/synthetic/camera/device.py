"""The device: a round housing with two ears and four screws, the same upside down but for a gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biasaudit.data.sample import Mask
from biasaudit.data.synthetic.camera.paint import Colour, Picture, box, cover, disc, mix, paint
from biasaudit.data.synthetic.camera.settings import FORWARD
from biasaudit.data.synthetic.camera.style import Light
from biasaudit.data.synthetic.camera.view import Field, View, turn

GAP_HALF_WIDTH, GAP_FOOT = 0.18, 0.70
"""The gap in the rim, in radii: half its width, and how far from the middle it begins."""
AREA = (-0.40, 0.45, 0.40, 1.15)
"""The critical area about the gap: left, bottom, right, top, in radii."""
_LINING = 0.075
_FACE, _BARREL, _GLASS = 0.76, 0.44, 0.32
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (10, 10, 14)


@dataclass(frozen=True)
class Finish:
    """What one specimen is made of."""

    body: Colour
    face: Colour
    glass: Colour


FINISHES = (
    Finish((136, 140, 148), (96, 102, 112), (36, 44, 96)),
    Finish((104, 112, 122), (158, 162, 168), (30, 62, 92)),
    Finish((150, 142, 128), (112, 108, 100), (66, 40, 92)),
    Finish((124, 128, 118), (170, 166, 156), (24, 60, 70)),
    Finish((92, 98, 108), (128, 136, 148), (44, 36, 88)),
)


def draw_device(
    picture: Picture, orientation: str, view: View, light: Light, rng: np.random.Generator
) -> None:
    """Draw the device over the picture in place.

    Args:
        picture: What lies beneath.
        orientation: A class; the device ``reverse`` is the device ``forward`` turned by half a
            turn, and differs in the gap alone.
        view: Where it lies.
        light: What it is lit by.
        rng: Draws the specimen.
    """
    pixels = view.radius * len(picture)
    x, y = view.plane(len(picture))
    finish = FINISHES[int(rng.integers(len(FINISHES)))]
    shade = rng.uniform(0.9, 1.06)
    body, face = (mix(_BLACK, c, shade) for c in (finish.body, finish.face))
    sun = np.array([np.cos(light.angle), np.sin(light.angle)])
    _shadow(picture, x, y, sun)
    own = _own_frame(x, y, view.roll)
    _housing(picture, own, (x, y), body, face, sun, pixels)
    _gap(picture, own, body, orientation, pixels)
    _screws(picture, own, face, pixels)
    _lens(picture, (x, y), finish.glass, sun, pixels)


def critical_area(orientation: str, view: View, size: int) -> Mask:
    """Return the upright box about the gap, (S, S), cut at the image's edge.

    Args:
        orientation: A class.
        view: Where the device lies.
        size: S, the side of the image in px.
    """
    left, bottom, right, top = AREA
    corners = np.array([(left, bottom), (left, top), (right, bottom), (right, top)])
    seen = view.project(corners * _upwards(orientation), size)
    first = np.clip(np.floor(seen.min(axis=0)), 0, size).astype(int)
    last = np.clip(np.ceil(seen.max(axis=0)), 0, size).astype(int)
    area = np.zeros((size, size), dtype=bool)
    area[first[1] : last[1], first[0] : last[0]] = True
    return area


def _upwards(orientation: str) -> float:
    return 1.0 if orientation == FORWARD else -1.0


def _own_frame(x: Field, y: Field, roll: float) -> tuple[Field, Field]:
    back = turn(-roll)
    return back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y


def _shadow(picture: Picture, x: Field, y: Field, sun: Field) -> None:
    away = disc(x, y, (-0.16 * sun[0], -0.16 * sun[1]), 1.06)
    picture *= (1 - 0.55 * np.clip(0.5 - away / 0.24, 0, 1))[..., None]


def _housing(
    picture: Picture,
    own: tuple[Field, Field],
    world: tuple[Field, Field],
    body: Colour,
    face: Colour,
    sun: Field,
    pixels: float,
) -> None:
    """Draw ears, rim and face; what faces the light is brighter."""
    u, v = own
    for side in (-1.0, 1.0):
        ear = np.minimum(disc(u, v, (side * 1.0, 0.0), 0.17), box(u - side * 0.85, v, 0.15, 0.17))
        paint(picture, cover(ear, pixels), mix(body, _BLACK, 0.22))
        paint(picture, cover(disc(u, v, (side * 1.04, 0.0), 0.06), pixels), _BLACK)
    radius = np.hypot(*world)
    facing = (world[0] * sun[0] + world[1] * sun[1]) / np.maximum(radius, 1e-6)
    bevel = np.clip((radius - 0.9) / 0.1, 0, 1)
    rim = np.asarray(body) * (0.86 + 0.42 * facing * bevel + 0.06 * facing)[..., None]
    paint(picture, cover(radius - 1, pixels), rim)
    paint(picture, cover(np.abs(radius - _FACE) - 0.015, pixels), mix(body, _BLACK, 0.6))
    plate = np.asarray(face) * (0.9 + 0.14 * (world[0] * sun[0] + world[1] * sun[1]))[..., None]
    paint(picture, cover(radius - _FACE, pixels), plate)


def _gap(
    picture: Picture, own: tuple[Field, Field], body: Colour, orientation: str, pixels: float
) -> None:
    u, v = own[0], own[1] * _upwards(orientation)
    inside = cover(np.hypot(u, v) - 1, pixels)
    slot = np.maximum(np.abs(u) - GAP_HALF_WIDTH, GAP_FOOT - v)
    paint(picture, cover(slot - _LINING, pixels) * inside, mix(body, _WHITE, 0.85))
    paint(picture, cover(slot, pixels) * inside, mix(body, _BLACK, 0.93))


def _screws(picture: Picture, own: tuple[Field, Field], face: Colour, pixels: float) -> None:
    for quarter in range(4):
        angle = np.pi / 4 + quarter * np.pi / 2
        u, v = own[0] - 0.6 * np.cos(angle), own[1] - 0.6 * np.sin(angle)
        paint(picture, cover(np.hypot(u, v) - 0.095, pixels), mix(face, _BLACK, 0.55))
        paint(picture, cover(np.hypot(u, v) - 0.07, pixels), mix(face, _WHITE, 0.35))
        cross = np.minimum(box(u, v, 0.05, 0.014), box(u, v, 0.014, 0.05))
        paint(picture, cover(cross, pixels), mix(face, _BLACK, 0.7))


def _lens(
    picture: Picture, world: tuple[Field, Field], glass: Colour, sun: Field, pixels: float
) -> None:
    x, y = world
    radius = np.hypot(x, y)
    paint(picture, cover(radius - _BARREL, pixels), (34, 35, 40))
    paint(picture, cover(np.abs(radius - 0.385) - 0.018, pixels), (92, 94, 102))
    depth = (0.45 + 1.1 * np.clip(0.5 - (x * sun[0] + y * sun[1]) / 0.64, 0, 1))[..., None]
    paint(picture, cover(radius - _GLASS, pixels), np.asarray(glass) * depth)
    paint(picture, cover(radius - 0.13, pixels), (6, 6, 16))
    glint = disc(x, y, (0.17 * sun[0], 0.17 * sun[1]), 0.065)
    paint(picture, cover(glint, pixels) * 0.9, _WHITE)
    paint(picture, cover(disc(x, y, (-0.2 * sun[0], -0.2 * sun[1]), 0.035), pixels) * 0.5, _WHITE)
