"""Grounds that the device lies on, by name, and the small things that lie about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from biasaudit.data.synthetic.camera.paint import Colour, Picture, box, cover, hexagon, mix, paint
from biasaudit.data.synthetic.camera.view import Field, turn
from biasaudit.data.synthetic.harbour.textures import noise

Painter = Callable[[Field, Field, np.random.Generator], Picture]

GROUNDS: dict[str, Painter] = {}
"""Name to painter: coordinates in shares of the image's side to a (P, P, 3) picture."""

_SHARP = 128.0
"""Pixels over which the edges of patterns are soft: one of so many in the image's side."""
_DARK: Colour = (24, 24, 28)
_BRIGHT: Colour = (248, 248, 246)


def _ground(painter: Painter) -> Painter:
    GROUNDS[painter.__name__] = painter
    return painter


def paint_ground(name: str, side: int, rng: np.random.Generator) -> Picture:
    """Return a ground, turned a little, with up to three small things on it.

    Args:
        name: One of ``GROUNDS``.
        side: P, the side of the picture in px.
        rng: Draws everything.
    """
    at = (np.arange(side) + 0.5) / side - 0.5
    turned = turn(float(rng.uniform(-0.15, 0.15)))
    x = turned[0, 0] * at[None, :] + turned[0, 1] * at[:, None]
    y = turned[1, 0] * at[None, :] + turned[1, 1] * at[:, None]
    picture: Picture = GROUNDS[name](x, y, rng)
    for _ in range(int(rng.integers(0, 4))):
        _small_thing(picture, at, side, rng)
    return picture


def _flat(colour: Colour, grain: Field) -> Picture:
    """Return a surface of one colour that the grain, mean 0, makes lighter and darker."""
    return np.asarray(colour) * (1 + grain)[..., None]


def _stripe(at: Field, step: float, width: float) -> Field:
    """Return the signed distance to the nearest of evenly spaced lines."""
    return np.abs((at / step + 0.5) % 1.0 - 0.5) * step - width / 2


