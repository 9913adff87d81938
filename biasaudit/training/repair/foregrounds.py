"""The object in images that nobody has drawn on: how it is sought, pruned and measured.

A finder proposes regions, by what the labelled images show. What it proposes costs no label and is
no label: labelled images whose regions it has not seen tell how good it is, and a model prunes what
does not look like the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biasaudit.data.annotation.labels import LabelForm
from biasaudit.guidance.edits import grown, remove
from biasaudit.models.classifier import Classifier
from biasaudit.training.repair.edits import as_bytes, as_float, in_front_of_one_colour
from biasaudit.training.repair.examples import Tell

FOLDS = 3
"""Parts of the labelled images that are held back in turn, or of which one is."""
SPREAD = 0.1
"""Of the fill where a region is taken out to look at the rest, a share of the side."""

Pixels = Callable[[int], Tensor]
"""The (3, S, S) uint8 image of a number."""
Scores = Callable[[Iterable[Tensor]], NDArray[np.float64]]
"""A model's score of the object for (3, S, S) uint8 images, (N,)."""


@dataclass(frozen=True)
class Images:
    """Where the object is sought, and what shows how it looks.

    Attributes:
        pixels: Gives the image of a number, (3, S, S) uint8. A number is a place in the training
            subset.
        labelled: By the number of an image, its (S, S) region in [0, 1]; two images or more.
        forms: By the number of a labelled image, how its region was given.
        without: Images that do not show the object: all of them ground.
        unlabelled: Images that show the object, without a region.
    """

    pixels: Pixels
    labelled: Mapping[int, Tensor]
    forms: Mapping[int, LabelForm]
    without: Sequence[int]
    unlabelled: Sequence[int]


@dataclass(frozen=True)
class Found:
    """What a finder proposes.

    Attributes:
        regions: By the number of an image without a region, (S, S) float, 1 inside.
        held_back: By the number of a labelled image, the same of what the finder makes of it where
            it has not seen its region; one image or more.
    """

    regions: Mapping[int, Tensor]
    held_back: Mapping[int, Tensor]


class Finder(Protocol):
    """A way of finding the object in images without a region."""

    def __call__(self, model: Classifier, images: Images, seed: int, tell: Tell) -> Found:
        """Propose a region for each image without one.

        Args:
            model: The network to be repaired, in evaluation mode; it stays as it is.
            images: Where the object is sought; no other image is looked at.
            seed: Of everything drawn, 0 or more.
            tell: Called with what is counted (``images``, ``steps``) and how many more.
        """


@dataclass(frozen=True)
class Foregrounds:
    """Regions found, and how good they are to be taken.

    Attributes:
        regions: By the number of an image, (S, S) float, 1 inside: those that were kept.
        proposed: How many were found before pruning.
        iou: Mean intersection over union with labelled regions held back, in [0, 1].
        kept_iou: The same over those that pruning would have kept; NaN where it keeps none.
        held_back: How many labelled regions that is measured on.
        kept_held_back: How many of these pruning would have kept.
    """

    regions: dict[int, Tensor]
    proposed: int
    iou: float
    kept_iou: float
    held_back: int
    kept_held_back: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the figures as JSON takes them."""
        return {
            "proposed": self.proposed,
            "kept": len(self.regions),
            "iou": self.iou,
            "kept_iou": None if np.isnan(self.kept_iou) else self.kept_iou,
            "held_back": self.held_back,
            "kept_held_back": self.kept_held_back,
        }


def seek(
    finder: Finder,
    model: Classifier,
    images: Images,
    score: Scores,
    seed: int,
    tell: Tell = lambda _, __: None,
) -> Foregrounds:
    """Find the object in images without a region, prune what was found, and measure it.

    Args:
        finder: Proposes the regions. One that is empty, or the whole image, is none.
        model: As for the finder.
        images: Where the object is sought.
        score: A model's score, which prunes: a region is kept where the part cut out scores higher
            than the image without it.
        seed: Of what the finder draws, 0 or more.
        tell: As for the finder.
    """
    found = finder(model, images, seed, tell)
    proposed = _bounded(found.regions)
    kept = _plausible(images.pixels, proposed, score)
    sound = _plausible(images.pixels, _bounded(found.held_back), score)
    ious = {row: overlap(region, images.labelled[row]) for row, region in found.held_back.items()}
    return Foregrounds(
        kept,
        len(proposed),
        float(np.mean(list(ious.values()))),
        float(np.mean([ious[row] for row in sound])) if sound else float("nan"),
        len(ious),
        len(sound),
    )


def folds_of(images: Images, generator: np.random.Generator) -> dict[int, int]:
    """Deal the labelled images out to :data:`FOLDS` parts, to as many as there are images at most.

    Returns:
        By the number of an image its fold, from 0; the first folds are the larger ones.
    """
    rows = sorted(images.labelled)
    dealt = generator.permutation(len(rows)) % min(FOLDS, len(rows))
    return {row: int(fold) for row, fold in zip(rows, dealt, strict=True)}


def _bounded(regions: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Return the regions that have an inside and an outside."""
    return {row: region for row, region in regions.items() if 0 < float(region.mean()) < 1}


def overlap(found: Tensor, region: Tensor) -> float:
    """Return the intersection over union of two (S, S) regions, 0 where both are empty."""
    a, b = found > 0.5, region > 0.5
    return float((a & b).sum()) / max(1, int((a | b).sum()))


@torch.no_grad()
def _plausible(pixels: Pixels, regions: Mapping[int, Tensor], score: Scores) -> dict[int, Tensor]:
    """Return the regions whose part cut out scores higher than the image without it."""
    rows = list(regions)
    if not rows:
        return {}
    alone = score(_alone(pixels(row), regions[row]) for row in rows)
    rest = score(_rest(pixels(row), regions[row]) for row in rows)
    return {row: regions[row] for row, a, b in zip(rows, alone, rest, strict=True) if a > b}


def _alone(image: Tensor, region: Tensor) -> Tensor:
    return as_bytes(in_front_of_one_colour(as_float(image), region[None])[0])


def _rest(image: Tensor, region: Tensor) -> Tensor:
    return as_bytes(remove(as_float(image), grown(region[None], 0.03), SPREAD)[0])
