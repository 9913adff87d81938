"""Boats: sailing, rowing and motor boats, fishing boats, ships.

Each is drawn in its own unit, the length of its hull, bow to the right, from the foot upwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from biasaudit.data.synthetic.harbour.canvas import Colour, Pen, mix
from biasaudit.data.synthetic.harbour.palette import (
    ANTIFOULING,
    DARK,
    GLASS,
    PAINTS,
    SAILS,
    WHITE,
    WOODS,
    pick,
)

_MAST: Colour = (196, 184, 160)


def draw_boat(pen: Pen, rng: np.random.Generator) -> None:
    """Draw one boat of a random kind."""
    kinds: tuple[Callable[[Pen, np.random.Generator], None], ...] = (
        _sailing,
        _sailing,
        _rowing,
        _motor,
        _fishing,
        _ship,
    )
    kinds[int(rng.integers(len(kinds)))](pen, rng)


def _hull(
    pen: Pen, rng: np.random.Generator, colour: Colour, stern: float, bow: float, rake: float
) -> None:
    """Draw a hull: flat keel, sheer rising to the bow, a painted bottom, a bright gunwale."""
    low = -0.5 + rng.uniform(0.02, 0.08)
    sheer = [(-0.5, stern), (-0.1, stern * 0.88), (0.2, stern * 0.94), (0.5, bow)]
    pen.polygon([*sheer, (0.5 - rake, 0.0), (low, 0.0)], colour)
    bottom = pick(ANTIFOULING, rng)
    line = stern * 0.36
    pen.polygon(
        [(low - 0.02, line), (0.5 - rake * (1 - line / bow), line), (0.5 - rake, 0), (low, 0)],
        bottom,
    )
    trim = mix(colour, WHITE, 0.8) if sum(colour) < 480 else mix(colour, DARK, 0.6)
    pen.line(sheer, trim, 0.035)


def _sailing(pen: Pen, rng: np.random.Generator) -> None:
    _hull(pen, rng, pick((*PAINTS, WHITE, WHITE), rng), 0.19, rng.uniform(0.24, 0.30), 0.18)
    mast = rng.uniform(-0.02, 0.1)
    top = rng.uniform(0.85, 1.15)
    cloth = pick(SAILS, rng)
    if rng.random() < 0.85:
        belly = rng.uniform(0.0, 0.06)
        pen.polygon(
            [
                (mast - 0.02, 0.25),
                (mast - 0.02, top - 0.03),
                (mast - 0.2 - belly, 0.55),
                (mast - 0.44, 0.26),
            ],
            cloth,
        )
        if rng.random() < 0.8:
            jib = pick(SAILS, rng) if rng.random() < 0.3 else mix(cloth, DARK, 0.1)
            pen.polygon([(mast + 0.03, 0.28), (mast + 0.03, top * 0.9), (0.48, 0.26)], jib)
    else:
        pen.line([(mast, 0.27), (mast - 0.42, 0.25)], cloth, 0.06)
        pen.line([(mast, top), (0.48, 0.24)], _MAST, 0.012)
    pen.line([(mast, 0.15), (mast, top)], _MAST, 0.03)


def _rowing(pen: Pen, rng: np.random.Generator) -> None:
    colour = pick((*WOODS, *WOODS, *PAINTS), rng)
    high = rng.uniform(0.27, 0.35)
    pen.polygon(
        [(-0.47, high * 0.86), (0.46, high * 0.95), (0.2, high * 0.55), (-0.3, high * 0.5)],
        mix(colour, DARK, 0.45),
    )
    _hull(pen, rng, colour, high * 0.85, high, 0.15)
    pen.line([(-0.42, high * 0.6), (0.4, high * 0.6)], mix(colour, DARK, 0.3), 0.018)
    if rng.random() < 0.6:
        pen.line([(-0.05, high), (-0.4, high + 0.16)], pick(WOODS, rng), 0.025)
        pen.line([(0.1, high), (0.42, high + 0.2)], pick(WOODS, rng), 0.025)


def _motor(pen: Pen, rng: np.random.Generator) -> None:
    colour = pick((*PAINTS, WHITE, WHITE), rng)
    _hull(pen, rng, colour, 0.22, rng.uniform(0.29, 0.35), 0.24)
    cabin = pick((WHITE, *WOODS, (226, 216, 196)), rng)
    high = rng.uniform(0.38, 0.48)
    pen.polygon([(-0.26, 0.18), (-0.22, high), (0.08, high), (0.24, 0.22)], cabin)
    pen.polygon([(-0.19, 0.27), (-0.17, high - 0.04), (0.05, high - 0.04), (0.14, 0.27)], GLASS)
    pen.line([(-0.06, 0.27), (-0.06, high)], cabin, 0.03)
    if rng.random() < 0.5:
        pen.line([(-0.1, high), (-0.12, high + 0.16)], DARK, 0.015)
    pen.box(-0.54, 0.06, -0.48, 0.26, DARK)


def _fishing(pen: Pen, rng: np.random.Generator) -> None:
    _hull(pen, rng, pick(PAINTS, rng), 0.25, rng.uniform(0.38, 0.46), 0.15)
    house = pick((WHITE, WHITE, (232, 208, 150), *WOODS), rng)
    left = rng.uniform(-0.38, -0.2)
    high = rng.uniform(0.5, 0.62)
    pen.box(left, 0.2, left + 0.28, high, house)
    pen.box(left - 0.03, high, left + 0.31, high + 0.05, mix(house, DARK, 0.5))
    pen.box(left + 0.05, high - 0.16, left + 0.24, high - 0.05, GLASS)
    mast = left + 0.4
    pen.line([(mast, 0.22), (mast, high + 0.32)], DARK, 0.03)
    pen.line([(mast, high + 0.3), (0.46, 0.38)], DARK, 0.014)
    pen.line([(mast, 0.34), (mast - 0.4, high + 0.26)], pick(WOODS, rng), 0.022)


def _ship(pen: Pen, rng: np.random.Generator) -> None:
    _hull(pen, rng, pick((*PAINTS, DARK), rng), 0.2, 0.3, rng.uniform(0.10, 0.16))
    pen.box(-0.44, 0.19, -0.16, 0.36, WHITE)
    pen.box(-0.4, 0.36, -0.2, 0.48, WHITE)
    pen.box(-0.38, 0.40, -0.22, 0.45, GLASS)
    pen.line([(-0.42, 0.29), (-0.18, 0.29)], GLASS, 0.03)
    funnel = pick(PAINTS, rng)
    pen.polygon([(-0.36, 0.48), (-0.35, 0.64), (-0.25, 0.64), (-0.24, 0.48)], funnel)
    pen.line([(-0.36, 0.61), (-0.25, 0.61)], DARK, 0.04)
    if rng.random() < 0.6:
        for i in range(4):
            for level in range(int(rng.integers(1, 3))):
                low = 0.17 + 0.09 * level
                pen.box(-0.12 + 0.12 * i, low, -0.01 + 0.12 * i, low + 0.085, pick(PAINTS, rng))
    else:
        pen.line([(0.05, 0.18), (0.05, 0.6)], _MAST, 0.03)
        pen.line([(0.05, 0.22), (0.3, 0.5)], _MAST, 0.02)
    pen.line([(0.38, 0.25), (0.38, 0.44)], DARK, 0.02)
