"""Edited pairs: the labelled objects on other pictures, and their own pictures without them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from biasaudit import processes
from biasaudit.guidance.edits import grown, paste, placed, remove, surroundings
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions, term
from biasaudit.models.classifier import Classifier, Output, full_precision
from biasaudit.models.shared_norm import mean_of_all


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
        body_gradient: The share of this term's gradient that reaches the layers before the head.
            The pairs know a few objects of one class; with all of their gradient they draw the
            features that the other classes live by towards these.
    """

    scale: float = Field(1.5, ge=1)
    least_area: float = Field(0.06, ge=0, lt=1)
    shift: float = Field(0.15, ge=0, le=1)
    margin: float = Field(0.03, ge=0, le=0.5)
    covered: float = Field(0.5, ge=0, le=1)
    decoys: bool = False
    body_gradient: float = Field(0.1, ge=0, le=1)


@dataclass(frozen=True)
class EditedImages:
    """The edited pictures of one step, in the order of ``images``.

    Where several processes share a step, all of them draw the same, and each makes its part. What
    says which and whose lies on the CPU: no count here waits for the device.

    Attributes:
        images: (P + M + D, 3, S, S): P objects pasted elsewhere, M pictures without their object,
            D decoys.
        pairs: (P,) which of the labelled pairs of all processes was pasted.
        grounds: (P,) the image of all processes' batches that it was pasted on.
        classes: (P,) the class of each pasted object.
        removed_classes: (M,) the class that each picture lost.
        ground_rows: (G,) images of this process's batch that an object was pasted on somewhere.
        ground_classes: (G,) the class of that object.
    """

    images: Tensor
    pairs: Tensor
    grounds: Tensor
    classes: Tensor
    removed_classes: Tensor
    ground_rows: Tensor
    ground_classes: Tensor


@dataclass(frozen=True)
class _Drawn:
    """What one step draws on the CPU, for the images of all processes.

    Attributes:
        pairs: (P,) labelled pairs that have a ground.
        grounds: (P,) what each is pasted on.
        others: (P,) what a piece is taken from.
        covered: (P,) bool, whether that piece covers the place that the object leaves.
        scale: (P,) in [0, 1).
        offset: (P, 2) in [0, 1).
    """

    pairs: Tensor
    grounds: Tensor
    others: Tensor
    covered: Tensor
    scale: Tensor
    offset: Tensor

    def part(self, rows: slice | Tensor) -> _Drawn:
        """Return some of the rows."""
        return _Drawn(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True)
class _Everything:
    """The images of all processes in one step: of the batches, and of the M labelled pairs.

    Labels and classes lie on the CPU.
    """

    images: Tensor
    labelled: Tensor
    regions: Tensor
    labels: Tensor
    classes: Tensor

    @classmethod
    def of(cls, step: Step) -> _Everything:
        batch, labelled = step.batch, step.labelled_batch
        own = (batch.images, labelled.images[labelled.region_rows], labelled.regions)
        known = processes.gathered((batch.host.labels, labelled.host.region_classes))
        labels, classes = (torch.cat(parts) for parts in zip(*known, strict=True))
        images, pictures, regions = (processes.rows_of_all(values) for values in own)
        return cls(images, pictures, regions, labels, classes)


def edited_images(step: Step, options: EditedOptions) -> EditedImages:
    """Paste each labelled object on an image of the batch without its class, and take it out.

    A pair whose class every image of the batch shows has no ground, and is only taken out.
    """
    every, sent = _Everything.of(step), step.sent
    drawn = _drawn(step, options, every)
    kept, own = _slice(len(every.classes)), drawn.part(_slice(len(drawn.pairs)))
    wide = grown(every.regions, options.margin)
    removed = remove(every.labelled[kept], wide[kept], ground=surroundings(every.labelled, wide))
    hidden = drawn.part(drawn.covered & _within(drawn.pairs, kept))
    places = sent(hidden.pairs)
    removed[places - kept.start] = paste(
        every.images[sent(hidden.others)],
        (wide[places] > 0).to(removed),
        every.labelled[places],
    )
    pairs, grounds = sent(own.pairs), every.images[sent(own.grounds)]
    moved, cut = _moved(
        options,
        every.labelled[pairs],
        every.regions[pairs],
        replace(own, scale=sent(own.scale), offset=sent(own.offset)),
    )
    made = [paste(moved, cut, grounds), removed]
    if options.decoys:
        made.append(paste(every.images[sent(own.others)], cut, grounds))
    start = sum(processes.gathered(len(step.batch))[: processes.number()])
    here = drawn.part(_within(drawn.grounds, slice(start, start + len(step.batch))))
    return EditedImages(
        torch.cat(made),
        own.pairs,
        own.grounds,
        every.classes[own.pairs],
        every.classes[kept],
        here.grounds - start,
        every.classes[here.pairs],
    )


