"""Mean IoU of a segmenter, or of cues, on images that have masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from biasaudit.data.sample import Sample
from biasaudit.errors import DataError
from biasaudit.segmentation.cues import painted
from biasaudit.segmentation.metrics import VOID, LabelMap, class_ious, confusion, mean_iou
from biasaudit.segmentation.segmenter import Segmenter

BACKGROUND = "background"


@dataclass(frozen=True)
class Scores:
    """Intersection over union over a whole set.

    Attributes:
        mean_iou: Over the classes that have one; None where none has.
        iou: By class, background first; None where a class is neither there nor answered.
    """

    mean_iou: float | None
    iou: dict[str, float | None]


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
    """

    name: str
    run: dict[str, Any]
    subset: str
    n: int
    n_without_masks: int
    without_crf: Scores
    with_crf: Scores | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


def truth_of(sample: Sample, classes: Sequence[str]) -> LabelMap | None:
    """Return the (H, W) truth of an image: 0 background, c + 1 class c, 255 not decided.

    Where two regions overlap, the smaller one wins. Void pixels are not decided, nor, inside a
    region that is known as a box alone, those that no mask claims.

    Returns:
        None where a present class has no region.
    """
    if any(name in sample.labels and name not in sample.regions for name in classes):
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


def scores_of(counts: np.ndarray, classes: Sequence[str]) -> Scores:
    """Return the scores of a confusion matrix, background first."""
    ious = [None if np.isnan(value) else float(value) for value in class_ious(counts)]
    mean = mean_iou(counts)
    named = dict(zip((BACKGROUND, *classes), ious, strict=True))
    return Scores(None if np.isnan(mean) else mean, named)


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
        DataError: No image has the regions of all classes that it shows.
    """
    classes = segmenter.classes
    ways = (False, True) if crf else (False,)
    size = len(classes) + 1
    counts = {way: np.zeros((size, size), np.int64) for way in ways}
    missing = 0
    for done, sample in enumerate(samples, 1):
        truth = truth_of(sample, classes)
        if truth is None:
            missing += 1
        else:
            image = sample.load_image()
            for way in ways:
                counts[way] += confusion(truth, segmenter.mask(image, crf=way), size)
        tell(done, len(samples))
    if missing == len(samples):
        raise DataError(
            f"subset '{subset}': no image has the regions of all classes that it shows",
            "name a subset whose images have masks",
        )
    return SegmentationResult(
        name=segmenter.name,
        run=dict(segmenter.run),
        subset=subset,
        n=len(samples) - missing,
        n_without_masks=missing,
        without_crf=scores_of(counts[False], classes),
        with_crf=scores_of(counts[True], classes) if crf else None,
    )
