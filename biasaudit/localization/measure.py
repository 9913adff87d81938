"""Attention measured as boxes and pixels: thresholds on val, figures on another subset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision import tv_tensors
from torchvision.transforms import v2

from biasaudit.attention.classifier import classifier_attention
from biasaudit.attention.mask import scale_maps, upsample_maps
from biasaudit.data.loading.batches import Batch
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import ConfigError, DataError, named_field
from biasaudit.evaluation.predict import Subject, batches, regions_of
from biasaudit.localization.metrics import (
    THRESHOLDS,
    Localization,
    PooledPixels,
    box_ious,
    component_boxes,
    localization,
)

VAL = "val"
Count = Callable[[int, int], None]


def measure_localization(
    subject: Subject,
    dataset: Dataset,
    name: str,
    subset: str,
    tell: Count = lambda done, total: None,
) -> Localization:
    """Measure how well a model's attention localizes a class.

    Images count that show the class and have its region; images, maps and regions are squeezed to
    the model's square input, which changes no IoU of boxes. The true boxes are those of the
    region's components.

    Args:
        subject: The classifier.
        dataset: With the subset ``val``, which the thresholds are chosen on.
        name: A class of the model.
        subset: What is reported; not ``val``.
        tell: Called with the images done and their total.

    Raises:
        ConfigError: The subset is val.
        DataError: One of the two subsets has no such image.
    """
    if subset == VAL:
        raise ConfigError(
            f"{named_field('subset', subset)}: the thresholds are chosen on it", "name another one"
        )
    chosen, reported = (_measurable(dataset, one, name) for one in (VAL, subset))
    total, done = len(chosen) + len(reported), 0
    pixels, nowhere = PooledPixels(), PooledPixels()
    found = []
    for samples, pool in ((chosen, nowhere), (reported, pixels)):
        ious, highest = [], []
        for batch in batches(subject, samples, (name,)):
            shown = [samples[i] for i in batch.indices.tolist()]
            rows, best = _of_batch(subject, batch, name, pool, shown)
            ious.append(rows)
            highest.append(best)
            done += len(batch)
            tell(done, total)
        found.append((np.concatenate(ious), np.concatenate(highest)))
    (val_ious, _), (own, best) = found
    return localization(val_ious, own, best, pixels)


def _measurable(dataset: Dataset, subset: str, name: str) -> Sequence[Sample]:
    samples = [s for s in dataset.subset(subset) if name in s.labels and name in s.regions]
    if not samples:
        raise DataError(
            f"{dataset.root or dataset.name}: no image of '{subset}' has a region of '{name}'",
            "name a subset whose images have masks or boxes",
        )
    return samples


def _of_batch(
    subject: Subject, batch: Batch, name: str, pool: PooledPixels, shown: Sequence[Sample]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (N, T) IoU and (N,) whether the class scores highest; pool the pixels of masks."""
    column = subject.classes.index(name)
    batch = batch.to(subject.device)
    with torch.set_grad_enabled(subject.model.linear_weight is None):
        output = subject.model(batch.images)
        classes = torch.full((len(batch),), column, device=subject.device)
        maps = classifier_attention(subject.model, output, classes).detach()
    size = batch.images.shape[-1]
    wide = scale_maps(upsample_maps(maps, (size, size))).double().cpu().numpy().clip(0, 1)
    regions = regions_of(batch, column).cpu().numpy()
    ious = np.zeros((len(batch), len(THRESHOLDS)))
    for row, (attention, region, sample) in enumerate(zip(wide, regions, shown, strict=True)):
        ious[row] = box_ious(attention, component_boxes(region))
        if sample.regions[name].form == "mask":
            pool.add(attention, region, _known(sample, size))
    return ious, (output.scores.argmax(dim=1) == column).cpu().numpy()


def _known(sample: Sample, size: int) -> NDArray[np.bool_]:
    """Return (S, S), False where the image's masks leave a pixel undecided."""
    if sample.void is None:
        return np.ones((size, size), bool)
    void = tv_tensors.Mask(torch.from_numpy(sample.void.load())[None])
    known: NDArray[np.bool_] = ~v2.functional.resize(void, [size, size])[0].numpy()
    return known
