"""L_am: attention mining, the network's own supervision (GAIN)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from biasaudit.attention.mask import erase, scale_maps, soft_mask, upsample_maps
from biasaudit.guidance.step import Step, mean_by_image
from biasaudit.guidance.terms import AttentionOptions, term
from biasaudit.models.classifier import full_precision
from biasaudit.models.shared_norm import sum_of_all


class MiningOptions(AttentionOptions):
    """What the paper leaves open, each with the default that was measured.

    Attributes:
        sigma: Threshold of the soft mask (Eq. 4), on the scale of the scaled map.
        mask_scale: Steepness of the soft mask (Eq. 4's ω).
        scaling: How a map is scaled before the mask.
        score: What L_am averages: the probability (bounded below), or the raw score.
        fill: What takes the erased place: the colour that normalises to zero, or black.
        batch_norm: What the masked pass is normalised by; its statistics move nothing. By the
            running ones, L_am wins by pulling the evaluated function away from the trained one,
            and validation accuracy falls.
    """

    sigma: float = Field(0.5, ge=0, le=1)
    mask_scale: float = Field(10.0, gt=0)
    scaling: Literal["max", "minmax", "none"] = "max"
    score: Literal["sigmoid", "logit"] = "sigmoid"
    fill: Literal["mean", "black"] = "mean"
    batch_norm: Literal["running", "batch"] = "batch"
    warmup_epochs: float = Field(1.0, ge=0)


@term("mining", MiningOptions)
def mining(step: Step, options: MiningOptions) -> Tensor:
    """Score of each true class once its own attention is erased (L_am, Eq. 3 to 5).

    An all-zero map erases nothing: L_am would then fight L_cl on the untouched image, so such
    pairs are left out.
    """
    rows, classes = step.true_pairs
    maps = step.attention(
        rows,
        classes,
        method=options.method,
        second_order=options.second_order,
    )
    alive = maps.detach().amax(dim=(1, 2)) > 0
    everywhere = sum_of_all(alive.sum().to(maps.dtype))
    # how many there are decides the size of the masked pass: the one wait for the device
    *told, any_alive = step.read(torch.cat([alive, everywhere[None]]))
    kept = torch.tensor(told).nonzero().squeeze(1)
    here = step.sent(kept)
    rows, classes, maps = rows[kept], classes[kept], maps[here]
    if not any_alive:
        return maps.sum()
    images = step.batch.images[step.sent(rows)]
    scaled = scale_maps(maps, options.scaling)
    mask = soft_mask(
        upsample_maps(scaled, (images.shape[2], images.shape[3])),
        options.sigma,
        options.mask_scale,
    )
    fill = step.model.mean if options.fill == "mean" else 0.0
    masked = step.untouched(erase(images, mask, fill), options.batch_norm)
    places = torch.arange(len(rows), device=images.device)
    scores = full_precision(masked.scores)[places, step.sent(classes)]
    if options.score == "sigmoid":
        scores = scores.sigmoid()
    return mean_by_image(scores, rows)
