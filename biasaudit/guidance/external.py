"""L_e: attention matched to the region that a person marked (GAIN_ext)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

from biasaudit.attention.mask import scale_maps
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import AttentionOptions, term


class ExternalOptions(AttentionOptions):
    """What the paper leaves open.

    Attributes:
        scaling: How a map is scaled before it is compared with a region in [0, 1].
    """

    scaling: Literal["max", "minmax", "none"] = "max"


@term("external", ExternalOptions, needs_labels=True)
def external(step: Step, options: ExternalOptions) -> Tensor:
    """Mean squared difference of attention and region on the labelled images (L_e, Eq. 7)."""
    batch = step.labelled_batch
    maps = step.attention(
        batch.host.region_rows,
        batch.host.region_classes,
        labelled=True,
        method=options.method,
        second_order=options.second_order,
    )
    scaled = scale_maps(maps, options.scaling)
    target = regions_at(batch.regions, scaled)
    return step.labelled_mean((scaled - target).square().mean(dim=(1, 2)))


def regions_at(regions: Tensor, maps: Tensor) -> Tensor:
    """Average (M, S, S) regions down to the (H, W) of the maps: each cell's covered share."""
    size = (maps.shape[1], maps.shape[2])
    return functional.adaptive_avg_pool2d(regions[:, None], size).squeeze(1)
