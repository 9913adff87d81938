"""Does the decision hang on what the attention marks? Erase it and see how far the score falls.

The mining loss of guided attention (Eq. 5, L_am), used as a test. The fall is held against that
from erasing as many pixels elsewhere at random, and against that from erasing the true region:
attention that can be erased without moving the score was moved, and the decision was not.

Images are (N, C, H, W), maps (N, H, W) and non-negative, and ``score`` maps images to (N,) scores
of the audited object. Give it probabilities where the curves shall lie in [0, 1]. What cannot be
measured, for an all-zero map or an empty region, is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from biasaudit.evaluation.ranks import places

Score = Callable[[Tensor], Tensor]

CURVE_STEPS = tuple(i / 10 for i in range(11))
"""Shares of the pixels that are erased or shown: 0, 0.1, ..., 1."""


@dataclass(frozen=True)
class Erasure:
    """Scores of each image as it is and after three erasures, (N,) each.

    Attributes:
        whole: The image as it is.
        without_attention: Without the pixels that the attention marks.
        without_random: Without as many random pixels; the mean over the draws.
        without_region: Without the true region.
        share: Share of the image that the attention marks.
    """

    whole: Tensor
    without_attention: Tensor
    without_random: Tensor
    without_region: Tensor
    share: Tensor


def erase(images: Tensor, pixels: Tensor, fill: Tensor | None = None) -> Tensor:
    """Replace pixels of images.

    Args:
        images: (N, C, H, W).
        pixels: (N, H, W) bool, True where the image is erased.
        fill: What takes their place, broadcastable to the images; each image's own mean colour
            where None, which leaves the fewest edges without knowing the image.

    Returns:
        New images; the given ones stay as they are.

    Raises:
        ValueError: The shapes do not fit.
    """
    if images.ndim != 4 or pixels.shape != (len(images), *images.shape[2:]):
        raise ValueError(
            f"images are (N, C, H, W) and pixels (N, H, W), not {tuple(images.shape)} and "
            f"{tuple(pixels.shape)}"
        )
    if fill is None:
        fill = images.mean(dim=(2, 3), keepdim=True)
    return torch.where(pixels[:, None], fill, images)


def marked(maps: Tensor, fraction: float = 0.5) -> Tensor:
    """Return the pixels that reach a fraction of their map's maximum.

    Args:
        maps: (N, H, W), non-negative.
        fraction: In (0, 1]; one half is the threshold of the mining loss.

    Returns:
        (N, H, W) bool; nothing where the map is all zero.
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"a threshold is a fraction of the maximum, in (0, 1], not {fraction}")
    peak = maps.amax(dim=(1, 2), keepdim=True)
    return (maps >= fraction * peak) & (peak > 0)


@torch.no_grad()
def erasure(
    score: Score,
    images: Tensor,
    maps: Tensor,
    regions: Tensor,
    *,
    draws: int = 4,
    seed: int = 0,
    fill: Tensor | None = None,
) -> Erasure:
    """Score images as they are and after three erasures.

    Args:
        score: The audited object's score of (N, C, H, W) images, (N,).
        images: (N, C, H, W).
        maps: (N, H, W) the object's attention at the images' size.
        regions: (N, H, W) bool, the object's region; empty where it has none.
        draws: Random erasures an image, averaged.
        seed: Of the first image's random pixels; each next image has the next seed, so that an
            image's pixels do not hang on the batch that it stands in.
        fill: As for :func:`erase`.
    """
    pixels = marked(maps)
    count = pixels.sum(dim=(1, 2))
    by_chance = [
        score(erase(images, _first(noise, count), fill)) for noise in _noise(pixels, seed, draws)
    ]
    has_map, has_region = count > 0, regions.flatten(1).any(dim=1)
    return Erasure(
        score(images),
        _where(has_map, score(erase(images, pixels, fill))),
        _where(has_map, torch.stack(by_chance).mean(dim=0)),
        _where(has_region, score(erase(images, regions, fill))),
        _where(has_map, count / pixels[0].numel()) if len(images) else count.float(),
    )


