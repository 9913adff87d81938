"""Faithfulness of a model's attention on a split: what the score loses as pixels are erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from biasaudit.attention.mask import upsample_maps
from biasaudit.data.sample import Sample
from biasaudit.evaluation.faithfulness import (
    Erasure,
    curve_area,
    deletion_curve,
    erase,
    erasure,
    faithfulness,
    insertion_curve,
)
from biasaudit.evaluation.one_pass import Subject, answer, batches, loaded_classes
from biasaudit.evaluation.plain import plain

MOST_IMAGES = 200
"""The first so many images with the object are erased: some thirty passes each."""


def measure_faithfulness(
    subject: Subject, object: str, context: str | None, samples: Sequence[Sample]
) -> dict[str, Any] | None:
    """Erase what the attention marks, random pixels, the object, and the context.

    Args:
        subject: The classifier under audit.
        object: The audited object.
        context: Its suspected context, or None.
        samples: Images; those that show the object are used, the first :data:`MOST_IMAGES`.

    Returns:
        Fields of :class:`biasaudit.evaluation.faithfulness.Faithfulness`, ``fall_context``, and
        the mean deletion and insertion curves with their areas, all on the scale of the object's
        probability; JSON-ready. None where no image shows the object.
    """
    shown = [sample for sample in samples if object in sample.labels][:MOST_IMAGES]
    if not shown:
        return None
    column = subject.classes.index(object)
    named = (object,) if context is None else (object, context)
    place = loaded_classes(subject, context).index(named[-1])

    def score(images: Tensor) -> Tensor:
        return subject.model(images).scores[:, column].sigmoid()

    parts: list[Erasure] = []
    context_falls, deleted, inserted = [], [], []
    for number, batch in enumerate(batches(subject, shown, named)):
        found = answer(subject, batch, column, place)
        images = batch.images.to(subject.device)
        maps = upsample_maps(found.maps, (images.shape[2], images.shape[3]))
        region, ground = found.region, found.context
        parts.append(erasure(score, images, maps, region, seed=number))
        if context is not None:
            context_falls.append(_fall(score, images, ground, parts[-1].whole))
        deleted.append(deletion_curve(score, images, maps, seed=number).cpu())
        inserted.append(insertion_curve(score, images, maps, seed=number).cpu())
    told = faithfulness(parts)
    found_out = {
        **asdict(told),
        "decides": told.decides,
        "fall_context": _mean(torch.cat(context_falls)) if context_falls else None,
        **_curves("deletion", torch.cat(deleted)),
        **_curves("insertion", torch.cat(inserted)),
    }
    return {name: plain(value) for name, value in found_out.items()}


@torch.no_grad()
def _fall(score: Any, images: Tensor, ground: Tensor, whole: Tensor) -> Tensor:
    """Return (N,) how far the score falls without the context; NaN where it has no region."""
    fall = whole - score(erase(images, ground))
    return torch.where(ground.flatten(1).any(dim=1), fall, torch.nan).cpu()


def _curves(name: str, curve: Tensor) -> dict[str, Any]:
    mean = curve.double().nanmean(dim=0).tolist()
    return {f"{name}_curve": mean, f"{name}_area": _mean(curve_area(curve))}


def _mean(values: Tensor) -> float:
    return float(values.double().nanmean())
