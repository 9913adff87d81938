"""One pass over images: score, decision and attention overlap of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from biasaudit.attention.classifier import classifier_attention
from biasaudit.attention.mask import scale_maps, upsample_maps
from biasaudit.data.loading.batches import Batch, SampleTensors, collate, loaded
from biasaudit.data.sample import RegionForm, Sample, context_shown
from biasaudit.errors import RunError
from biasaudit.evaluation.localization import (
    LocalizationMetric,
    area_fraction,
    attention_on,
    metric_columns,
)
from biasaudit.evaluation.parts import by_process
from biasaudit.inputs.tables import join_tables, text_column
from biasaudit.models.classifier import Classifier
from biasaudit.results import METRIC_PREFIX, Gallery
from biasaudit.statistics import OperatingPoint

ON_CONTEXT: Mapping[str, LocalizationMetric] = {"context_energy": attention_on}
"""The column that compares the map with the context's region."""


@dataclass(frozen=True)
class Subject:
    """A classifier under audit.

    Attributes:
        model: In evaluation mode, on ``device``.
        classes: Object classes in score order.
        image_size: Side of the square input in px.
        device: Where to compute.
        batch_size: Images a pass; changes no result on one device but the last digits.
        workers: Processes that load images.
        cache: Folder of decoded images, None for none.
        operating_points: Of each class, as training fitted it on val; None where nobody did, and
            the audit fits that of the audited object on the val that it measures.
    """

    model: Classifier
    classes: tuple[str, ...]
    image_size: int
    device: torch.device
    batch_size: int = 64
    workers: int = 0
    cache: Path | None = None
    operating_points: Mapping[str, OperatingPoint] | None = None


@dataclass(frozen=True)
class Pass:
    """What one pass gives: a row an image, and the pictures and maps that were asked for.

    Attributes:
        table: A row an image.
        gallery: Pictures of the first images.
        maps: (N, h, w) float32 attention of every image, at the attention layer's resolution.
        scores: (N, C) float32 raw scores of every class.
        erased: What an eraser found, a row an image that it erased; None where there is none.
    """

    table: pd.DataFrame
    gallery: Gallery | None
    maps: NDArray[np.float32] | None
    scores: NDArray[np.float32]
    erased: pd.DataFrame | None = None


@dataclass(frozen=True)
class Answers:
    """What the model gives for one batch, on the model's device.

    Attributes:
        scores: (N,) raw scores of the object.
        every: (N, C) raw scores of all classes.
        maps: (N, h, w) its attention, at the attention layer's resolution.
        region: (N, S, S) bool, the object's region.
        context: (N, S, S) bool, the context's region.
    """

    scores: Tensor
    every: Tensor
    maps: Tensor
    region: Tensor
    context: Tensor


Erasing = Callable[[Sequence[Sample], Tensor, Answers], pd.DataFrame | None]
"""Erases parts of a batch's images and scores them again; a row an image, or None."""


@dataclass(frozen=True)
class Extras:
    """What a pass gives beside the rows.

    Attributes:
        pictures: Pictures, maps and regions of so many images, the first ones.
        maps: The attention map of every image.
        erasing: Called with each batch, while its images are at hand
            (:class:`biasaudit.evaluation.faithfulness.Eraser`).
    """

    pictures: int = 0
    maps: bool = False
    erasing: Erasing | None = None


ROWS_ALONE = Extras()


def one_pass(
    subject: Subject,
    object: str,
    samples: Sequence[Sample],
    *,
    context: str | None = None,
    extras: Extras = ROWS_ALONE,
    tell: Callable[[int], None] = lambda _: None,
) -> Pass:
    """Pass images through the model once, each process its part.

    Args:
        subject: The classifier under audit.
        object: The audited object, one of its classes.
        samples: The images.
        context: Its suspected context, if one is suspected.
        extras: What is wanted beside the rows.
        tell: Called with the number of images just done.

    Returns:
        A table with the columns of ``per_image.csv`` but those of split and group, in the order of
        ``samples``, the gallery, the maps and the erasures.

    Raises:
        RunError: The model gives a score, or a map, that is no finite number.
    """

    def part(own: Sequence[Sample], start: int) -> Pass:
        kept = replace(extras, pictures=max(0, extras.pictures - start))
        return _pass(subject, object, own, context, kept, tell)

    parts = by_process(samples, subject.batch_size, part)
    pictures = [part.gallery for part in parts if part.gallery is not None]
    maps = [part.maps for part in parts if part.maps is not None]
    erased = [part.erased for part in parts if part.erased is not None]
    return Pass(
        join_tables([part.table for part in parts]),
        Gallery.joined(pictures) if pictures else None,
        np.concatenate(maps) if maps else None,
        np.concatenate([part.scores for part in parts]),
        pd.concat(erased, ignore_index=True) if erased else None,
    )


