"""From samples to batches of tensors; shapes are checked here, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from traceback import clear_frames
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import v2

from biasaudit.data.annotation.labels import LabelForm, labelled_region
from biasaudit.data.loading.cache import DecodedImages
from biasaudit.data.loading.transfer import sent
from biasaudit.data.sample import Sample


@dataclass(frozen=True)
class OnHost:
    """What of a batch decides shapes, on the CPU: whoever asks there waits for no device.

    Attributes:
        labels: As those of :class:`Batch`, and so the others.
    """

    labels: Tensor
    region_rows: Tensor
    region_classes: Tensor
    indices: Tensor
    mirrored: Tensor


@dataclass
class Batch:
    """N images, their labels, and M regions of (image, class) pairs.

    Attributes:
        images: (N, 3, S, S) float RGB in [0, 1].
        labels: (N, C) float, 1 where the class is present.
        regions: (M, S, S) float in [0, 1], 1 inside the region.
        region_rows: (M,) the image of each region.
        region_classes: (M,) its class.
        indices: (N,) positions in the subset.
        mirrored: (N,) bool, which images are mirrored.
        started: (N, K, H, W) what the frozen layers of the network in training make of the
            images, where that was computed before; else None.
    """

    images: Tensor
    labels: Tensor
    regions: Tensor
    region_rows: Tensor
    region_classes: Tensor
    indices: Tensor
    mirrored: Tensor
    started: Tensor | None = None

    def __post_init__(self) -> None:
        n, size = len(self.images), self.images.shape[-1]
        shapes = {
            "images": ((n, 3, size, size), self.images.shape),
            "labels": ((n, self.labels.shape[-1]), self.labels.shape),
            "regions": ((len(self.regions), size, size), self.regions.shape),
            "region_rows": ((len(self.regions),), self.region_rows.shape),
            "region_classes": ((len(self.regions),), self.region_classes.shape),
            "indices": ((n,), self.indices.shape),
            "mirrored": ((n,), self.mirrored.shape),
        }
        for name, (expected, found) in shapes.items():
            if tuple(found) != expected:
                raise ValueError(f"{name}: shape {tuple(found)}, expected {expected}")

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def host(self) -> OnHost:
        """Labels and places on the CPU: kept when the batch moves from there, else read back."""
        return OnHost(*(getattr(self, f.name).cpu() for f in fields(OnHost)))

    def without_images(self) -> Batch:
        """Return a batch of no image, of the same shapes otherwise."""
        none: dict[str, Any] = {
            f.name: None if value is None else value[:0]
            for f in fields(self)
            for value in [getattr(self, f.name)]
        }
        return Batch(**none)

    def to(self, device: torch.device | str, non_blocking: bool = True) -> Batch:
        """Return the batch on another device; nobody waits for the copy.

        Args:
            device: Where it shall be.
            non_blocking: Taken because loaders give it; whoever uses the batch on the device finds
                it there either way.
        """
        return self._each(lambda value: sent(value, device))

    def pin_memory(self) -> Batch:
        """Return the batch in memory that a CUDA device reads by itself, as loaders ask for it."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        changed: dict[str, Any] = {
            f.name: None if value is None else change(value)
            for f in fields(self)
            for value in [getattr(self, f.name)]
        }
        batch = Batch(**changed)
        batch.host = self.host
        return batch


@dataclass(frozen=True)
class Item:
    """One image of a batch to be: uint8 (3, S, S), labels (C,), and its regions by class."""

    index: int
    image: Tensor
    labels: Tensor
    regions: Mapping[int, Tensor]
    mirrored: bool = False


