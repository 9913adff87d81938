"""Colours that boats, cars and houses share, so that none of them gives its class away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biasaudit.data.synthetic.harbour.canvas import Colour

WHITE: Colour = (240, 240, 236)
DARK: Colour = (34, 36, 42)
GLASS: Colour = (84, 108, 128)
LAMP: Colour = (255, 222, 130)
PAINTS: tuple[Colour, ...] = (
    (190, 48, 44),
    (40, 72, 132),
    (30, 120, 124),
    (226, 180, 60),
    (58, 112, 70),
    (60, 62, 72),
    (232, 228, 218),
    (214, 112, 46),
    (116, 56, 82),
    (136, 172, 196),
    (180, 180, 178),
)
WOODS: tuple[Colour, ...] = ((140, 94, 56), (168, 120, 74), (108, 74, 50))
ANTIFOULING: tuple[Colour, ...] = ((148, 50, 42), (148, 50, 42), (36, 52, 82), (40, 44, 46))
"""What the bottoms of boats are painted with."""
SAILS: tuple[Colour, ...] = (
    WHITE,
    WHITE,
    WHITE,
    (236, 224, 196),
    (176, 74, 50),
    (206, 150, 80),
    (70, 110, 160),
)


def pick(colours: Sequence[Colour], rng: np.random.Generator) -> Colour:
    """Return one of the colours, a little off, so that no two things look painted alike."""
    r, g, b = colours[int(rng.integers(len(colours)))]
    shade = rng.uniform(0.9, 1.08)
    dr, dg, db = rng.normal(0, 5, 3)
    return r * shade + dr, g * shade + dg, b * shade + db
