"""SEC's training: the network learns cues, image-level labels and what the CRF makes of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from biasaudit.config import SegmentSettings
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.errors import RunFailedError, named_field
from biasaudit.models.classifier import Classifier
from biasaudit.segmentation.crf import Crf, mean_field
from biasaudit.segmentation.losses import (
    FLOOR,
    constrain_loss,
    decay_at,
    expand_loss,
    floored_softmax,
    seed_loss,
)
from biasaudit.segmentation.metrics import VOID, LabelMap
from biasaudit.segmentation.network import last_layer

TRAINING_SCALE = 12.0
"""By what the authors divide the CRF's spatial widths on their maps of 41×41."""
_PAPER_SIDE = 41
_LOGGED = 50
"""Steps that one row of the metrics averages."""
_LAST_LAYER_FACTOR = 10.0

Step = Callable[[int, int, float], None]
"""Told of the steps made, their total, and the loss."""


@dataclass
class Material:
    """What a network is trained on.

    Attributes:
        images: Training images as square tensors.
        labels: (N, C) bool, which classes each image shows.
        cues: (h, w) label map of each image, at the network's own map size.
    """

    images: SampleTensors
    labels: Tensor
    cues: list[LabelMap]


def map_size(network: Classifier, side: int, device: torch.device) -> tuple[int, int]:
    """Return the (h, w) of a network's maps of square images."""
    training = network.training
    with torch.no_grad():
        shape = network.eval()(torch.zeros(1, 3, side, side, device=device)).scores.shape
    network.train(training)
    return int(shape[2]), int(shape[3])


def train_network(
    network: Classifier, material: Material, settings: SegmentSettings, seed: int, tell: Step
) -> list[dict[str, float]]:
    """Train a segmentation network in place.

    Args:
        network: On its device.
        material: What it learns from.
        settings: With iterations, batch size and learning rate filled in.
        seed: Of the order of images and of their mirroring.
        tell: Told of every step.

    Returns:
        The mean of each loss over each 50 steps.

    Raises:
        RunFailedError: The loss is no number any more.
    """
    total = int(settings.iterations or 1)
    optimizer = _optimizer(network, settings)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, max(1, total // 4), 0.1)
    network.train()
    rows: list[dict[str, float]] = []
    sums: dict[str, float] = {}
    for step, places in enumerate(_draws(len(material.labels), settings, total, seed), 1):
        losses = _losses(network, material, places, settings)
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        if not math.isfinite(values["total"]):
            raise RunFailedError(
                f"step {step}: the loss is {values['total']}",
                f"lower {named_field('segment.learning_rate')}",
            )
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        schedule.step()
        sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
        if step % _LOGGED == 0 or step == total:
            count = (step - 1) % _LOGGED + 1
            rows.append({"step": step, **{name: s / count for name, s in sums.items()}})
            sums = {}
        tell(step, total, values["total"])
    network.eval()
    return rows


def _optimizer(network: Classifier, settings: SegmentSettings) -> torch.optim.SGD:
    last = list(last_layer(network).parameters())
    known = {id(p) for p in last}
    rest = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
    rate = float(settings.learning_rate or 0)
    groups: list[dict[str, Any]] = [{"params": rest}]
    groups.append({"params": last, "lr": rate * _LAST_LAYER_FACTOR})
    return torch.optim.SGD(
        groups,
        lr=rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def _draws(
    count: int, settings: SegmentSettings, steps: int, seed: int
) -> Iterator[list[tuple[int, bool]]]:
    """Yield the images of each step, each with whether it is mirrored; every image once a round."""
    generator = torch.Generator().manual_seed(seed)
    waiting: list[int] = []
    size = min(int(settings.batch_size or 1), count)
    for _ in range(steps):
        if len(waiting) < size:
            waiting = torch.randperm(count, generator=generator).tolist()
        chosen, waiting = waiting[:size], waiting[size:]
        mirrored = (torch.rand(size, generator=generator) < 0.5).tolist()
        yield [(i, settings.flip and m) for i, m in zip(chosen, mirrored, strict=True)]


def _losses(
    network: Classifier,
    material: Material,
    places: list[tuple[int, bool]],
    settings: SegmentSettings,
) -> dict[str, Tensor]:
    """Return the losses of one step, weighted in their ``total``."""
    device = network.mean.device
    indices = [index for index, _ in places]
    images = torch.stack([_turned(material.images.unmirrored(i), m) for i, m in places])
    images = images.to(device).float() / 255
    cues = torch.stack([_turned(torch.from_numpy(material.cues[i]), m) for i, m in places])
    logits = network(images).scores.float()
    probabilities = floored_softmax(logits)
    pixels = logits.shape[2] * logits.shape[3]
    losses = {
        "seed": seed_loss(probabilities, as_channels(cues.to(device), logits.shape[1])),
        "expand": expand_loss(
            probabilities,
            material.labels[indices].to(device).float(),
            decay_at(settings.foreground_decay, pixels),
            decay_at(settings.background_decay, pixels),
        ),
    }
    weights = {"seed": settings.seed_weight, "expand": settings.expand_weight}
    if settings.constrain_weight:
        losses["constrain"] = constrain_loss(probabilities, refined(probabilities, images))
        weights["constrain"] = settings.constrain_weight
    total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
    return {**losses, "total": total}


def _turned(values: Tensor, mirrored: bool) -> Tensor:
    return values.flip(-1) if mirrored else values


def as_channels(cues: Tensor, channels: int) -> Tensor:
    """Return (N, h, w) label maps as (N, C, h, w): 1 in the channel of each pixel that is known."""
    known = cues != VOID
    flat = functional.one_hot(torch.where(known, cues, 0).long(), channels)
    return (flat * known[..., None]).permute(0, 3, 1, 2).float()


def refined(probabilities: Tensor, images: Tensor) -> Tensor:
    """Return what the CRF makes of maps in training, floored and summing to 1.

    Args:
        probabilities: (N, C, h, w).
        images: (N, 3, S, S) in [0, 1].
    """
    height, width = probabilities.shape[2:]
    crf = Crf().at_scale(TRAINING_SCALE * _PAPER_SIDE / max(height, width))
    small = functional.interpolate(
        images, size=(height, width), mode="bilinear", align_corners=False, antialias=True
    )
    found = mean_field(probabilities.detach().log(), small * 255, crf).clamp_min(FLOOR)
    return found / found.sum(dim=1, keepdim=True)


def upsampled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (N, C, H, W) floored probabilities at ``size``: logits up-sampled bilinearly."""
    wide = functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    return floored_softmax(wide)


def labels_of(images: SampleTensors) -> Tensor:
    """Return (N, C) bool image-level labels."""
    rows = [[name in sample.labels for name in images.classes] for sample in images.samples]
    return torch.from_numpy(np.array(rows, dtype=bool).reshape(len(rows), len(images.classes)))
