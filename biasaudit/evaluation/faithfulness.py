"""Faithfulness of a model's attention on a split: what the score loses as pixels are erased."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from biasaudit.attention.mask import upsample_maps
from biasaudit.data.sample import Sample
from biasaudit.evaluation.perturbation import (
    CURVE_STEPS,
    Erasure,
    Score,
    both_curves,
    erase,
    erasure,
)
from biasaudit.evaluation.predict import Answers, Subject

MOST_IMAGES = 200
"""The first so many images with the object are erased: some 25 passes each."""


class Eraser:
    """Erases what the attention marks, random pixels, the object, and the context.

    :func:`biasaudit.evaluation.predict.one_pass` calls it on each batch, whose images and maps it
    has. The random pixels of an image hang on its place among the images alone, so that batches
    and processes share them out as they like.

    Args:
        subject: The classifier under audit.
        object: The audited object.
        context: Its suspected context, or None.
        samples: A split's images; those that show the object are erased, the first
            :data:`MOST_IMAGES`.
    """

    def __init__(
        self, subject: Subject, object: str, context: str | None, samples: Sequence[Sample]
    ) -> None:
        self.subject = subject
        self.column = subject.classes.index(object)
        self.context = context
        shown = [sample.id for sample in samples if object in sample.labels][:MOST_IMAGES]
        self.places = {name: place for place, name in enumerate(shown)}

    def __call__(
        self, samples: Sequence[Sample], images: Tensor, answers: Answers
    ) -> pd.DataFrame | None:
        """Erase those images of a batch that are to be erased.

        Args:
            samples: The batch's, in the order in which the eraser knows them.
            images: (N, 3, S, S), on the model's device.
            answers: What the model gave for them.

        Returns:
            A row an image: ``id``, ``probability``, ``marked`` (share of the image that the
            attention marks), the probability ``without_attention``, ``without_random``,
            ``without_region`` and ``without_context``, and ``deletion_0.0`` to ``insertion_1.0``;
            NaN where an image has nothing to erase. None where no image of the batch is erased.
            :func:`biasaudit.analysis.faithfulness.faithfulness_of` makes the figures of them.
        """
        rows = [row for row, sample in enumerate(samples) if sample.id in self.places]
        if not rows:
            return None
        seed = self.places[samples[rows[0]].id]
        images, known = images[rows], answers.scores[rows]
        score = _score(self.subject, self.column, images, known)
        maps = upsample_maps(answers.maps[rows], (images.shape[2], images.shape[3]))
        erased = erasure(score, images, maps, answers.region[rows], seed=seed)
        ground = answers.context[rows]
        if self.context is None:
            ground = torch.zeros_like(ground)
        deletion, insertion = both_curves(score, images, maps, seed=seed)
        curves = {"deletion": deletion, "insertion": insertion}
        table = _rows(erased, _without(score, images, ground), curves)
        table.insert(0, "id", [samples[row].id for row in rows])
        return table


def _score(subject: Subject, column: int, images: Tensor, known: Tensor) -> Score:
    """Return what gives probabilities of pictures; those of the images themselves are known."""

    def score(pictures: Tensor) -> Tensor:
        if pictures is images:
            return known.sigmoid()
        return subject.model(pictures).scores[:, column].sigmoid()

    return score


@torch.no_grad()
def _without(score: Score, images: Tensor, ground: Tensor) -> Tensor:
    """Return (N,) the score without the context; NaN where it has no region."""
    there = ground.flatten(1).any(dim=1)
    if not bool(there.any()):
        return images.new_full((len(images),), torch.nan)
    return torch.where(there, score(erase(images, ground)), torch.nan)


def _rows(erased: Erasure, without_context: Tensor, curves: dict[str, Tensor]) -> pd.DataFrame:
    columns = {
        "probability": erased.whole,
        "marked": erased.share,
        "without_attention": erased.without_attention,
        "without_random": erased.without_random,
        "without_region": erased.without_region,
        "without_context": without_context,
        **{
            f"{name}_{share:.1f}": column
            for name, curve in curves.items()
            for share, column in zip(CURVE_STEPS, curve.T, strict=True)
        },
    }
    return pd.DataFrame({name: values.cpu().double().numpy() for name, values in columns.items()})
