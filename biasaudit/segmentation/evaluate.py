"""Mean IoU of a segmenter, or of cues, on images that have masks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import PIL.Image

from biasaudit.data.sample import Image, Sample
from biasaudit.errors import DataError
from biasaudit.results import Examples, SegmentationFigures, SegmentationFile
from biasaudit.segmentation.cues import painted
from biasaudit.segmentation.metrics import (
    VOID,
    LabelMap,
    class_ious,
    confusion,
    iou_intervals,
    mean_iou,
    right_and_either,
)
from biasaudit.segmentation.segmenter import Segmenter
from biasaudit.statistics import Interval

BACKGROUND = "background"
EXAMPLES = 6
"""Images that a report shows of a subset."""
SIDE = 112
"""Pixels a side of their pictures."""


@dataclass(frozen=True)
class Scores:
    """Intersection over union over a whole set.

    Attributes:
        mean_iou: Over the classes that have one; None where none has.
        iou: By class, background first; None where a class is neither there nor answered, or known
            as boxes alone.
        mean_iou_ci: 95% interval over images, by the bootstrap; None where it does not exist.
        iou_ci: By class, likewise; without the classes that have none.
    """

    mean_iou: float | None
    iou: dict[str, float | None]
    mean_iou_ci: Interval | None = None
    iou_ci: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class SegmentationResult:
    """How well a segmenter draws a subset.

    Attributes:
        name: The segmenter's.
        run: Whose attention gave the cues.
        subset: Which images.
        n: Images measured.
        n_without_masks: Images left out: they show a class whose region is not known.
        without_crf: Of the network alone.
        with_crf: After the dense CRF; None where it was not asked for.
        examples: A few of the images that show a class, from the whole subset at even distances.
    """

    name: str
    run: dict[str, Any]
    subset: str
    n: int
    n_without_masks: int
    without_crf: Scores
    with_crf: Scores | None
    examples: Examples

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values, as JSON takes them."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        del told["examples"]
        parts = {name: asdict(one) for name, one in told.items() if isinstance(one, Scores)}
        return {**told, **parts}


def has_truth(sample: Sample, classes: Sequence[str]) -> bool:
    """Return whether every class that an image shows has its region."""
    return not any(name in sample.labels and name not in sample.regions for name in classes)


def truth_of(sample: Sample, classes: Sequence[str]) -> LabelMap | None:
    """Return the (H, W) truth of an image: 0 background, c + 1 class c, 255 not decided.

    Where two regions overlap, the smaller one wins. Void pixels are not decided, nor, inside a
    region that is known as a box alone, those that no mask claims.

    Returns:
        None where a present class has no region.
    """
    if not has_truth(sample, classes):
        return None
    masks, boxes = {}, []
    for place, name in enumerate(classes, 1):
        if name in sample.labels:
            region = sample.regions[name]
            if region.form == "mask":
                masks[place] = region.load()
            else:
                boxes.append(region.load())
    void = [sample.void.load()] if sample.void is not None else []
    known = [*masks.values(), *boxes, *void]
    shape = known[0].shape if known else sample.load_image().shape
    truth = painted(masks, (shape[0], shape[1]), ground=0)
    for undecided in (*boxes, *void):
        truth[undecided & (truth == 0)] = VOID
    return truth


class _Counted:
    """Confusion of a set of images: their sum, and of each image what its IoU is made of."""

    def __init__(self, size: int) -> None:
        self.whole = np.zeros((size, size), np.int64)
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, counts: np.ndarray) -> None:
        self.whole += counts
        self.parts.append(right_and_either(counts))


def scores_of(counted: _Counted, classes: Sequence[str], boxed: Collection[str]) -> Scores:
    """Return the scores of a set of images, background first.

    Args:
        counted: The images.
        classes: Of the segmenter.
        boxed: Those that are known as boxes alone: they can be drawn wrongly and never rightly, and
            have no IoU.
    """
    names = (BACKGROUND, *classes)
    without = np.array([name in boxed for name in names])
    found = np.where(without, np.nan, class_ious(counted.whole))
    mean, *ious = (None if np.isnan(v) else float(v) for v in (mean_iou(found), *found))
    right, either = (np.stack(part) for part in zip(*counted.parts, strict=True))
    either[:, without] = 0
    of_mean, of_classes = iou_intervals(right, either)
    return Scores(
        mean,
        dict(zip(names, ious, strict=True)),
        None if np.isnan(of_mean[0]) else of_mean,
        {
            name: interval
            for name, interval in zip(names, of_classes, strict=True)
            if not np.isnan(interval[0])
        },
    )


def evaluate_segmenter(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    subset: str,
    *,
    crf: bool = True,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> SegmentationResult:
    """Measure a segmenter on the images whose regions are known.

    Args:
        segmenter: What is measured.
        samples: The images.
        subset: What they are called.
        crf: Whether to measure with the CRF too.
        tell: Called with the images done and their total.

    Raises:
        DataError: No image has the regions of all classes that it shows, or none a mask.
    """
    classes = segmenter.classes
    boxed = _boxed(samples, subset, classes)
    ways = (False, True) if crf else (False,)
    size = len(classes) + 1
    counts = {way: _Counted(size) for way in ways}
    chosen, shown = _examples_of(samples, classes), []
    for done, sample in enumerate(samples, 1):
        truth = truth_of(sample, classes)
        if truth is not None:
            image = sample.load_image()
            for way in ways:
                mask = segmenter.mask(image, crf=way)
                counts[way].add(confusion(truth, mask, size))
            if done - 1 in chosen:
                shown.append((sample.id, image, mask, truth))
        tell(done, len(samples))
    n = len(counts[False].parts)
    return SegmentationResult(
        name=segmenter.name,
        run=dict(segmenter.run),
        subset=subset,
        n=n,
        n_without_masks=len(samples) - n,
        without_crf=scores_of(counts[False], classes, boxed),
        with_crf=scores_of(counts[True], classes, boxed) if crf else None,
        examples=_drawn(shown),
    )


def _boxed(samples: Sequence[Sample], subset: str, classes: Sequence[str]) -> set[str]:
    """Return the classes that the images to be measured show, and have no mask of.

    Raises:
        DataError: No image can be measured, or none has a mask.
    """
    measured = [sample for sample in samples if has_truth(sample, classes)]
    shown = [
        (name, sample.regions[name].form == "mask")
        for sample in measured
        for name in sample.labels.intersection(classes)
    ]
    masked = {name for name, mask in shown if mask}
    if not masked:
        lacking = "a mask of a class" if measured else "the regions of all classes that it shows"
        raise DataError(
            f"subset '{subset}': no image has {lacking}", "name a subset whose images have masks"
        )
    return {name for name, _ in shown} - masked


def _examples_of(samples: Sequence[Sample], classes: Sequence[str]) -> set[int]:
    """Choose images that show a class, at even distances: neither the best nor the worst."""
    known = set(classes)
    showing = [
        place
        for place, sample in enumerate(samples)
        if known & sample.labels and has_truth(sample, classes)
    ]
    places = np.linspace(0, len(showing) - 1, min(EXAMPLES, len(showing)))
    return {showing[place] for place in places.round().astype(int)}


def _drawn(shown: Sequence[tuple[str, Image, LabelMap, LabelMap]]) -> Examples:
    """Return examples as small squares; a label map is sampled, for labels have no mean."""

    def squares(arrays: Sequence[np.ndarray], how: PIL.Image.Resampling) -> np.ndarray:
        small = [PIL.Image.fromarray(one).resize((SIDE, SIDE), how) for one in arrays]
        return np.array([np.asarray(one) for one in small], np.uint8)

    if not shown:
        empty = np.zeros((0, SIDE, SIDE), np.uint8)
        return Examples(np.zeros(0, np.str_), empty[..., None].repeat(3, axis=3), empty, empty)
    ids, images, masks, truths = zip(*shown, strict=True)
    return Examples(
        np.array(ids, dtype=np.str_),
        squares(images, PIL.Image.Resampling.BILINEAR),
        squares(masks, PIL.Image.Resampling.NEAREST),
        squares(truths, PIL.Image.Resampling.NEAREST),
    )


def figures_of(
    result: SegmentationResult, dataset: str, classes: Sequence[str], weights_sha256: str
) -> SegmentationFile:
    """Return a result as the record that stands beside a segmenter.

    Args:
        result: Of one subset.
        dataset: Its name.
        classes: Of the segmenter.
        weights_sha256: Of its network.
    """
    told = result.to_dict()
    name, run = told.pop("name"), told.pop("run")
    found = SegmentationFigures(dataset=dataset, **told)
    return SegmentationFile(
        name=name,
        run=run,
        classes=list(classes),
        weights_sha256=weights_sha256,
        figures=[found],
    )
