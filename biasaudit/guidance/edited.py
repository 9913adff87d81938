"""Edited pairs: the labelled objects on other pictures, and their own pictures without them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from biasaudit.guidance.edits import grown, paste, placed, remove
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions, term
from biasaudit.models.classifier import Output, full_precision


class EditedOptions(TermOptions):
    """How the pairs are made.

    Attributes:
        scale: A pasted object is scaled by a factor drawn between 1/scale and scale.
        least_area: And enlarged where it would cover less of the picture than this share: nobody
            sees a smaller one, and the picture would be called by what is not in it.
        shift: And moved by up to this share of the image's side, as far as it stays in sight.
        margin: What is taken out is the region and so much around it, as a share of the image's
            side: a rim left over would still show the object.
        covered: How often what is taken out is covered by a piece of another picture without the
            class, if the batch has one; else the colours around it fill the place. Either leaves
            a trace of its own, and a network that saw one alone would learn that trace in the
            place of the object.
        decoys: Whether to paste also pieces of other pictures, cut in the shape of the object:
            the answer is no, so that a seam gives nothing away.
    """

    scale: float = Field(1.5, ge=1)
    least_area: float = Field(0.06, ge=0, lt=1)
    shift: float = Field(0.15, ge=0, le=1)
    margin: float = Field(0.03, ge=0, le=0.5)
    covered: float = Field(0.5, ge=0, le=1)
    decoys: bool = False


@dataclass(frozen=True)
class EditedImages:
    """The edited pictures of one step, in the order of ``images``.

    Attributes:
        images: (P + M + D, 3, S, S): P objects pasted elsewhere, M pictures without their object,
            D decoys.
        pairs: (P,) which of the M labelled pairs was pasted.
        grounds: (P,) the image of the batch that it was pasted on.
    """

    images: Tensor
    pairs: Tensor
    grounds: Tensor


def edited_images(step: Step, options: EditedOptions) -> EditedImages:
    """Paste each labelled object on an image of the batch without its class, and take it out.

    A pair whose class every image of the batch shows has no ground, and is only taken out.
    """
    batch = step.labelled_batch
    images, regions = batch.images[batch.region_rows], batch.regions
    wide = grown(regions, options.margin)
    removed = remove(images, wide)
    lacks = step.batch.labels[:, batch.region_classes].T < 0.5
    pairs = torch.nonzero(lacks.any(dim=1)).squeeze(1)
    grounds, others = _chosen(step, lacks[pairs]), _chosen(step, lacks[pairs])
    if len(pairs) == 0:
        return EditedImages(removed, pairs, grounds)
    pieces = step.batch.images[others]
    covered = (step.draw(len(pairs)) >= 1 - options.covered).to(images.device)
    hidden = pairs[covered]
    removed[hidden] = paste(pieces[covered], (wide[hidden] > 0).to(images), images[hidden])
    moved, cut = _moved(step, options, images[pairs], regions[pairs])
    made = [paste(moved, cut, step.batch.images[grounds]), removed]
    if options.decoys:
        made.append(paste(pieces, cut, step.batch.images[grounds]))
    return EditedImages(torch.cat(made), pairs, grounds)


@term("edited", EditedOptions, needs_labels=True, prepare=edited_images)
def edited(step: Step, options: EditedOptions) -> Tensor:
    """Soft margin of the labelled class on edited pairs: with the object, yes; without, no.

    Yes of the labelled images and of the pasted objects; no of the labelled images without their
    object, of the grounds before the pasting, and of decoys where asked for. So each picture
    stands against the one that it was made from, and yes and no weigh the same.
    """
    pictures, seen = step.added("edited")
    batch, pairs = step.labelled_batch, pictures.pairs
    classes = batch.region_classes
    pasted, edge = len(pairs), len(pairs) + len(classes)
    whole = _of(step.labelled_output, classes, batch.region_rows)
    yes = [_of(seen, classes[pairs], slice(0, pasted)), whole]
    no = [
        _of(seen, classes, slice(pasted, edge)),
        _of(step.output, classes[pairs], pictures.grounds),
        _of(seen, classes[pairs][: len(seen.scores) - edge], slice(edge, None)),
    ]
    return (
        functional.softplus(-torch.cat(yes)).mean() + functional.softplus(torch.cat(no)).mean()
    ) / 2


def _of(output: Output, classes: Tensor, rows: Tensor | slice) -> Tensor:
    """Return the score of one class of each of some rows."""
    scores = full_precision(output.scores)[rows]
    return scores[torch.arange(len(scores), device=scores.device), classes]


def _chosen(step: Step, allowed: Tensor) -> Tensor:
    """Draw for each row of a (P, N) table one of the columns that it allows."""
    drawn = step.draw(*allowed.shape).to(allowed.device)
    return (drawn * allowed + allowed).argmax(dim=1)


def _moved(
    step: Step, options: EditedOptions, images: Tensor, regions: Tensor
) -> tuple[Tensor, Tensor]:
    """Scale and move objects together with their regions."""
    count = len(images)
    scale = (options.scale ** (2 * step.draw(count) - 1)).to(images)
    area = regions.mean(dim=(1, 2)).clamp_min(1 / regions[0].numel())
    scale = torch.maximum(scale, (options.least_area / area).sqrt())
    offset = (options.shift * (2 * step.draw(count, 2) - 1)).to(images)
    return placed(images, regions, scale, offset)