def _pass(
    subject: Subject,
    object: str,
    samples: Sequence[Sample],
    context: str | None,
    extras: Extras,
    tell: Callable[[int], None],
) -> Pass:
    """Pass images through the model in this process."""
    column = subject.classes.index(object)
    classes = loaded_classes(subject, context)
    named = (object,) if context is None else (object, context)
    rows: list[dict[str, NDArray[Any]]] = []
    pictures: list[tuple[Tensor, Tensor, Tensor]] = []
    maps: list[Tensor] = []
    scores: list[Tensor] = []
    erased: list[pd.DataFrame] = []
    kept = 0
    for batch in batches(subject, samples, named):
        own = [samples[i] for i in batch.indices.tolist()]
        answers = answer(subject, batch, column, classes.index(named[-1]))
        _check_numbers(answers, object, [sample.id for sample in own])
        if extras.erasing is not None:
            found = extras.erasing(own, batch.images.to(subject.device), answers)
            erased += [] if found is None else [found]
        maps += [answers.maps.float().cpu()] if extras.maps else []
        scores.append(answers.every.cpu())
        decisions = decisions_of(scores[-1].numpy(), subject.model.softmax)[:, column]
        rows.append(_rows(batch, column, answers, decisions, context is not None))
        if kept < extras.pictures:
            take = slice(0, extras.pictures - kept)
            pictures.append(_picture(batch.images[take], answers.maps[take], answers.region[take]))
            kept += len(pictures[-1][0])
        tell(len(batch))
    columns = {name: np.concatenate([row.pop(name) for row in rows]) for name in list(rows[0])}
    table = pd.DataFrame({"id": text_column(sample.id for sample in samples), **columns})
    table["pair"] = text_column(sample.pair or "" for sample in samples)
    table["edit"] = text_column(sample.edit for sample in samples)
    table["source"] = text_column(sample.source for sample in samples)
    table["context"] = [context_shown(sample, context, subject.classes) for sample in samples]
    pictured = _gallery(samples, pictures) if pictures else None
    every = torch.cat(scores).numpy()
    return Pass(
        table,
        pictured,
        torch.cat(maps).numpy() if maps else None,
        every,
        pd.concat(erased, ignore_index=True) if erased else None,
    )


def decisions_of(scores: NDArray[np.float32], softmax: bool) -> NDArray[np.int64]:
    """Return (N, C) 1 where the answer is yes, from (N, C) raw scores.

    Args:
        scores: One row an image.
        softmax: Whether one class is chosen, the first one with the highest score; else every
            class is answered for itself, yes above 0.
    """
    if not softmax:
        return (scores > 0).astype(np.int64)
    return (np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]).astype(np.int64)


def _check_numbers(answers: Answers, object: str, ids: Sequence[str]) -> None:
    """Refuse NaN and infinity.

    A score of NaN would count as a "no", and so as right where the object is missing; a map that
    holds one would be left out of the figures of attention, unsaid.
    """
    found = {"score": answers.scores, "attention map": answers.maps.flatten(1).sum(dim=1)}
    for what, values in found.items():
        wrong = (~values.isfinite()).nonzero()
        if len(wrong):
            raise RunError(
                f"the model's {what} of '{object}' for image '{ids[int(wrong[0])]}' is not a "
                "finite number",
                "its training may have diverged, or its weights do not fit",
            )


def loaded_classes(subject: Subject, context: str | None) -> tuple[str, ...]:
    """Return the classes that a batch numbers its regions by: the model's, then the context."""
    extra = () if context is None or context in subject.classes else (context,)
    return (*subject.classes, *extra)


def batches(subject: Subject, samples: Sequence[Sample], named: Sequence[str]) -> Iterator[Batch]:
    """Yield the samples in batches, each with the regions of the named classes that it has."""
    images = SampleTensors(
        samples,
        loaded_classes(subject, named[-1] if named else None),
        subject.image_size,
        _forms(samples, named),
        keep=False,
        cache=subject.cache,
    )
    loader = DataLoader(images, subject.batch_size, collate_fn=collate, num_workers=subject.workers)
    yield from loaded(loader)


