"""Small pictures for one HTML file: photographs, attention layers, outlines, as data URIs."""

from __future__ import annotations

import base64
import io
from functools import cache

import matplotlib as mpl
import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from PIL import Image, features

LEVELS = 32
"""Steps of the attention scale: finer ones cannot be told apart and cost bytes."""
SIDE = 56
"""Pixels a side of an attention layer: on paper, squares of half a millimetre."""
TOP_ALPHA = 0.85
"""Opacity of the strongest attention; the photograph stays visible below it."""
COLOUR_MAP = "plasma"
"""Perceptually even, rising in lightness, and readable with every common colour blindness."""


def photo_uri(image: NDArray[np.uint8]) -> str:
    """Encode an (H, W, 3) uint8 RGB picture as WebP (JPEG where Pillow lacks WebP)."""
    webp = features.check("webp")
    buffer = io.BytesIO()
    picture = Image.fromarray(image, "RGB")
    if webp:
        picture.save(buffer, "WEBP", quality=82, method=4)
    else:
        picture.save(buffer, "JPEG", quality=85, optimize=True)
    return uri("image/webp" if webp else "image/jpeg", buffer.getvalue())


def attention_uri(attention: NDArray[np.uint8]) -> str:
    """Encode an (h, w) uint8 map as a transparent PNG of at least :data:`SIDE` pixels a side.

    The colour and the opacity both rise with the attention: zero is fully transparent. It is scaled
    up with the bilinear rule that training uses, as a printed page shows the pixels as they are.
    """
    colours, alphas = _scale()
    shares = Image.fromarray(attention.astype(np.float32) / 255)
    wide = (max(SIDE, attention.shape[1]), max(SIDE, attention.shape[0]))
    smooth = np.asarray(shares.resize(wide, Image.Resampling.BILINEAR))
    steps = np.rint(smooth * (LEVELS - 1)).astype(np.uint8)
    picture = Image.fromarray(steps, "P")
    picture.putpalette(colours)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=alphas, optimize=True)
    return uri("image/png", buffer.getvalue())


def scale_stops(count: int = 8) -> list[tuple[float, str, float]]:
    """Return the legend's gradient stops: position in [0, 1], hex colour, opacity in [0, 1]."""
    colours, alphas = _scale()
    places = np.linspace(0, LEVELS - 1, count).round().astype(int)
    return [
        (
            round(float(place) / (LEVELS - 1), 4),
            "#" + colours[3 * place : 3 * place + 3].hex(),
            round(alphas[place] / 255, 3),
        )
        for place in places
    ]


def outline(region: NDArray[np.bool_]) -> str:
    """Return the region's border as an SVG path in pixel units, or "" for an empty region.

    The mask is padded and smoothed by a 3×3 mean first, so that a small mask does not show
    its staircase; one pixel of precision is all that a thumbnail has.

    Args:
        region: (H, W), True inside.
    """
    if not region.any():
        return ""
    padded = np.pad(region.astype(np.float64), 2)
    smooth = _mean3(padded)
    if smooth.max() <= 0.5:  # thinner than the smoothing: keep it as it is
        smooth = padded
    lines = contour_generator(z=smooth).lines(0.5)
    size = np.array([region.shape[1], region.shape[0]], dtype=np.float64)
    # Pixel centres lie at +0.5; the padding shifted them by two.
    return "".join(_path(np.clip(np.asarray(line) - 1.5, 0, size)) for line in lines)


def _path(points: NDArray[np.float64]) -> str:
    kept = points[_corners(points)]
    steps = "L".join(f"{_short(x)} {_short(y)}" for x, y in kept)
    return f"M{steps}Z"


def _corners(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the points of a closed line that are not in the middle of a straight piece."""
    before = points - np.roll(points, 1, axis=0)
    after = np.roll(points, -1, axis=0) - points
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turns = np.abs(cross) > 1e-9
    turns[0] = True
    return turns


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _mean3(array: NDArray[np.float64]) -> NDArray[np.float64]:
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(array, 1), (3, 3))
    result: NDArray[np.float64] = windows.mean(axis=(2, 3))
    return result


@cache
def _scale() -> tuple[bytes, bytes]:
    """Return the palette: RGB bytes and opacity bytes of every level."""
    places = np.linspace(0, 1, LEVELS)
    rgb = np.rint(mpl.colormaps[COLOUR_MAP](places)[:, :3] * 255).astype(np.uint8)
    alpha = np.rint(TOP_ALPHA * places * 255).astype(np.uint8)
    return rgb.tobytes(), alpha.tobytes()


def uri(kind: str, content: bytes) -> str:
    """Return a file as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
