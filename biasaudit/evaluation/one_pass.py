"""One pass over images: score, decision and attention overlap of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from biasaudit.attention.classifier import classifier_attention
from biasaudit.attention.mask import scale_maps, upsample_maps
from biasaudit.data.batches import Batch, SampleTensors, collate
from biasaudit.data.sample import Sample
from biasaudit.evaluation.overlap import area_fraction, energy_pointing_game, iou_at
from biasaudit.models.classifier import Classifier
from biasaudit.results import Gallery


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
    """

    model: Classifier
    classes: tuple[str, ...]
    image_size: int
    device: torch.device
    batch_size: int = 64
    workers: int = 0


@dataclass(frozen=True)
class Pass:
    """What one pass gives: a row an image, and the pictures that were asked for."""

    table: pd.DataFrame
    gallery: Gallery | None


def one_pass(
    subject: Subject,
    object: str,
    samples: Sequence[Sample],
    *,
    gallery: int = 0,
    tell: Callable[[int], None] = lambda _: None,
) -> Pass:
    """Pass images through the model once.

    Args:
        subject: The classifier under audit.
        object: The audited object, one of its classes.
        samples: The images.
        gallery: Keep pictures, maps and regions of so many images, the first ones.
        tell: Called with the number of images just done.

    Returns:
        A table with the columns ``id, label, score, decision, correct, energy_pointing_game,
        iou, area_fraction`` in the order of ``samples``, and the gallery.
    """
    column = subject.classes.index(object)
    region_of = {s.id: {object: s.regions[object].form} for s in samples if object in s.regions}
    images = SampleTensors(samples, subject.classes, subject.image_size, region_of, keep=False)
    loader = DataLoader(images, subject.batch_size, collate_fn=collate, num_workers=subject.workers)
    rows: list[pd.DataFrame] = []
    pictures: list[tuple[Tensor, Tensor, Tensor]] = []
    kept = 0
    for batch in loader:
        scores, maps, regions = _answer(subject, batch, column)
        rows.append(_rows(batch, column, scores, maps, regions))
        if kept < gallery:
            take = slice(0, gallery - kept)
            peak = (scale_maps(maps[take]) * 255).round().to(torch.uint8)
            pictures.append(
                (
                    (batch.images[take] * 255).round().to(torch.uint8),
                    peak.cpu(),
                    regions[take].cpu(),
                )
            )
            kept += len(peak)
        tell(len(batch))
    table = pd.concat(rows, ignore_index=True)
    table.insert(0, "id", [sample.id for sample in samples])
    return Pass(table, _gallery(samples, pictures) if pictures else None)


def _answer(subject: Subject, batch: Batch, column: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return scores (N,), maps (N, h, w) and regions (N, S, S) of the object."""
    model = subject.model
    batch = batch.to(subject.device)
    with torch.set_grad_enabled(model.linear_weight is None):
        output = model(batch.images)
        classes = torch.full((len(batch),), column, device=subject.device)
        maps = classifier_attention(model, output, classes).detach()
    regions = torch.zeros_like(batch.images[:, 0], dtype=torch.bool)
    regions[batch.region_rows] = batch.regions > 0.5
    return output.scores[:, column].detach().float(), maps, regions


def _rows(batch: Batch, column: int, scores: Tensor, maps: Tensor, regions: Tensor) -> pd.DataFrame:
    full = upsample_maps(maps, (regions.shape[1], regions.shape[2]))
    label = (batch.labels[:, column] > 0.5).int().numpy()
    decision = (scores > 0).int().cpu().numpy()
    return pd.DataFrame(
        {
            "label": label,
            "score": scores.cpu().numpy().astype(np.float64),
            "decision": decision,
            "correct": (label == decision).astype(int),
            "energy_pointing_game": energy_pointing_game(full, regions).cpu().double().numpy(),
            "iou": iou_at(full, regions).cpu().double().numpy(),
            "area_fraction": area_fraction(regions).cpu().double().numpy(),
        }
    )


def _gallery(
    samples: Sequence[Sample], pictures: Sequence[tuple[Tensor, Tensor, Tensor]]
) -> Gallery:
    images, maps, regions = (torch.cat(parts).numpy() for parts in zip(*pictures, strict=True))
    ids = np.array([sample.id for sample in samples[: len(images)]], dtype=np.str_)
    return Gallery(ids, np.ascontiguousarray(images.transpose(0, 2, 3, 1)), maps, regions)
