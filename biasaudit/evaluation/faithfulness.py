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
from biasaudit.evaluation.predict import Subject, answer, batches, loaded_classes

MOST_IMAGES = 200
"""The first so many images with the object are erased: some 25 passes each."""


def measure_faithfulness(
    subject: Subject, object: str, context: str | None, samples: Sequence[Sample]
) -> pd.DataFrame | None:
    """Erase what the attention marks, random pixels, the object, and the context.

    Args:
        subject: The classifier under audit.
        object: The audited object.
        context: Its suspected context, or None.
        samples: Images; those that show the object are used, the first :data:`MOST_IMAGES`.

    Returns:
        A row an image: ``id``, ``probability``, ``marked`` (share of the image that the attention
        marks), the probability ``without_attention``, ``without_random``, ``without_region`` and
        ``without_context``, and ``deletion_0.0`` to ``insertion_1.0``; NaN where an image has
        nothing to erase. None where no image shows the object.
        :func:`biasaudit.analysis.faithfulness.faithfulness_of` makes the figures of them.
    """
    shown = [sample for sample in samples if object in sample.labels][:MOST_IMAGES]
    if not shown:
        return None
    column = subject.classes.index(object)
    named = (object,) if context is None else (object, context)
    place = loaded_classes(subject, context).index(named[-1])

    tables: list[pd.DataFrame] = []
    for number, batch in enumerate(batches(subject, shown, named)):
        found = answer(subject, batch, column, place)
        images = batch.images.to(subject.device)
        score = _score(subject, column, images, found.scores)
        maps = upsample_maps(found.maps, (images.shape[2], images.shape[3]))
        erased = erasure(score, images, maps, found.region, seed=number)
        ground = found.context if context is not None else torch.zeros_like(found.region)
        deletion, insertion = both_curves(score, images, maps, seed=number)
        curves = {"deletion": deletion, "insertion": insertion}
        tables.append(_rows(erased, _without(score, images, ground), curves))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "id", [sample.id for sample in shown])
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
