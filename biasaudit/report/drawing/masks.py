"""Label maps as small transparent pictures, a colour a class."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from numpy.typing import NDArray
from PIL import Image

from biasaudit.report.drawing.pictures import uri
from biasaudit.results.examples import VOID

FEW = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Told apart with every common colour blindness (Okabe and Ito 2008)."""
VOID_COLOUR = "#888888"
_ALPHA = 190
"""Opacity of a mask; the photograph stays visible below it."""


def colour_of(place: int, classes: int) -> str:
    """Return a class's colour in hex; beyond twenty classes colours come again.

    Args:
        place: The class, from 0.
        classes: How many there are.
    """
    if classes <= len(FEW):
        return FEW[place % len(FEW)]
    return to_hex(mpl.colormaps["tab20"](place % 20))


def mask_uri(mask: NDArray[np.uint8], classes: int) -> str:
    """Encode an (H, W) label map as a PNG: the background transparent, undecided pixels grey."""
    colours = {0: "#000000", VOID: VOID_COLOUR}
    colours |= {c + 1: colour_of(c, classes) for c in range(min(classes, VOID - 1))}
    values = sorted({0, *np.unique(mask).tolist()})
    place = np.zeros(256, np.uint8)
    place[values] = np.arange(len(values))
    picture = Image.fromarray(place[mask], "P")
    rgb = np.rint([np.multiply(to_rgb(colours[value]), 255) for value in values])
    picture.putpalette(rgb.astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    alphas = bytes([0] + [_ALPHA] * (len(values) - 1))
    picture.save(buffer, "PNG", transparency=alphas, optimize=True)
    return uri("image/png", buffer.getvalue())
