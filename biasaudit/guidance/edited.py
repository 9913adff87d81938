"""Edited pairs: the labelled objects on other pictures, and their own pictures without them."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from biasaudit.guidance.edits import paste, remove, shifted
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions, term
from biasaudit.models.classifier import full_precision


class EditedOptions(TermOptions):
    """How the pairs are made.

    Attributes:
        scale: A pasted object is scaled by a factor drawn between 1/scale and scale.
        shift: And moved by up to this share of the image's side.
        batch_norm: What the pass of the edited images is normalised by; it moves no statistic.
    """

    scale: float = Field(1.25, ge=1)
    shift: float = Field(0.15, ge=0, le=1)
    batch_norm: Literal["running", "batch"] = "batch"


@term("edited", EditedOptions, needs_labels=True)
def edited(step: Step, options: EditedOptions) -> Tensor:
    """Soft margin of the labelled class on edited images: pasted elsewhere, yes; removed, no.

    Grounds to paste on are images of the batch that do not show the class; a batch without any
    gives the removed half alone.
    """
    batch = step.labelled_batch
    rows, classes = batch.region_rows, batch.region_classes
    images, regions = batch.images[rows], batch.regions
    pasted, answers = _pasted(step, images, regions, classes, options)
    pictures = torch.cat([pasted, remove(images, regions)])
    wanted = torch.cat([answers, torch.zeros_like(classes)])
    scores = full_precision(step.untouched(pictures, options.batch_norm).scores)
    asked = torch.cat([classes[: len(pasted)], classes])
    chosen = scores[torch.arange(len(asked), device=asked.device), asked]
    return functional.binary_cross_entropy_with_logits(chosen, wanted.to(chosen.dtype))


def _pasted(
    step: Step, images: Tensor, regions: Tensor, classes: Tensor, options: EditedOptions
) -> tuple[Tensor, Tensor]:
    """Return the pasted images and their answers, all yes."""
    bare = torch.nonzero((step.batch.labels[:, classes] < 0.5).all(dim=1)).squeeze(1)
    if len(bare) == 0:
        return images[:0], classes[:0]
    count = len(images)
    chosen = bare[step.draw_integers(len(bare), count).to(bare.device)]
    scale = options.scale ** (2 * step.draw(count) - 1)
    offset = options.shift * (2 * step.draw(count, 2) - 1)
    moved, cut = shifted(images, regions, scale.to(images), offset.to(images))
    return paste(moved, cut, step.batch.images[chosen]), torch.ones_like(classes)
