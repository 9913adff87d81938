"""Pictures that look the same although their files differ: resized, recompressed, recoloured.

A picture's perceptual hash is the sign pattern of its lowest cosine frequencies (C. Zauner,
*Implementation and Benchmarking of Perceptual Image Hash Functions*, 2010, section 3.2.1; the
constant term is left out here, as it only says how bright the picture is). Equal patterns occur
by chance among pictures with little in them, so a candidate is held to the thumbnails too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy.fft import dctn

from biasaudit.data.sample import Image

SIDE = 32
"""Side in px of the grey thumbnail that is hashed."""
_LOWEST = 8
MOST_BITS = 6
"""Bits of 63 in which the hashes of one picture's versions differ at most."""
LEAST_CORRELATION = 0.98
"""Correlation of their thumbnails at least."""
_ROWS = 1024


@dataclass(frozen=True)
class Look:
    """What a picture looks like, in short.

    Attributes:
        bits: (63,) signs of the cosine frequencies against their median, 1 or -1, int8.
        thumbnail: (1024,) grey values with mean 0 and norm 1, float32; all 0 where the picture is
            of one shade.
    """

    bits: NDArray[np.int8]
    thumbnail: NDArray[np.float32]


def look_of(image: Image) -> Look:
    """Return the look of an (H, W, 3) picture."""
    grey = PIL.Image.fromarray(image).convert("L").resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
    values = np.asarray(grey, dtype=np.float64)
    lowest = dctn(values, norm="ortho")[:_LOWEST, :_LOWEST].ravel()[1:]
    bits = np.where(lowest > np.median(lowest), 1, -1).astype(np.int8)
    centred = values.ravel() - values.mean()
    norm = float(np.linalg.norm(centred))
    return Look(bits, (centred / norm if norm > 0 else centred).astype(np.float32))


def near_duplicates(first: Sequence[Look], second: Sequence[Look]) -> list[tuple[int, int]]:
    """Return (index in first, index in second) of pictures that look the same, in that order."""
    if not first or not second:
        return []
    found: list[tuple[int, int]] = []
    bits = np.stack([look.bits for look in second]).astype(np.float32)
    pictures = np.stack([look.thumbnail for look in second])
    for start in range(0, len(first), _ROWS):
        some = first[start : start + _ROWS]
        # The product of two sign patterns counts equal bits minus different ones.
        agree = np.stack([look.bits for look in some]).astype(np.float32) @ bits.T
        close = agree >= bits.shape[1] - 2 * MOST_BITS
        for row, column in np.argwhere(close).tolist():
            if float(some[row].thumbnail @ pictures[column]) >= LEAST_CORRELATION:
                found.append((start + row, column))
    return found
