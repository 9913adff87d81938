"""Cues: pixels that attention alone names, as a label map with most pixels undecided.

Source: Kolesnikov and Lampert, ECCV 2016, section 3.1: of each present class the pixels above 20%
of its map's maximum; the smaller of two regions wins where they overlap. Background is the least
attended tenth of the image, in place of the saliency method of the authors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biasaudit.attention.classifier import classifier_attention
from biasaudit.attention.mask import scale_maps, upsample_maps
from biasaudit.data.loading.batches import Batch
from biasaudit.data.sample import Sample
from biasaudit.evaluation.predict import Subject, batches
from biasaudit.models.classifier import Classifier
from biasaudit.segmentation.metrics import VOID, LabelMap


@dataclass(frozen=True)
class CueRule:
    """Which pixels are cues.

    Attributes:
        threshold: Share of a map's maximum above which its pixels are of the class, in [0, 1).
        background: Share of the image that is background: the least attended, in [0, 1].
    """

    threshold: float = 0.2
    background: float = 0.1


def class_maps(model: Classifier, batch: Batch) -> Tensor:
    """Return the attention of each present class, (N, C, h, w), each with a maximum of 1.

    Args:
        model: In evaluation mode.
        batch: On the model's device.

    Returns:
        Absent classes, and maps that are zero everywhere, are zero.
    """
    rows, classes = batch.labels.gt(0.5).nonzero(as_tuple=True)
    with torch.set_grad_enabled(model.linear_weight is None):
        output = model(batch.images)
        found = classifier_attention(model, output, classes, rows).detach()
    maps = found.new_zeros(*batch.labels.shape, *found.shape[1:])
    maps[rows, classes] = scale_maps(found)
    return maps


def cue_map(maps: Tensor, present: Tensor, size: tuple[int, int], rule: CueRule) -> LabelMap:
    """Return the cues of one image.

    Args:
        maps: (C, h, w) attention of each class, each with a maximum of 1 (or zero everywhere).
        present: (C,) whether the class is there.
        size: (H, W) of the answer; maps are up-sampled bilinearly.
        rule: Which pixels are cues.

    Returns:
        (H, W): class c as c + 1, background 0, :data:`VOID` where nothing is known. Where no
        class is present, all is background; where classes are and no map is above zero, nothing is
        known. Pixels as little attended as the last one of the
        background's share are background too; a pixel of a class never is.
    """
    chosen = present.nonzero().flatten().tolist()
    if not chosen:
        return np.zeros(size, np.uint8)
    wide = upsample_maps(maps[chosen], size)
    regions = {c + 1: (w > rule.threshold).cpu().numpy() for c, w in zip(chosen, wide, strict=True)}
    answer = painted(regions, size)
    most = wide.amax(dim=0).cpu().numpy()
    count = round(rule.background * most.size)
    if count and most.max() > 0:
        limit = np.partition(most.ravel(), count - 1)[count - 1]
        answer[(most <= limit) & (answer == VOID)] = 0
    return answer


def painted(
    regions: dict[int, NDArray[np.bool_]], size: tuple[int, int], ground: int = VOID
) -> LabelMap:
    """Return regions as a label map; where two overlap, the smaller one wins.

    Args:
        regions: (H, W) by the value that its pixels get; of two equally small ones the lower
            value wins.
        size: (H, W).
        ground: Value of all other pixels.
    """
    answer = np.full(size, ground, np.uint8)
    for value in sorted(regions, key=lambda v: (-int(regions[v].sum()), -v)):
        answer[regions[value]] = value
    return answer


def cues_of(
    subject: Subject,
    samples: Sequence[Sample],
    rule: CueRule,
    size: tuple[int, int] | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> Iterator[LabelMap]:
    """Yield the cues of each sample, by its image-level labels.

    Args:
        subject: The classifier whose attention is read.
        samples: The images.
        rule: Which pixels are cues.
        size: (H, W) of each answer; the image's own where None.
        tell: Called with the number of images just done.
    """
    for batch in batches(subject, samples, ()):
        maps = class_maps(subject.model, batch.to(subject.device))
        present = batch.labels.gt(0.5)
        for row, index in enumerate(batch.indices.tolist()):
            own = size or samples[index].load_image().shape[:2]
            yield cue_map(maps[row], present[row], (own[0], own[1]), rule)
        tell(len(batch))
