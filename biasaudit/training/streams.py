"""Where a training's batches come from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, Sampler, WeightedRandomSampler

from biasaudit import processes
from biasaudit.data.annotation.labels import LabelForm
from biasaudit.data.annotation.shuffled import shuffled_sample
from biasaudit.data.loading.batches import Batch, Item, SampleTensors, collate
from biasaudit.data.sample import Sample, context_shown
from biasaudit.training.plan import Plan
from biasaudit.training.signals import leave_signals_to_the_parent


class Order(Sampler[int]):
    """The order that an epoch takes the training images in; it can begin amid an epoch.

    Args:
        sampler: Draws the order from ``generator``, from the start of each epoch.
        generator: Whose state then says what the epochs to come are.
    """

    def __init__(self, sampler: Sampler[int], generator: torch.Generator) -> None:
        self.generator = generator
        self._sampler = sampler
        self._at_start = generator.get_state()
        self._passed_over = 0

    def __len__(self) -> int:
        return len(self._sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:
        self._at_start = self.generator.get_state()
        skipped, self._passed_over = self._passed_over, 0
        yield from islice(self._sampler, skipped, None)

    def state(self, *, begun: bool) -> Tensor:
        """Return the generator's state at the start of the epoch that is begun, or of the next."""
        return self._at_start if begun else self.generator.get_state()

    def go_on(self, state: Tensor, images: int) -> None:
        """Let the next epoch be the one that began with ``state``, without its first images."""
        self.generator.set_state(state)
        self._passed_over = images


class Parts(Sampler[list[int]]):
    """Of each batch of all processes, drawn in one order, the part of this one.

    Args:
        order: Of the images, in every process the same.
        size: Images a batch of all processes; an incomplete one at the end is left out.
    """

    def __init__(self, order: Order, size: int) -> None:
        self.sampler = order
        self._size = size

    def __len__(self) -> int:
        return len(self.sampler) // self._size

    def __iter__(self) -> Iterator[list[int]]:
        part = processes.span(self._size)
        images = iter(self.sampler)
        while len(batch := list(islice(images, self._size))) == self._size:
            yield batch[part.start : part.stop]


def images_a_step(plan: Plan, images: int) -> int:
    """Return the size of the batch of all processes, at most the images that there are."""
    return min(int(plan.settings.training.batch_size or 1) * processes.count(), images)


def training_loader(
    plan: Plan, images: SampleTensors, *, balanced: bool = False, pinned: bool = False
) -> DataLoader[Item]:
    """Return the loader of the training images.

    Args:
        plan: Whose settings to follow.
        images: The training images.
        balanced: Draw the four groups of object and context equally often.
        pinned: Put batches into memory that a CUDA device reads by itself.
    """
    settings = plan.settings.training
    generator = torch.Generator().manual_seed(settings.seed)
    sampler: RandomSampler | WeightedRandomSampler = RandomSampler(images, generator=generator)
    if balanced:
        data = plan.settings.data
        weights = group_weights(
            images.samples, str(data.object), str(data.context), plan.dataset.classes
        )
        sampler = WeightedRandomSampler(weights, sum(w > 0 for w in weights), generator=generator)
    order = Order(sampler, generator)
    return DataLoader(
        images,
        batch_sampler=Parts(order, images_a_step(plan, len(order))),
        collate_fn=collate,
        num_workers=settings.workers,
        pin_memory=pinned,
        worker_init_fn=leave_signals_to_the_parent,
    )


def group_weights(
    samples: Sequence[Sample], object: str, context: str, classes: Collection[str]
) -> list[float]:
    """Return weights that give the groups of object and context the same total.

    Args:
        samples: Images.
        object: The audited object.
        context: Its suspected context.
        classes: The object classes: these are labelled on every image.

    Returns:
        One weight a sample; they sum to 1. An image of which nobody said whether it shows the
        context belongs to no group and weighs nothing.
    """
    shown = [context_shown(sample, context, classes) for sample in samples]
    groups = [(object in s.labels, value) for s, value in zip(samples, shown, strict=True)]
    counts = Counter(group for group in groups if not math.isnan(group[1]))
    return [0.0 if math.isnan(group[1]) else 1 / (len(counts) * counts[group]) for group in groups]


class LabelledStream(Iterator[Batch]):
    """Batches of labelled images without end; each image comes once a round, in random order.

    Every process draws the batch of all of them, and loads its own part.

    Args:
        plan: Whose labels to draw from; its settings say whether their regions are shuffled.
        size: Images a batch of all processes; all of them where there are fewer.

    Attributes:
        images: The labelled images.
        shown: The ids of the last batch, of this process's part.
    """

    def __init__(self, plan: Plan, size: int) -> None:
        region_of = plan.labels.by_image()
        chosen = [s for s in plan.dataset.subset("train") if s.id in region_of]
        if plan.settings.data.regions == "shuffled":
            seed = plan.settings.training.seed
            chosen = [shuffled_sample(s, region_of[s.id], seed) for s in chosen]
            region_of = {id: dict.fromkeys(forms, "mask") for id, forms in region_of.items()}
        self.images = tensors(plan, chosen, region_of, flip=plan.settings.data.flip)
        self._size = min(size, len(chosen))
        self._generator = torch.Generator().manual_seed(plan.settings.training.seed)
        self._queue: list[int] = []
        self._round = 0
        self.shown: list[str] = []

    def __next__(self) -> Batch:
        items: list[Item] = []
        part = processes.span(self._size)
        for place in range(self._size):
            if not self._queue:
                self.images.start_epoch(self._round)
                self._round += 1
                self._queue = torch.randperm(len(self.images), generator=self._generator).tolist()
            index = self._queue.pop()
            if place in part:
                items.append(self.images[index])
        self.shown = [self.images.samples[item.index].id for item in items]
        return collate(items) if items else collate([self.images[0]]).without_images()

    def state(self) -> tuple[Tensor, dict[str, Any]]:
        """Return the state of what it draws from, and where it is in its round."""
        return self._generator.get_state(), {"queue": list(self._queue), "round": self._round}

    def go_on(self, state: Tensor, told: Mapping[str, Any]) -> None:
        """Go on from a state that :meth:`state` returned."""
        self._generator.set_state(state)
        self._queue, self._round = list(told["queue"]), int(told["round"])
        if self._round:
            self.images.start_epoch(self._round - 1)


def tensors(
    plan: Plan,
    samples: Sequence[Sample],
    region_of: Mapping[str, Mapping[str, LabelForm]] | None = None,
    *,
    flip: bool = False,
) -> SampleTensors:
    """Return samples as tensors of the plan's classes and size."""
    return SampleTensors(
        samples,
        plan.dataset.classes,
        int(plan.settings.data.image_size or 0),
        region_of,
        mirror=plan.settings.training.seed if flip else None,
        keep=plan.settings.data.cache != "off",
        cache=plan.settings.data.cache_folder,
    )
