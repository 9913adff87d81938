"""Cars, houses, trees, and rocks, which have no label.

Each is drawn in its own unit, about its width, from the foot upwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from biasaudit.data.synthetic.harbour.canvas import Colour, Pen, mix
from biasaudit.data.synthetic.harbour.palette import DARK, GLASS, LAMP, PAINTS, WHITE, WOODS, pick

_WALLS: tuple[Colour, ...] = (
    (236, 230, 216),
    (166, 62, 48),
    (228, 196, 120),
    (176, 110, 84),
    (150, 170, 184),
    (204, 190, 170),
    (126, 142, 110),
)
_ROOFS: tuple[Colour, ...] = (
    (146, 66, 50),
    (88, 76, 74),
    (112, 88, 70),
    (70, 84, 96),
    (166, 98, 66),
)
_LEAVES: tuple[Colour, ...] = (
    (62, 104, 48),
    (84, 122, 52),
    (44, 84, 56),
    (110, 130, 58),
    (186, 118, 44),
    (176, 78, 44),
    (104, 132, 84),
)
_STONES: tuple[Colour, ...] = ((124, 120, 116), (104, 98, 92), (148, 138, 126), (92, 98, 104))

Painter = Callable[[Pen, np.random.Generator], None]


def draw_car(pen: Pen, rng: np.random.Generator) -> None:
    """Draw a saloon, an estate, a van or a pickup."""
    paint = pick(PAINTS, rng)
    kind = int(rng.integers(4))
    shoulder = rng.uniform(0.24, 0.28)
    roof = (0.42, 0.43, 0.52, 0.46)[kind] * rng.uniform(0.95, 1.06)
    cabin = (
        [(-0.3, shoulder), (-0.2, roof), (0.12, roof), (0.28, shoulder)],
        [(-0.47, shoulder), (-0.44, roof), (0.12, roof), (0.28, shoulder)],
        [(-0.48, shoulder), (-0.47, roof), (0.26, roof), (0.42, shoulder)],
        [(-0.06, shoulder), (-0.04, roof), (0.18, roof), (0.3, shoulder)],
    )[kind]
    pen.polygon(cabin, paint)
    left, right = cabin[1][0], cabin[2][0]
    sill, lintel = shoulder + 0.01, roof - 0.045
    if kind == 2:
        left = right - 0.2
    pen.polygon(
        [(left - 0.02, sill), (left + 0.02, lintel), (right - 0.01, lintel), (right + 0.1, sill)],
        GLASS,
    )
    middle = (left + right) / 2
    pen.line([(middle, sill), (middle, lintel)], paint, 0.03)
    pen.polygon(
        [(-0.5, 0.1), (-0.49, shoulder), (0.3, shoulder), (0.47, shoulder - 0.06), (0.5, 0.1)],
        paint,
    )
    pen.line([(-0.49, 0.13), (0.49, 0.13)], mix(paint, DARK, 0.5), 0.05)
    pen.box(0.44, 0.16, 0.5, 0.2, LAMP)
    pen.box(-0.5, 0.17, -0.46, 0.22, (190, 40, 36))
    for wheel in (-0.28, 0.29):
        pen.ellipse((wheel, 0.1), 0.105, 0.105, DARK)
        pen.ellipse((wheel, 0.1), 0.045, 0.045, (168, 170, 174))


def draw_house(pen: Pen, rng: np.random.Generator) -> None:
    """Draw a house that shows its gable, its long side, or a flat roof."""
    wall, roof = pick(_WALLS, rng), pick(_ROOFS, rng)
    half = rng.uniform(0.36, 0.44)
    high = rng.uniform(0.42, 0.66)
    kind = int(rng.integers(3))
    peak = high + rng.uniform(0.26, 0.42)
    if rng.random() < 0.6:
        place = rng.uniform(-0.6, 0.5) * half
        pen.box(place, high, place + 0.09, peak + 0.04, mix(roof, DARK, 0.3))
    pen.box(-half, 0, half, high, wall)
    pen.box(half * 0.55, 0, half, high, mix(wall, DARK, 0.16))
    if kind == 0:
        pen.polygon([(-half - 0.07, high - 0.03), (0, peak), (half + 0.07, high - 0.03)], roof)
        pen.polygon(
            [(-half + 0.04, high - 0.01), (0, peak - 0.1), (half - 0.04, high - 0.01)], wall
        )
    elif kind == 1:
        peak = high + (peak - high) * 0.8
        pen.polygon(
            [
                (-half - 0.07, high - 0.03),
                (-half * 0.7, peak),
                (half * 0.7, peak),
                (half + 0.07, high - 0.03),
            ],
            roof,
        )
    else:
        pen.box(-half - 0.04, high, half + 0.04, high + 0.06, roof)
    _front(pen, half, high, rng)


def _front(pen: Pen, half: float, high: float, rng: np.random.Generator) -> None:
    """Draw door and windows; some windows are lit."""
    frame = WHITE if rng.random() < 0.6 else mix(pick(WOODS, rng), DARK, 0.3)
    lit = rng.random() < 0.3
    columns = int(rng.integers(2, 4))
    door = int(rng.integers(columns))
    for floor in range(2 if high > 0.54 else 1):
        low = high * (0.56 if floor else 0.42) if high <= 0.54 else (0.1, high * 0.58)[floor]
        for column in range(columns):
            x = -half + 2 * half * (column + 0.5) / columns
            if column == door and floor == 0:
                pen.box(x - 0.06, 0, x + 0.06, 0.24, pick(PAINTS, rng))
                continue
            pen.box(x - 0.075, low, x + 0.075, low + 0.17, frame)
            pen.box(x - 0.05, low + 0.025, x + 0.05, low + 0.145, LAMP if lit else GLASS)


def draw_tree(pen: Pen, rng: np.random.Generator) -> None:
    """Draw a broad-leaved tree, a conifer, a poplar or a palm."""
    kinds: tuple[Painter, ...] = (_broad, _broad, _conifer, _poplar, _palm)
    kinds[int(rng.integers(len(kinds)))](pen, rng)


def _broad(pen: Pen, rng: np.random.Generator) -> None:
    leaves, trunk = pick(_LEAVES, rng), pick(WOODS, rng)
    pen.polygon([(-0.06, 0), (-0.04, 0.5), (0.04, 0.5), (0.07, 0)], trunk)
    pen.line([(0, 0.3), (0.2, 0.6)], trunk, 0.04)
    clumps = rng.uniform(-1, 1, (7, 2)) * (0.3, 0.22) + (0, 0.78)
    for shade, (dx, dy) in ((0.25, (0.02, -0.05)), (0.0, (0, 0)), (-0.2, (-0.05, 0.07))):
        tone = mix(leaves, DARK, shade) if shade >= 0 else mix(leaves, (240, 236, 150), -shade)
        radius = 0.24 if shade >= 0 else 0.13
        for x, y in clumps:
            pen.ellipse((x + dx, y + dy), radius, radius * 0.85, tone)


def _conifer(pen: Pen, rng: np.random.Generator) -> None:
    leaves = mix(pick(_LEAVES[:3], rng), (30, 70, 60), 0.4)
    pen.box(-0.05, 0, 0.05, 0.25, pick(WOODS, rng))
    for i in range(4):
        low, width = 0.14 + 0.27 * i, 0.42 - 0.085 * i
        pen.polygon(
            [(-width, low), (0, low + 0.44), (width, low)], mix(leaves, DARK, 0.12 * (i % 2))
        )
        pen.polygon(
            [(-width, low), (0, low + 0.44), (-width * 0.2, low + 0.04)],
            mix(leaves, (210, 226, 150), 0.14),
        )


def _poplar(pen: Pen, rng: np.random.Generator) -> None:
    leaves = pick(_LEAVES, rng)
    pen.box(-0.04, 0, 0.04, 0.3, pick(WOODS, rng))
    for i in range(7):
        y = 0.3 + 0.15 * i
        width = 0.2 * np.sin(np.pi * (i + 1.4) / 8.6)
        tone = mix(leaves, DARK, 0.2 * (i % 2))
        pen.ellipse((rng.normal(0, 0.02), y), width, 0.14, tone)
        pen.ellipse((-0.05, y + 0.04), width * 0.5, 0.07, mix(leaves, (230, 230, 150), 0.15))


def _palm(pen: Pen, rng: np.random.Generator) -> None:
    leaves = pick(_LEAVES[:4], rng)
    lean = rng.uniform(-0.2, 0.2)
    high = rng.uniform(0.75, 0.95)
    pen.line([(0, 0), (lean * 0.4, high * 0.5), (lean, high)], pick(WOODS, rng), 0.075)
    for angle in np.linspace(-0.5, 3.64, 8):
        x, y = np.cos(angle), np.sin(angle)
        tip = (lean + 0.46 * x, high + 0.26 * y - 0.1)
        bend = (lean + 0.26 * x, high + 0.24 * y + 0.05)
        pen.polygon(
            [(lean, high + 0.03), bend, tip, (bend[0] * 0.9 + lean * 0.1, bend[1] - 0.12)],
            mix(leaves, DARK, rng.uniform(0, 0.3)),
        )


def draw_rock(pen: Pen, rng: np.random.Generator) -> None:
    """Draw a rock, or two side by side."""
    stone = pick(_STONES, rng)
    for centre, size in ((0.0, 1.0), (rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6))):
        rim = [
            (
                centre + size * 0.5 * np.cos(a) * rng.uniform(0.8, 1.1),
                size * max(0.0, 0.12 + 0.36 * np.sin(a) * rng.uniform(0.75, 1.15)),
            )
            for a in np.linspace(-0.3, np.pi + 0.3, 8)
        ]
        pen.polygon(rim, mix(stone, DARK, 0.3))
        lit = [
            (centre + (x - centre) * 0.7 - 0.06 * size, y * 0.72 + 0.1 * size) for x, y in rim[2:]
        ]
        pen.polygon(lit, mix(stone, WHITE, 0.18))
        if rng.random() < 0.5:
            break


PAINTERS: dict[str, Painter] = {"car": draw_car, "house": draw_house, "tree": draw_tree}
