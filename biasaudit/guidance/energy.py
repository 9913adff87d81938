"""The energy loss on Grad-CAM: a rival of L_e that looks at where the attention's energy lies."""

from __future__ import annotations

import torch
from torch import Tensor

from biasaudit.guidance.external import regions_at
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import AttentionOptions, term


class EnergyOptions(AttentionOptions):
    """Options of the energy term.

    Attributes:
        second_order: On by default, as its authors train it.
    """

    second_order: bool = True


@term("energy", EnergyOptions, needs_labels=True)
def energy(step: Step, options: EnergyOptions) -> Tensor:
    """Share of the attention's energy outside the labelled region.

    One less the energy pointing game, which does not ask how the energy is spread inside the
    region (Rao et al., ICCV 2023, there with bounding boxes). An all-zero map has no energy to
    place and gives zero.
    """
    batch = step.labelled_batch
    maps = step.attention(
        batch.host.region_rows,
        batch.host.region_classes,
        labelled=True,
        method=options.method,
        second_order=options.second_order,
    )
    total = maps.sum(dim=(1, 2))
    inside = (maps * regions_at(batch.regions, maps)).sum(dim=(1, 2))
    alive = total > 0
    outside = 1 - inside / torch.where(alive, total, torch.ones_like(total))
    return step.labelled_mean(torch.where(alive, outside, torch.zeros_like(outside)))