class SampleTensors(TorchDataset[Item]):
    """Samples as square tensors.

    Images are squeezed to a square (no cropping: the whole picture and every region stay in
    view), with antialiasing.

    Args:
        samples: What to load.
        classes: Object classes in score order.
        size: Side S in px.
        region_of: Sample id to the classes whose region it gives, and in which form.
        mirror: Seed that decides with the epoch which images are mirrored, half of them each
            time, so that neither the order nor the number of loading processes matters; None
            mirrors none.
        keep: Whether to keep in memory what was decoded, so that the next epoch reads no file.
        cache: Folder that keeps the decoded images of files instead of the memory, for the next
            run and for other loading processes too.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        classes: Sequence[str],
        size: int,
        region_of: Mapping[str, Mapping[str, LabelForm]] | None = None,
        *,
        mirror: int | None = None,
        keep: bool = True,
        cache: Path | None = None,
    ) -> None:
        self.samples = samples
        self.classes = tuple(classes)
        self.size = size
        self.region_of = region_of or {}
        self.mirror = mirror
        self.keep = keep
        self._images: dict[int, Tensor] = {}
        self._regions: dict[int, dict[int, Tensor]] = {}
        self._cache = DecodedImages(cache, size) if cache is not None else None
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Decide which images are mirrored in this epoch."""
        self._mirrored = torch.zeros(len(self.samples), dtype=torch.bool)
        if self.mirror is not None:
            generator = torch.Generator().manual_seed(self.mirror * 10_007 + epoch)
            self._mirrored = torch.rand(len(self.samples), generator=generator) < 0.5

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Item:
        sample = self.samples[index]
        labels = torch.tensor([float(c in sample.labels) for c in self.classes])
        item = Item(index, self.unmirrored(index), labels, self._regions_of(index))
        return _mirror(item) if self._mirrored[index] else item

    def unmirrored(self, index: int) -> Tensor:
        """Return the (3, S, S) uint8 image of a position, as it is."""
        if index in self._images:
            return self._images[index]
        sample = self.samples[index]
        make = partial(image_square, sample, self.size)
        if self._cache is not None and (name := self._cache.name(sample)) is not None:
            return self._cache.get(sample, name, make)
        image = make()
        if self.keep:
            self._images[index] = image
        return image

    def _regions_of(self, index: int) -> Mapping[int, Tensor]:
        if index in self._regions:
            return self._regions[index]
        sample = self.samples[index]
        regions = {
            self.classes.index(name): region_square(sample, name, self.size, form)
            for name, form in self.region_of.get(sample.id, {}).items()
        }
        if self.keep:
            self._regions[index] = regions
        return regions


def image_square(sample: Sample, size: int) -> Tensor:
    """Return a sample's image as a (3, size, size) uint8 tensor."""
    image = torch.from_numpy(sample.load_image()).permute(2, 0, 1)
    square: Tensor = v2.functional.resize_image(image, [size, size], antialias=True)
    return square


def region_square(sample: Sample, name: str, size: int, form: LabelForm) -> Tensor:
    """Return a region of a sample as a (size, size) bool tensor, in the form it was chosen in."""
    mask = torch.from_numpy(labelled_region(sample, name, form))
    square: Tensor = v2.functional.resize_mask(mask, [size, size])
    return square


def _mirror(item: Item) -> Item:
    regions = {c: region.flip(-1) for c, region in item.regions.items()}
    return Item(item.index, item.image.flip(-1), item.labels, regions, mirrored=True)


def collate(items: Sequence[Item]) -> Batch:
    """Put items into one batch."""
    pairs = [
        (row, c, region) for row, item in enumerate(items) for c, region in item.regions.items()
    ]
    size = items[0].image.shape[-1]
    regions = torch.stack([r for _, _, r in pairs]) if pairs else torch.zeros(0, size, size)
    return Batch(
        images=torch.stack([item.image for item in items]).float() / 255,
        labels=torch.stack([item.labels for item in items]),
        regions=regions.float(),
        region_rows=torch.tensor([row for row, _, _ in pairs], dtype=torch.long),
        region_classes=torch.tensor([c for _, c, _ in pairs], dtype=torch.long),
        indices=torch.tensor([item.index for item in items]),
        mirrored=torch.tensor([item.mirrored for item in items]),
    )


def loaded(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the batches of a loader, and end its loading processes where it fails.

    They end with its iterator. The frames of the error's traceback hold that, for as long as the
    error lives; a process that leaves signals to its parent would keep the program from ending.
    """
    try:
        yield from loader
    except BaseException as error:
        clear_frames(error.__traceback__)
        raise
