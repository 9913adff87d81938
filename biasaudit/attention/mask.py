"""From an attention map to a masked image (Li et al., CVPR 2018, Eq. 3 and 4)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SCALINGS = ("max", "minmax", "none")


def scale_maps(maps: Tensor, scaling: str = "max") -> Tensor:
    """Scale each map by itself, never by the batch.

    Args:
        maps: (P, H, W), non-negative.
        scaling: ``max`` divides by the map's own maximum, ``minmax`` subtracts its minimum first,
            ``none`` leaves it. The paper does not say which.

    Returns:
        (P, H, W); in [0, 1] unless ``none``. An all-zero map stays zero; gradients flow through
        the maximum.

    Raises:
        ValueError: Unknown scaling.
    """
    if scaling == "none":
        return maps
    if scaling not in SCALINGS:
        raise ValueError(f"scaling is one of {SCALINGS}, not '{scaling}'")
    if scaling == "minmax":
        maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    peak = maps.amax(dim=(1, 2), keepdim=True)
    return maps / torch.where(peak > 0, peak, torch.ones_like(peak))


def upsample_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (P, H, W) maps at ``size``: bilinear, not corner-aligned."""
    return functional.interpolate(
        maps[:, None], size=size, mode="bilinear", align_corners=False
    ).squeeze(1)


def soft_mask(maps: Tensor, sigma: float = 0.5, mask_scale: float = 10.0) -> Tensor:
    """Return T(A) = sigmoid(mask_scale · (A − sigma)) (Eq. 4, where mask_scale is called ω).

    Args:
        maps: Attention of any shape, scaled to [0, 1].
        sigma: Threshold, on the scale of ``maps``.
        mask_scale: Steepness; the mask becomes a step as it grows.

    Returns:
        The soft mask, in (0, 1), of the same shape.
    """
    return torch.sigmoid(mask_scale * (maps - sigma))


def erase(images: Tensor, mask: Tensor, fill: Tensor | float = 0.0) -> Tensor:
    """Return I* = I − T ⊙ (I − fill): what is left where the mask takes the attention away.

    With ``fill`` zero this is Eq. 3 on the images as they stand; with the colour that normalises
    to zero it is Eq. 3 on normalised images.

    Args:
        images: (P, 3, S, S).
        mask: (P, S, S), in [0, 1].
        fill: A colour that broadcasts against the images.
    """
    return images - mask[:, None] * (images - fill)
