"""Faithfulness of a model's attention on a split: what the score loses as pixels are erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from biasaudit.attention.mask import upsample_maps
from biasaudit.data.sample import Sample
from biasaudit.evaluation.perturbation import (
    CURVE_STEPS,
    Erasure,
    Score,
    curve_area,
    deletion_curve,
    erase,
    erasure,
    faithfulness,
    insertion_curve,
)
from biasaudit.evaluation.predict import Subject, answer, batches, loaded_classes
from biasaudit.results.plain import plain

MOST_IMAGES = 200
"""The first so many images with the object are erased: some thirty passes each."""


def measure_faithfulness(
    subject: Subject, object: str, context: str | None, samples: Sequence[Sample]
) -> tuple[dict[str, Any], pd.DataFrame] | None:
    """Erase what the attention marks, random pixels, the object, and the context.

    Args:
        subject: The classifier under audit.
        object: The audited object.
        context: Its suspected context, or None.
        samples: Images; those that show the object are used, the first :data:`MOST_IMAGES`.

    Returns:
        Fields of :class:`biasaudit.evaluation.perturbation.Faithfulness`, ``fall_context``, and
        the mean deletion and insertion curves with their areas, all on the scale of the object's
        probability; JSON-ready. And a row an image, from which they can be recomputed: ``id``,
        ``probability``, ``marked`` (share of the image that the attention marks), the probability
        ``without_attention``, ``without_random``, ``without_region`` and ``without_context``, and
        ``deletion_0.0`` to ``insertion_1.0``. None where no image shows the object.
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
    tables: list[pd.DataFrame] = []
    for number, batch in enumerate(batches(subject, shown, named)):
        found = answer(subject, batch, column, place)
        images = batch.images.to(subject.device)
        maps = upsample_maps(found.maps, (images.shape[2], images.shape[3]))
        parts.append(erasure(score, images, maps, found.region, seed=number))
        ground = found.context if context is not None else torch.zeros_like(found.region)
        curves = {
            "deletion": deletion_curve(score, images, maps, seed=number),
            "insertion": insertion_curve(score, images, maps, seed=number),
        }
        tables.append(_rows(parts[-1], _without(score, images, ground), curves))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "id", [sample.id for sample in shown])
    told = faithfulness(parts)
    figures = {
        **asdict(told),
        "decides": told.decides,
        "fall_context": float((table["probability"] - table["without_context"]).mean()),
        **_curve(table, "deletion"),
        **_curve(table, "insertion"),
    }
    return {name: plain(value) for name, value in figures.items()}, table


@torch.no_grad()
def _without(score: Score, images: Tensor, ground: Tensor) -> Tensor:
    """Return (N,) the score without the context; NaN where it has no region."""
    return torch.where(ground.flatten(1).any(dim=1), score(erase(images, ground)), torch.nan)


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


def _curve(table: pd.DataFrame, name: str) -> dict[str, Any]:
    mean = table.filter(regex=f"^{name}_").mean()
    area = curve_area(torch.tensor(mean.to_numpy())[None])
    return {f"{name}_curve": mean.tolist(), f"{name}_area": float(area)}
