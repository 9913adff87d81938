"""Cues: pixels that attention alone names, as a label map with most pixels undecided.

Where somebody has drawn the region of a class, it may stand in place of attention.

Source: Kolesnikov and Lampert, ECCV 2016, section 3.1: of each present class the pixels above 20%
of its map's maximum; the smaller of two regions wins where they overlap. Background is the least
attended tenth of the image, in place of the saliency method of the authors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from biasaudit.attention.classifier import classifier_attention
from biasaudit.attention.mask import scale_maps, upsample_maps
from biasaudit.data.annotation.labels import LabelForm, labelled_region
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


@dataclass(frozen=True)
class Known:
    """Where a class lies, as somebody has drawn it.

    Attributes:
        inside: (h, w), True inside.
        all_of_it: Whether all that lies inside is of the class; a filled box holds ground too.
    """

    inside: NDArray[np.bool_]
    all_of_it: bool = True


def with_regions(cues: LabelMap, regions: Mapping[int, Known], present: set[int]) -> LabelMap:
    """Return cues that agree with what was drawn.

    Args:
        cues: (h, w), of attention.
        regions: By the value of a class its region, all of that class in the image.
        present: Values of the classes that the image shows.

    Returns:
        (h, w): inside a region its class, where all that lies inside is; of two regions that
        overlap the smaller one has the pixel. Elsewhere the cues, but none of a class outside its
        own region; and where the regions of all classes present are known, all that lies outside
        of them is background.
    """
    answer = cues.copy()
    for value, region in regions.items():
        answer[(answer == value) & ~region.inside] = VOID
    if present <= set(regions):
        answer[~np.logical_or.reduce([r.inside for r in regions.values()])] = 0
    whole = {value: region.inside for value, region in regions.items() if region.all_of_it}
    drawn = painted(whole, (cues.shape[0], cues.shape[1]))
    return np.where(drawn == VOID, answer, drawn)


def cells_of(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which cells of a map a region fills by more than half.

    Args:
        mask: (H, W).
        size: (h, w) of the map.

    Returns:
        (h, w). Of a region that fills no cell by more than half, those that it fills most.
    """
    whole = torch.from_numpy(mask)[None, None].float()
    shares = functional.adaptive_avg_pool2d(whole, size)[0, 0].numpy()
    return (shares > 0.5) | ((shares == shares.max()) & mask.any() & ~(shares > 0.5).any())


def drawn_cues(
    cues: LabelMap, sample: Sample, forms: Mapping[str, LabelForm], classes: Sequence[str]
) -> LabelMap:
    """Return the cues of a sample of which some regions are known.

    Args:
        cues: (h, w), of attention.
        sample: The image.
        forms: By class, how its region is given; at least one of ``classes``.
        classes: Class c is value c + 1.

    Returns:
        As of :func:`with_regions`; pixels that the annotation leaves undecided are undecided.
    """
    size = (cues.shape[0], cues.shape[1])
    values = {name: place for place, name in enumerate(classes, 1)}
    known = {
        values[name]: Known(cells_of(labelled_region(sample, name, form), size), form != "box")
        for name, form in forms.items()
    }
    found = with_regions(cues, known, {values[n] for n in sample.labels if n in values})
    if sample.void is not None:
        undecided = cells_of(sample.void.load(), size)
        inside = np.logical_or.reduce([region.inside for region in known.values()])
        found[undecided & ~inside] = VOID
    return found


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