@_ground
def planks(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A wooden bench: long boards of differing shade, with grain along them."""
    wide = rng.uniform(0.17, 0.24)
    row = np.floor((y + rng.uniform(0, 1)) / wide)
    shade = 0.10 * np.sin(row * 12.9 + rng.uniform(0, 6))
    grain = 0.06 * noise(x * 14 + row * 40, y * 170, 1.2, rng)
    picture = _flat((172, 120, 72), grain + shade)
    seam = _stripe(y + rng.uniform(0, 0.01), wide, 0.008)
    edges = np.abs(np.diff(row, axis=0, append=row[-1:])) > 0
    paint(picture, np.where(edges, 0.6, 0.0), (70, 44, 26))
    paint(picture, 0.12 * cover(seam, _SHARP), (70, 44, 26))
    return picture


@_ground
def steel(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A steel table: brushed along one direction, with round holes in a wide grid."""
    brushed = 0.07 * noise(x * 10, y * 220, 0.6, rng)
    picture = _flat((142, 150, 160), brushed + 0.05 * np.sin(5 * x + rng.uniform(0, 6)))
    step = rng.uniform(0.24, 0.3)
    u, v = x + rng.uniform(0, step), y + rng.uniform(0, step)
    hole = np.hypot(_stripe(u, step, 0), _stripe(v, step, 0)) - 0.026
    paint(picture, cover(hole - 0.008, _SHARP), (196, 202, 210))
    paint(picture, cover(hole, _SHARP), (44, 48, 56))
    return picture


@_ground
def cork(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A cork sheet: warm brown with dark and pale crumbs."""
    crumbs = 0.10 * noise(x * 130, y * 130, 0.7, rng)
    return _flat((184, 136, 88), crumbs + 0.05 * noise(x * 40, y * 40, 1.8, rng))


@_ground
def cardboard(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """Packing cardboard with its ribs showing, and a strip of tape."""
    picture = _flat((190, 152, 108), 0.03 * noise(x * 60, y * 60, 1.4, rng))
    paint(picture, 0.12 * cover(_stripe(x, 0.045, 0.018), _SHARP), _DARK)
    tape = np.abs(y - rng.uniform(-0.4, 0.4)) - 0.07
    paint(picture, 0.6 * cover(tape, _SHARP), (212, 180, 128))
    return picture


@_ground
def slate(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """Tiles of grey slate with pale joints."""
    picture = _flat((98, 108, 122), 0.08 * noise(x * 50, y * 90, 1.4, rng))
    u, v = x + rng.uniform(0, 1), y + rng.uniform(0, 1)
    joints = np.minimum(_stripe(u, 0.42, 0.014), _stripe(v, 0.42, 0.014))
    paint(picture, 0.8 * cover(joints, _SHARP), (176, 184, 192))
    return picture


@_ground
def belt(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A dark conveyor belt between two rails."""
    picture = _flat((72, 76, 84), 0.06 * noise(x * 150, y * 150, 0.5, rng))
    paint(picture, 0.35 * cover(_stripe(x + rng.uniform(0, 1), 0.12, 0.012), _SHARP), _BRIGHT)
    rail = np.minimum(y + rng.uniform(0.40, 0.46), rng.uniform(0.40, 0.46) - y)
    paint(picture, cover(rail, _SHARP), (184, 192, 202))
    return picture


@_ground
def mat(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A green cutting mat with a grid of lines."""
    picture = _flat((46, 116, 88), 0.05 * noise(x * 90, y * 90, 0.8, rng))
    u, v = x + rng.uniform(0, 1), y + rng.uniform(0, 1)
    for step, width, share in ((0.06, 0.004, 0.25), (0.24, 0.008, 0.7)):
        lines = np.minimum(_stripe(u, step, width), _stripe(v, step, width))
        paint(picture, share * cover(lines, _SHARP), (210, 224, 150))
    return picture


@_ground
def concrete(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A concrete floor, blotched and speckled."""
    blotches = 0.09 * noise(x * 60, y * 60, 2.0, rng) + 0.05 * noise(x * 200, y * 200, 0.2, rng)
    return _flat((150, 147, 140), blotches)


@_ground
def pegboard(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A pale board with small holes close together."""
    picture = _flat((222, 212, 190), 0.03 * noise(x * 120, y * 120, 1.0, rng))
    step = rng.uniform(0.10, 0.13)
    u, v = x + rng.uniform(0, step), y + rng.uniform(0, step)
    hole = np.hypot(_stripe(u, step, 0), _stripe(v, step, 0)) - 0.018
    paint(picture, 0.6 * cover(hole, _SHARP), (110, 96, 76))
    return picture


@_ground
def cloth(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A red cloth with checks."""
    picture = _flat((168, 74, 70), 0.05 * noise(x * 160, y * 160, 0.4, rng))
    step = rng.uniform(0.16, 0.22)
    for at in (x + rng.uniform(0, 1), y + rng.uniform(0, 1)):
        paint(picture, 0.22 * cover(_stripe(at, step, step / 2), _SHARP), (236, 214, 204))
    return picture


@_ground
def blueprint(x: Field, y: Field, rng: np.random.Generator) -> Picture:
    """A drawing: white lines and circles on blue paper."""
    picture = _flat((38, 72, 140), 0.04 * noise(x * 40, y * 40, 1.6, rng))
    for _ in range(4):
        angle = rng.choice([0.0, np.pi / 2, np.pi / 4])
        line = np.abs(x * np.sin(angle) + y * np.cos(angle) - rng.uniform(-0.45, 0.45)) - 0.004
        paint(picture, 0.7 * cover(line, _SHARP), _BRIGHT)
    for _ in range(2):
        u, v = x - rng.uniform(-0.45, 0.45), y - rng.uniform(-0.45, 0.45)
        ring = np.abs(np.hypot(u, v) - rng.uniform(0.08, 0.3)) - 0.005
        paint(picture, 0.7 * cover(ring, _SHARP), _BRIGHT)
    return picture


def _small_thing(picture: Picture, at: Field, side: int, rng: np.random.Generator) -> None:
    """Draw a nut or a pencil somewhere, with its shadow, in place."""
    place, turned = rng.uniform(-0.47, 0.47, 2), turn(float(rng.uniform(0, 2 * np.pi)))
    u = turned[0, 0] * (at[None, :] - place[0]) + turned[0, 1] * (at[:, None] - place[1])
    v = turned[1, 0] * (at[None, :] - place[0]) + turned[1, 1] * (at[:, None] - place[1])
    if rng.random() < 0.65:
        size, metal = rng.uniform(0.03, 0.045), mix((150, 150, 154), (196, 168, 92), rng.random())
        paint(picture, 0.5 * cover(hexagon(u, v, size * 1.35), side), _DARK)
        paint(picture, cover(hexagon(u, v, size), side), metal)
        hole = np.hypot(u, v)
        paint(picture, cover(hole - size * 0.62, side), mix(metal, _DARK, 0.45))
        paint(picture, cover(hole - size * 0.5, side), _DARK)
    else:
        red, green, blue = rng.uniform(40, 220, 3)
        long = rng.uniform(0.14, 0.2)
        paint(picture, 0.45 * cover(box(u, v, long, 0.026), side), _DARK)
        paint(picture, cover(box(u, v, long, 0.016), side), (red, green, blue))
        paint(picture, cover(box(u - long * 1.08, v, long * 0.1, 0.014), side), (226, 190, 140))
        paint(picture, 0.5 * cover(box(u, v, long, 0.004), side), _BRIGHT)