@term("edited", EditedOptions, needs_labels=True, prepare=edited_images)
def edited(step: Step, options: EditedOptions) -> Tensor:
    """Soft margin of the labelled class on edited pairs: with the object, yes; without, no.

    Yes of the labelled images and of the pasted objects; no of the labelled images without their
    object, of the grounds before the pasting, and of decoys where asked for. So each picture
    stands against the one that it was made from, and yes and no weigh the same.
    """
    pictures, added = step.added("edited")
    batch, pasted = step.labelled_batch, pictures.classes
    edge = len(pasted) + len(pictures.removed_classes)
    seen, labelled, plain = (
        _held(step.model, output, options.body_gradient)
        for output in (added, step.labelled_output, step.output)
    )
    whole = _of(labelled, batch.region_classes, batch.region_rows)
    classes = step.sent(pasted)
    yes = torch.cat([_of(seen, classes, slice(0, len(pasted))), whole])
    grounds = step.sent(pictures.ground_classes), step.sent(pictures.ground_rows)
    no = torch.cat(
        [
            _of(seen, step.sent(pictures.removed_classes), slice(len(pasted), edge)),
            _of(plain, *grounds),
            _of(seen, classes[: len(seen.scores) - edge], slice(edge, None)),
        ]
    )
    answered = functional.softplus(-yes).sum(), functional.softplus(no).sum()
    return (mean_of_all(answered[0], len(yes)) + mean_of_all(answered[1], len(no))) / 2


def _held(model: Classifier, output: Output, share: float) -> Output:
    """Return the same answers, of whose gradient the features get a share alone."""
    if share == 1:
        return output
    held = output.features.detach()
    return model.answer(held + share * (output.features - held))


def _drawn(step: Step, options: EditedOptions, every: _Everything) -> _Drawn:
    lacks = every.labels[:, every.classes].T < 0.5
    pairs = torch.nonzero(lacks.any(dim=1)).squeeze(1)
    grounds, others = _chosen(step, lacks[pairs]), _chosen(step, lacks[pairs])
    covered = step.draw(len(pairs)) >= 1 - options.covered
    scale, offset = step.draw(len(pairs)), step.draw(len(pairs), 2)
    return _Drawn(pairs, grounds, others, covered, scale, offset)


def _slice(total: int) -> slice:
    """Return this process's part of so many places."""
    part = processes.span(total)
    return slice(part.start, part.stop)


def _within(places: Tensor, part: slice) -> Tensor:
    return (places >= part.start) & (places < part.stop)


def _of(output: Output, classes: Tensor, rows: Tensor | slice) -> Tensor:
    """Return the score of one class of each of some rows."""
    scores = full_precision(output.scores)[rows]
    return scores[torch.arange(len(scores), device=scores.device), classes]


def _chosen(step: Step, allowed: Tensor) -> Tensor:
    """Draw for each row of a (P, N) table one of the columns that it allows."""
    drawn = step.draw(*allowed.shape)
    return (drawn * allowed + allowed).argmax(dim=1)


def _moved(
    options: EditedOptions, images: Tensor, regions: Tensor, drawn: _Drawn
) -> tuple[Tensor, Tensor]:
    """Scale and move objects together with their regions."""
    scale = (options.scale ** (2 * drawn.scale - 1)).to(images)
    area = regions.mean(dim=(1, 2)).clamp_min(1 / (regions.shape[1] * regions.shape[2]))
    scale = torch.maximum(scale, (options.least_area / area).sqrt())
    offset = (options.shift * (2 * drawn.offset - 1)).to(images)
    return placed(images, regions, scale, offset)
