"""How much of a map lies where it should: overlap of attention with a region, image by image.

Every metric takes (N, H, W) non-negative maps and (N, H, W) regions and gives (N,) values on the
maps' device. None depends on the scale of a map. An image that cannot be measured, because its
region is empty or its map is all zero (or not finite), gives NaN and is for the caller to count;
it is never a 0. A new metric is one function registered in :data:`LOCALIZATION_METRICS`: every
audit measures it on the object's region. :func:`attention_on` and :func:`area_fraction` stand
beside them: one serves the context's region too, the other needs no map.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from biasaudit.evaluation.ranks import ordered_bits, sorted_rows
from biasaudit.registry import Registry
from biasaudit.results import METRIC_PREFIX, PER_IMAGE_COLUMNS

LocalizationMetric = Callable[[Tensor, Tensor], Tensor]

LOCALIZATION_METRICS: Registry[LocalizationMetric] = Registry("localization metric")


def metric_columns() -> dict[str, LocalizationMetric]:
    """Return every registered metric by its column of the per-image table.

    A built-in one's column has its name; that of a plug-in's begins with ``metric_``.
    """
    return {
        name if name in PER_IMAGE_COLUMNS else METRIC_PREFIX + name: LOCALIZATION_METRICS[name]
        for name in LOCALIZATION_METRICS
    }


CURVE_FRACTIONS = tuple(i / 20 for i in range(21))
"""Thresholds of the IoU curve, as fractions of the map's maximum: 0, 0.05, ..., 1."""


@LOCALIZATION_METRICS.register("energy_pointing_game")
def energy_pointing_game(maps: Tensor, regions: Tensor) -> Tensor:
    """Return the share of each map's energy that lies inside the region.

    Source: Wang et al., "Score-CAM", CVPR workshops 2020. A uniform map scores the region's
    :func:`area_fraction`.

    Args:
        maps: (N, H, W) float, non-negative.
        regions: (N, H, W) bool, the object's region.

    Returns:
        (N,) in [0, 1]; NaN where the region is empty or the map is all zero.

    Raises:
        ValueError: The shapes or types do not fit, or a map is negative somewhere.
    """
    return attention_on(maps, regions)


def attention_on(maps: Tensor, regions: Tensor) -> Tensor:
    """Return the share of each map's energy that lies on any region, such as the context's.

    Arguments, result and errors as for :func:`energy_pointing_game`; on the object's own region
    the two are the same figure.
    """
    unit, valid = _prepare(maps, regions)
    inside = torch.where(regions, unit, 0.0).sum(dim=(1, 2))
    return _nan_where_not(valid, inside / unit.sum(dim=(1, 2)))


@LOCALIZATION_METRICS.register("pointing_game")
def pointing_game(maps: Tensor, regions: Tensor) -> Tensor:
    """Return 1 where the map's maximum lies inside the region and 0 where it lies outside.

    Source: Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, without
    their tolerance of 15 pixels. Where several pixels share the maximum, the share of them inside
    the region: the first one found would depend on how the image is turned.

    Arguments, NaN and errors as for :func:`energy_pointing_game`.
    """
    unit, valid = _prepare(maps, regions)
    top = unit >= 1.0
    hits = (top & regions).sum(dim=(1, 2)).to(unit.dtype)
    return _nan_where_not(valid, hits / top.sum(dim=(1, 2)))


@LOCALIZATION_METRICS.register("iou")
def iou_at(maps: Tensor, regions: Tensor, fraction: float = 0.2) -> Tensor:
    """Return the intersection over union of the region and the map above a threshold.

    Args:
        maps: (N, H, W) float, non-negative.
        regions: (N, H, W) bool.
        fraction: Threshold as a fraction of each map's maximum, in [0, 1]; a pixel that reaches
            it is inside. At 0 the whole image is, and the value is the area fraction.

    Returns:
        (N,) in [0, 1]; NaN where the region is empty or the map is all zero.

    Raises:
        ValueError: As for :func:`energy_pointing_game`, or the fraction lies outside [0, 1].
    """
    return iou_curve(maps, regions, (fraction,))[:, 0]


