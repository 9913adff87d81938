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
from biasaudit.models.classifier import Output, full_precision


class EditedOptions(TermOptions):
    """How the pairs are made.

    Attributes:
        scale: A pasted object is scaled by a factor drawn between 1/scale and scale.
        shift: And moved by up to this share of the image's side.
        decoys: Whether to paste also pieces of other pictures, cut in the shape of the object:
            the answer is no, so that a seam gives nothing away.
        batch_norm: What the pass of the edited images is normalised by; it moves no statistic.
    """

    scale: float = Field(1.25, ge=1)
    shift: float = Field(0.15, ge=0, le=1)
    decoys: bool = False
    batch_norm: Literal["running", "batch"] = "batch"


@term("edited", EditedOptions, needs_labels=True)
def edited(step: Step, options: EditedOptions) -> Tensor:
    """Soft margin of the labelled class on edited images: pasted elsewhere, yes; removed, no.

    Beside them stand the labelled images as they are (yes), and decoys (no) where asked for. Yes
    and no weigh the same. Grounds are images of the batch that do not show the class; a batch
    without any gives the removed half alone.
    """
    batch = step.labelled_batch
    rows, classes = batch.region_rows, batch.region_classes
    removed = remove(batch.images[rows], batch.regions)
    pasted, decoys = _pasted(step, options)
    seen = step.untouched(torch.cat([pasted, removed, decoys]), options.batch_norm)
    whole = step.labelled_output
    yes = torch.cat([_of(seen, slice(0, len(pasted)), classes), _of(whole, rows, classes)])
    no = _of(seen, slice(len(pasted), None), classes)
    return (functional.softplus(-yes).mean() + functional.softplus(no).mean()) / 2


def _of(output: Output, rows: Tensor | slice, classes: Tensor) -> Tensor:
    """Return the scores of the labelled classes, whose order repeats group by group."""
    scores = full_precision(output.scores)[rows]
    asked = classes.repeat(len(scores) // max(len(classes), 1))
    return scores[torch.arange(len(scores), device=scores.device), asked]


def _pasted(step: Step, options: EditedOptions) -> tuple[Tensor, Tensor]:
    """Return the objects on other pictures, and pieces of pictures in their shape on the same."""
    batch = step.labelled_batch
    images, classes = batch.images[batch.region_rows], batch.region_classes
    bare = torch.nonzero((step.batch.labels[:, classes] < 0.5).all(dim=1)).squeeze(1)
    if len(bare) == 0:
        return images[:0], images[:0]
    count = len(images)
    scale = options.scale ** (2 * step.draw(count) - 1)
    offset = options.shift * (2 * step.draw(count, 2) - 1)
    moved, cut = shifted(images, batch.regions, scale.to(images), offset.to(images))
    grounds = step.batch.images[_chosen(step, bare, count)]
    if not options.decoys:
        return paste(moved, cut, grounds), images[:0]
    pieces = step.batch.images[_chosen(step, bare, count)]
    return paste(moved, cut, grounds), paste(pieces, cut, grounds)


def _chosen(step: Step, bare: Tensor, count: int) -> Tensor:
    return bare[step.draw_integers(len(bare), count).to(bare.device)]
