"""Steps of a planned training that leave no trace: what they take, and whether they can be made."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from accelerate import Accelerator
from accelerate.utils.memory import clear_device_cache
from torch import Tensor

from biasaudit.data.loading.batches import Batch, Item, collate
from biasaudit.data.sample import Sample
from biasaudit.memory import peak_bytes
from biasaudit.models.batch_norm import normalises_by_batch
from biasaudit.models.classifier import PooledLinear
from biasaudit.training.frozen import MOST_BYTES
from biasaudit.training.guided import GuidedModel
from biasaudit.training.network import network_of, optimizer_of
from biasaudit.training.plan import Plan
from biasaudit.training.streams import LabelledStream, group_weights

_LATE = 1e9
"""Epochs after which every term is past its warm-up."""


class Trial:
    """Steps of a planned training by a network of its own, on images of noise.

    The labels of the images are those of the training images that show most classes, and of one
    that shows fewest, where objects may be pasted; the labelled images are those that give most
    regions.

    Attributes:
        model: The network.
        least: The smallest batch that can be trained on.
        most: As many as there are training images, or of these the ones that are drawn from.
        kept: Bytes of decoded images, and of the frozen layers' outputs, that a training keeps in
            main memory.
    """

    def __init__(self, plan: Plan, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self._plan = plan
        model = network_of(plan)
        if isinstance(model.head, PooledLinear):
            with torch.no_grad():  # then no map is all zero, and each true class has a masked image
                model.head.linear.weight.abs_()
        self.model = model
        self._guided = GuidedModel(model, plan.terms).to(accelerator.device).train()
        self._optimizer = optimizer_of(plan, model)
        for group in self._optimizer.param_groups:
            group["lr"] = 0.0  # whatever the noise says, the weights stay numbers
        self._samples = _most_labels_first(_drawn_from(plan))
        self._labelled = _labelled(plan)
        self.least = 2 if normalises_by_batch(model) else 1
        self.most = len(self._samples)
        self.kept = _kept(plan, model.starts_frozen)

    def peak(self, size: int) -> int:
        """Return the most bytes that steps with batches of ``size`` images hold."""
        return peak_bytes(lambda: self.steps(size), self.accelerator.device)

    def steps(self, size: int) -> int:
        """Make two steps, the second with what the optimiser keeps; 0 where that went well."""
        self._optimizer.zero_grad()
        batch = self._batch(size).to(self.accelerator.device)
        labelled = self._labelled
        labelled = None if labelled is None else labelled.to(self.accelerator.device)
        for _ in range(2):
            with self.accelerator.autocast():
                losses = self._guided(batch, labelled, _LATE)
            self._optimizer.zero_grad()
            losses["total"].backward()
            self._optimizer.step()
        return 0

    def forget(self) -> None:
        """Give back what the steps held."""
        self._optimizer.zero_grad()
        clear_device_cache(garbage_collection=True)

    def _batch(self, size: int) -> Batch:
        side = int(self._plan.settings.data.image_size or 0)
        chosen = [*self._samples[: size - 1], self._samples[-1]]
        classes = self._plan.dataset.classes
        generator = torch.Generator().manual_seed(0)

        def item(number: int, sample: Sample) -> Item:
            image = torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=generator)
            return Item(number, image, _labels(sample, classes), {})

        return collate([item(number, sample) for number, sample in enumerate(chosen)])


def _labels(sample: Sample, classes: Iterable[str]) -> Tensor:
    return torch.tensor([float(name in sample.labels) for name in classes])


def _drawn_from(plan: Plan) -> list[Sample]:
    samples = plan.dataset.subset("train")
    if not plan.mode.balanced:
        return list(samples)
    data = plan.settings.data
    weights = group_weights(samples, str(data.object), str(data.context), plan.dataset.classes)
    return [sample for sample, weight in zip(samples, weights, strict=True) if weight > 0]


def _most_labels_first(samples: Iterable[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: len(sample.labels), reverse=True)


def _labelled(plan: Plan) -> Batch | None:
    """Return as many labelled images as a step has, those that give most regions."""
    if not plan.labels.entries:
        return None
    images = LabelledStream(plan, 1).images
    regions = [len(images.region_of[sample.id]) for sample in images.samples]
    places = sorted(range(len(regions)), key=lambda place: -regions[place])
    return collate([images[p] for p in places[: int(plan.settings.training.labels_per_step or 1)]])


def _kept(plan: Plan, starts_frozen: bool) -> int:
    data = plan.settings.data
    if data.cache != "memory" or plan.settings.training.workers:
        return 0
    images = sum(len(plan.dataset.subset(name)) for name in ("train", "val"))
    return images * 3 * int(data.image_size or 0) ** 2 + MOST_BYTES * starts_frozen