def _forms(samples: Sequence[Sample], named: Sequence[str]) -> dict[str, Mapping[str, RegionForm]]:
    """Return the form of the regions that each sample has; samples alike share one mapping."""
    known: dict[tuple[tuple[str, RegionForm], ...], Mapping[str, RegionForm]] = {}
    found = {}
    for sample in samples:
        forms = tuple((n, sample.regions[n].form) for n in named if n in sample.regions)
        found[sample.id] = known.setdefault(forms, dict(forms))
    return found


def regions_of(batch: Batch, column: int) -> Tensor:
    """Return (N, S, S) bool, the region of one class in each image; empty where it has none."""
    regions = torch.zeros_like(batch.images[:, 0], dtype=torch.bool)
    chosen = batch.region_classes == column
    regions[batch.region_rows[chosen]] = batch.regions[chosen] > 0.5
    return regions


def answer(subject: Subject, batch: Batch, column: int, context: int) -> Answers:
    """Return the scores, maps and regions of one batch.

    Args:
        subject: The classifier under audit.
        batch: On any device.
        column: The object's class.
        context: The context's class, as :func:`loaded_classes` numbers it.
    """
    model = subject.model
    batch = batch.to(subject.device)
    with torch.set_grad_enabled(model.linear_weight is None):
        output = model(batch.images)
        classes = torch.full((len(batch),), column, device=subject.device)
        maps = classifier_attention(model, output, classes).detach()
    every = output.scores.detach().float()
    return Answers(
        every[:, column], every, maps, regions_of(batch, column), regions_of(batch, context)
    )


def _rows(
    batch: Batch,
    column: int,
    answers: Answers,
    decision: NDArray[np.int64],
    with_context: bool,
) -> dict[str, NDArray[Any]]:
    """Return the columns that the model's answers to one batch fill."""
    region = answers.region
    full = upsample_maps(answers.maps, (region.shape[1], region.shape[2]))
    label = (batch.labels[:, column] > 0.5).int().numpy()
    context = answers.context if with_context else torch.zeros_like(region)
    overlaps = {
        **_measured(full, region, metric_columns()),
        "area_fraction": area_fraction(region),
        **_measured(full, context, ON_CONTEXT),
        "context_area": area_fraction(context),
    }
    return {
        "label": label,
        "score": answers.scores.cpu().numpy().astype(np.float64),
        "decision": decision,
        "correct": (label == decision).astype(int),
        **{name: values.cpu().double().numpy() for name, values in overlaps.items()},
    }


def _measured(
    maps: Tensor, regions: Tensor, metrics: Mapping[str, LocalizationMetric]
) -> dict[str, Tensor]:
    """Return each metric by column, (N,); images without a region are NaN and cost no time."""
    rows = regions.flatten(1).any(dim=1)
    some_maps, some_regions = maps[rows], regions[rows]
    found = {}
    for name, metric in metrics.items():
        values = maps.new_full((len(maps),), math.nan)
        if len(some_maps):
            measured = _one_each(name, metric(some_maps, some_regions), len(some_maps))
            values[rows] = measured.to(values)
        found[name] = values
    return found


def _one_each(name: str, values: object, images: int) -> Tensor:
    """Hold a metric, which may be a plug-in's, to one value an image; NaN where it is infinite."""
    if not isinstance(values, Tensor) or values.shape != (images,):
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise RunError(
            f"localization metric '{name.removeprefix(METRIC_PREFIX)}': gives {shape} for "
            f"{images} maps",
            "return a tensor with one value a map",
        )
    return torch.where(values.isfinite(), values, torch.nan)


def _picture(images: Tensor, maps: Tensor, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    peak = (scale_maps(maps) * 255).round().to(torch.uint8)
    return (images * 255).round().to(torch.uint8), peak.cpu(), regions.cpu()


def _gallery(
    samples: Sequence[Sample], pictures: Sequence[tuple[Tensor, Tensor, Tensor]]
) -> Gallery:
    images, maps, regions = (torch.cat(parts).numpy() for parts in zip(*pictures, strict=True))
    ids = np.array([sample.id for sample in samples[: len(images)]], dtype=np.str_)
    return Gallery(ids, np.ascontiguousarray(images.transpose(0, 2, 3, 1)), maps, regions)
