"""COCO's three ways to draw a region (polygons, RLE, box), brought into one: compressed RLE.

Everything is rasterised by pycocotools, so a mask agrees with COCO's own tools to the pixel.
What pycocotools takes on trust (it is C code that reads past a malformed input) is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biasaudit.data.sample import Mask, Region, RegionForm
from biasaudit.errors import ConfigError, DataError

Rle = dict[str, Any]
"""``size`` [height, width] and ``counts`` as pycocotools writes them (bytes)."""


_LONGEST = 2_000_000
"""Pixels of a polygon's outline: pycocotools takes some 60 bytes for each of them."""
_RUN_BITS = 35
"""A run-length code of one number has no more: 50 megapixels take 26."""


def mask_api() -> Any:
    """Return ``pycocotools.mask``.

    Raises:
        ConfigError: pycocotools is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError:
        raise ConfigError(
            "COCO annotations need pycocotools, which is not installed",
            "pip install 'biasaudit[coco]'",
        ) from None
    return mask


def decode_rle(rle: Rle) -> Mask:
    """Spread a compressed RLE out into its (H, W) mask.

    The runs go down the columns, outside and inside in turn. (pycocotools' own decoding warns
    under NumPy 2.)
    """
    height, width = rle["size"]
    runs = run_lengths(rle["counts"])
    inside = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(width, height).T)


def union(instances: Sequence[Rle], form: RegionForm) -> Region | None:
    """Join the instances of one class in one image.

    Returns:
        The region with its exact area, or None where it covers no pixel (COCO has polygons
        thinner than a pixel): such a region cannot guide attention.
    """
    api = mask_api()
    rle = api.merge(list(instances)) if len(instances) > 1 else instances[0]
    pixels = int(api.area(rle))
    height, width = rle["size"]
    if pixels == 0:
        return None
    return Region(form, _Encoded(rle["counts"], height, width), pixels / (height * width))


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A compressed RLE, spread out when called; as a dictionary it takes four times the memory."""

    counts: bytes
    height: int
    width: int

    def __call__(self) -> Mask:
        return decode_rle({"size": [self.height, self.width], "counts": self.counts})


def encode_segmentation(segmentation: object, height: int, width: int) -> Rle:
    """Encode one instance's ``segmentation``: polygons, uncompressed or compressed RLE.

    Args:
        segmentation: As in the annotation file.
        height: Of the image, in pixels.
        width: Of the image, in pixels.

    Raises:
        DataError: It is none of the three, or belongs to an image of another size. The message
            starts with ``segmentation``; the caller puts file and annotation before it.
    """
    if isinstance(segmentation, list):
        polygons = [_polygon(polygon, height, width) for polygon in segmentation]
        api = mask_api()
        return api.merge(api.frPyObjects(polygons, height, width))
    if isinstance(segmentation, dict):
        return _encode_rle(segmentation, height, width)
    raise DataError(f"segmentation is a {type(segmentation).__name__}, not polygons or RLE")


def encode_box(box: Sequence[float], height: int, width: int) -> Rle | None:
    """Encode a filled ``[x, y, width, height]`` box, cut at the image's border.

    Returns:
        The region, or None where the box has no area inside the image.
    """
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[0] + box[2], width), min(box[1] + box[3], height)
    if right <= left or bottom <= top:
        return None
    inside = np.array([[left, top, right - left, bottom - top]], dtype=np.float64)
    return mask_api().frPyObjects(inside, height, width)[0]


def _polygon(points: object, height: int, width: int) -> list[float]:
    """Check one polygon ``[x1, y1, x2, y2, ...]`` and return it."""
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError("segmentation: a polygon is not a list of numbers") from None
    # With four numbers pycocotools would take the polygon for a box.
    if array.ndim != 1 or len(array) < 6 or len(array) % 2:
        raise DataError("segmentation: a polygon needs 3 points or more, as x1, y1, x2, y2, ...")
    limits = np.array([width, height])
    quadrants = array.reshape(-1, 2)
    if not ((quadrants >= -limits) & (quadrants <= 2 * limits)).all():
        raise DataError(f"segmentation: a polygon lies far outside the {width}x{height} image")
    closed = np.vstack([quadrants, quadrants[:1]])
    if np.abs(np.diff(closed, axis=0)).max(axis=1).sum() > _LONGEST:
        raise DataError(f"segmentation: the outline of a polygon is longer than {_LONGEST} pixels")
    return array.tolist()


def _encode_rle(rle: dict[str, Any], height: int, width: int) -> Rle:
    size, counts = rle.get("size"), rle.get("counts")
    if size != [height, width]:
        raise DataError(
            f"segmentation.size is {str(size)[:60]}, the image's [height, width] is "
            f"{[height, width]}"
        )
    if isinstance(counts, str):
        return _check_compressed({"size": size, "counts": counts.encode()})
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        raise DataError("segmentation.counts is neither a string nor a list of whole numbers")
    if sum(counts) != height * width:
        total = sum(counts) if max(counts, default=0) < 2**63 else "more than 2^63"
        raise DataError(
            f"segmentation.counts add up to {total}, the image has {height * width} pixels"
        )
    return mask_api().frPyObjects({"size": size, "counts": counts}, height, width)


def _check_compressed(rle: Rle) -> Rle:
    """Hold a compressed RLE to its size.

    pycocotools fills a mask whose runs are too short with whatever lies in memory, and joins it
    with another one without end.
    """
    height, width = rle["size"]
    runs = run_lengths(rle["counts"])
    if min(runs, default=-1) < 0 or sum(runs) != height * width:
        raise DataError(f"segmentation.counts is not a run-length code of {height * width} pixels")
    return rle


def run_lengths(code: bytes) -> list[int]:
    """Read the run lengths out of COCO's compressed counts.

    Each run takes one or more characters: 5 bits each, lowest first, from ``0`` (48) up, bit 6
    says that another follows, the last one's bit 5 is the sign. From the fourth run on, it is the
    difference to the run before the last (``rleToString`` in COCO's maskApi.c).

    Returns:
        The runs; empty where the code is damaged.
    """
    runs: list[int] = []
    value = shift = 0
    for character in code:
        bits = character - 48
        if not 0 <= bits < 64:
            return []
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift > _RUN_BITS:
                return []
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return [] if shift else runs