def iou_curve(
    maps: Tensor, regions: Tensor, fractions: tuple[float, ...] = CURVE_FRACTIONS
) -> Tensor:
    """Return :func:`iou_at` over several thresholds.

    Args:
        maps: (N, H, W) float, non-negative.
        regions: (N, H, W) bool.
        fractions: T thresholds, each a fraction of the map's maximum in [0, 1].

    Returns:
        (N, T) in [0, 1]; a row of NaN where the region is empty or the map is all zero.

    Raises:
        ValueError: As for :func:`iou_at`.
    """
    if any(not 0.0 <= fraction <= 1.0 for fraction in fractions):
        raise ValueError(f"a threshold is a fraction of the maximum, in [0, 1]: {fractions}")
    unit, valid = _prepare(maps, regions)
    columns = []
    for fraction in fractions:
        above = unit >= fraction
        shared = (above & regions).sum(dim=(1, 2)).to(unit.dtype)
        columns.append(_nan_where_not(valid, shared / (above | regions).sum(dim=(1, 2))))
    return torch.stack(columns, dim=1)


@LOCALIZATION_METRICS.register("pixel_average_precision")
def pixel_average_precision(maps: Tensor, regions: Tensor) -> Tensor:
    """Return the average precision of the map as a score for "this pixel is in the region".

    The area under the precision-recall curve as a step function, with pixels of one value taken
    together (scikit-learn's definition); Choe et al., "Evaluating Weakly Supervised Object
    Localization Methods Right", CVPR 2020, use its like. A uniform map scores the area fraction.

    Arguments, NaN and errors as for :func:`energy_pointing_game`.
    """
    unit, valid = _prepare(maps, regions)
    # the mark of the region below the bits of the value: one sort orders both
    keys = sorted_rows((ordered_bits(unit.flatten(1)) << 1) | regions.flatten(1))
    inside, values = (keys & 1).to(unit.dtype), keys >> 1
    pixels = keys.shape[1]
    # For the pixel at rank i (ascending) everything from the first pixel of its value upwards
    # counts as found, so ties share one precision.
    ranks = torch.arange(pixels, device=keys.device)
    new = torch.ones_like(keys, dtype=torch.bool)
    new[:, 1:] = values[:, 1:] != values[:, :-1]
    start = torch.where(new, ranks, 0).cummax(dim=1).values
    found = inside.flip(1).cumsum(1).flip(1).gather(1, start)
    precision = found / (pixels - start)
    return _nan_where_not(valid, (inside * precision).sum(1) / inside.sum(1))


def area_fraction(regions: Tensor) -> Tensor:
    """Return the share of each image inside its region: what a uniform map scores by chance.

    Args:
        regions: (N, H, W) bool.

    Returns:
        (N,) in (0, 1]; NaN where the region is empty.

    Raises:
        ValueError: The regions are of another shape or type.
    """
    if regions.ndim != 3 or regions.dtype != torch.bool or 0 in regions.shape[1:]:
        raise ValueError(f"regions are (N, H, W) bool, not {tuple(regions.shape)} {regions.dtype}")
    fraction = regions.sum(dim=(1, 2)) / (regions.shape[1] * regions.shape[2])
    return _nan_where_not(fraction > 0, fraction)


def _check(maps: Tensor, regions: Tensor) -> None:
    if maps.ndim != 3 or maps.shape != regions.shape:
        raise ValueError(
            f"maps and regions are (N, H, W) alike, not {tuple(maps.shape)} and "
            f"{tuple(regions.shape)}"
        )
    if not maps.is_floating_point() or regions.dtype != torch.bool:
        raise ValueError(f"maps are float and regions bool, not {maps.dtype} and {regions.dtype}")
    if 0 in maps.shape[1:]:
        raise ValueError(f"maps have no pixels: {tuple(maps.shape)}")


def _working_dtype(maps: Tensor) -> torch.dtype:
    """Half precision is too coarse to add up an image's pixels in."""
    return torch.float64 if maps.dtype == torch.float64 else torch.float32


def _prepare(maps: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maps scaled to a maximum of 1, and (N,) whether each can be measured."""
    _check(maps, regions)
    maps = maps.detach().to(_working_dtype(maps))
    if bool((maps < 0).any()):
        raise ValueError("a map is negative somewhere; take its positive part first")
    peak = maps.amax(dim=(1, 2))
    valid = torch.isfinite(peak) & (peak > 0) & regions.any(dim=2).any(dim=1)
    # Zeros in place of a map that cannot be measured, so that a NaN cannot upset a sort.
    unit = torch.where(valid[:, None, None], maps / peak[:, None, None], 0.0)
    return unit, valid


def _nan_where_not(valid: Tensor, values: Tensor) -> Tensor:
    return torch.where(valid, values, torch.nan)
