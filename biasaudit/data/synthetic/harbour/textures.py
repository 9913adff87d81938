"""Noise that grounds, clouds and hills are made of."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]

TILE = 256
"""Side of the noise tile, a power of two; coordinates wrap around."""


@cache
def tile(roughness: float) -> Field:
    """Return a (TILE, TILE) periodic noise field of mean 0 and standard deviation 1.

    Args:
        roughness: Exponent of the amplitude spectrum 1/f^roughness: 0 is white, 2 is smooth.
    """
    white = np.random.default_rng(2018).standard_normal((TILE, TILE))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :]) * TILE
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(white) / frequency**roughness, s=(TILE, TILE))
    return (field / field.std()).astype(np.float32)


def noise(across: Field, along: Field, roughness: float, rng: np.random.Generator) -> Field:
    """Look noise up at coordinates in units of the tile's cells, from a random corner on.

    Args:
        across: Horizontal coordinates, any shape that broadcasts with ``along``.
        along: Vertical coordinates.
        roughness: See ``tile``.
        rng: Draws the corner.
    """
    corner = rng.integers(0, TILE, 2)
    x = (np.floor(across).astype(np.int32) + corner[0]) & (TILE - 1)
    y = (np.floor(along).astype(np.int32) + corner[1]) & (TILE - 1)
    values: Field = tile(roughness)[y, x]
    return values


def ridge(count: int, coarseness: float, rng: np.random.Generator) -> Field:
    """Return ``count`` heights of a smooth random line, mean about 0, deviation about 1.

    Args:
        count: Number of heights.
        coarseness: Tile cells that the whole line spans; more is busier.
        rng: Draws where the line is cut out.
    """
    row, start = rng.integers(0, TILE, 2)
    at = start + np.linspace(0.0, coarseness, count)
    cells = np.arange(TILE)
    line = np.interp(at, cells, tile(1.6)[row], period=TILE)
    return np.asarray(line, dtype=np.float32)