@torch.no_grad()
def deletion_curve(
    score: Score,
    images: Tensor,
    maps: Tensor,
    shares: tuple[float, ...] = CURVE_STEPS,
    *,
    seed: int = 0,
    fill: Tensor | None = None,
) -> Tensor:
    """Return the score while the pixels vanish, the most attended first.

    Source: Petsiuk et al., "RISE", BMVC 2018. The faster it falls, the more of the decision the
    attention explains.

    Args:
        score: As for :func:`erasure`.
        images: (N, C, H, W).
        maps: (N, H, W), non-negative; pixels of one value go in random order.
        shares: T shares of the pixels, in [0, 1].
        seed: Of that order, image by image as for :func:`erasure`.
        fill: As for :func:`erase`.

    Returns:
        (N, T); a row of NaN where the map is all zero.
    """
    ranked = _ranked(maps, seed)
    columns = [score(erase(images, ranked < share, fill)) for share in shares]
    return _where(maps.amax(dim=(1, 2)) > 0, torch.stack(columns, dim=1))


@torch.no_grad()
def insertion_curve(
    score: Score,
    images: Tensor,
    maps: Tensor,
    shares: tuple[float, ...] = CURVE_STEPS,
    *,
    seed: int = 0,
    fill: Tensor | None = None,
) -> Tensor:
    """Return the score while an empty image fills up, the most attended pixels first.

    Arguments and result as for :func:`deletion_curve`. The faster it rises, the better.
    """
    ranked = _ranked(maps, seed)
    columns = [score(erase(images, ranked >= share, fill)) for share in shares]
    return _where(maps.amax(dim=(1, 2)) > 0, torch.stack(columns, dim=1))


@torch.no_grad()
def both_curves(
    score: Score, images: Tensor, maps: Tensor, *, seed: int = 0, fill: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return :func:`deletion_curve` and :func:`insertion_curve` over :data:`CURVE_STEPS`.

    They share the order of the pixels and both ends, the image as it is (``images`` itself is what
    ``score`` gets) and the empty one, so that 20 pictures of each image are scored instead of 22.

    Args:
        score: As for :func:`erasure`.
        images: (N, C, H, W).
        maps: (N, H, W), non-negative.
        seed: Of the order of pixels of one value, image by image as for :func:`erasure`.
        fill: As for :func:`erase`.
    """
    ranked, inner = _ranked(maps, seed), CURVE_STEPS[1:-1]
    whole = score(images)
    empty = score(erase(images, torch.ones_like(ranked, dtype=torch.bool), fill))
    down = [score(erase(images, ranked < share, fill)) for share in inner]
    up = [score(erase(images, ranked >= share, fill)) for share in inner]
    valid = maps.amax(dim=(1, 2)) > 0
    return (
        _where(valid, torch.stack([whole, *down, empty], dim=1)),
        _where(valid, torch.stack([empty, *up, whole], dim=1)),
    )


def _noise(like: Tensor, seed: int, draws: int = 1) -> Tensor:
    """Return (draws, N, H, W) random maps, drawn on the CPU: every device gets the same ones."""
    noise = torch.empty(draws, *like.shape)
    for place in range(len(like)):
        noise[:, place].uniform_(generator=torch.Generator().manual_seed(seed + place))
    return noise.to(like.device)


def _order(maps: Tensor) -> Tensor:
    """Return (N, H, W) the rank of each pixel, 0 for the highest; ties in order of place."""
    flat = maps.flatten(1)
    order = places(flat, descending=True)
    ranks = torch.empty_like(order)
    counted = torch.arange(flat.shape[1], device=maps.device).expand_as(order)
    return ranks.scatter_(1, order, counted).view(maps.shape)


def _first(maps: Tensor, count: Tensor) -> Tensor:
    """Return the ``count`` highest pixels of each map."""
    return _order(maps) < count[:, None, None]


def _ranked(maps: Tensor, seed: int) -> Tensor:
    """Return each pixel's rank as a share of the image, in [0, 1), ties in random order."""
    shuffle = _noise(maps, seed)[0].flatten(1).argsort(dim=1)
    mixed = _order(maps.flatten(1).gather(1, shuffle).view(maps.shape)).flatten(1)
    ranks = torch.empty_like(mixed).scatter_(1, shuffle, mixed).view(maps.shape)
    return ranks.double() / mixed.shape[1]


def _where(valid: Tensor, values: Tensor) -> Tensor:
    shape = (-1, *[1] * (values.ndim - 1))
    return torch.where(valid.view(shape), values, torch.nan)
