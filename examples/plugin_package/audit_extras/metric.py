"""A localization metric: every audit measures it on the object's region."""

import torch
from torch import Tensor

from biasaudit.plugins import LOCALIZATION_METRICS


@LOCALIZATION_METRICS.register("lift")
def lift(maps: Tensor, regions: Tensor) -> Tensor:
    """How many times as dense the attention is inside the region as over the whole image.

    Args:
        maps: (N, H, W) float, non-negative.
        regions: (N, H, W) bool, each with at least one pixel.

    Returns:
        (N,), at least 0; a uniform map scores 1, and an all-zero map NaN: not measured.
    """
    inside = torch.where(regions, maps, 0.0).sum(dim=(1, 2))
    area = regions.float().mean(dim=(1, 2))
    return inside / maps.sum(dim=(1, 2)) / area
