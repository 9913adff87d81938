"""How well segmenters draw: IoU by class, and a few images with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasaudit.report.drawing.masks import VOID_COLOUR, colour_of, mask_uri
from biasaudit.report.drawing.pictures import photo_uri
from biasaudit.report.format import NAME_LENGTH, Estimate, clean, figure, images_told, percent
from biasaudit.report.grouping import run_labels
from biasaudit.results import Audit, IouFigures, Segmentation, SegmentationFigures
from biasaudit.results.examples import VOID

PICTURED = 8
"""Images that are shown at most."""
MEAN = "mean"
_LEAST = 0.005
"""Classes that fill less of an image are not told to those who do not see it."""


@dataclass(frozen=True)
class IouColumn:
    """One segmenter on one subset, with or without the CRF.

    Attributes:
        label: The segmenter; the subset and the dataset where these differ between columns.
        way: ``network`` or ``with CRF``.
        mean: Over the classes.
        iou: By class.
    """

    label: str
    way: str
    mean: Estimate
    iou: Mapping[str, Estimate]


@dataclass(frozen=True)
class Layer:
    """A mask over an image.

    Attributes:
        label: Whose it is.
        uri: The mask as a data URI; empty for the image alone.
        told: What it shows, in words.
    """

    label: str
    uri: str
    told: str


@dataclass(frozen=True)
class Picture:
    """One image with its truth and the masks of every segmenter that has it.

    Attributes:
        number: Counts from 1; part of the anchor.
        id: The sample's.
        photo: The image as a data URI.
        size: Its side in px.
        layers: The image alone, the truth, then the masks.
        border: Nothing: the masks are filled.
    """

    number: int
    id: str
    photo: str
    size: int
    layers: tuple[Layer, ...]
    border: str = ""


@dataclass(frozen=True)
class SegmentationPage:
    """The section on segmentation.

    Attributes:
        sentences: What the figures say, one a segmenter and subset.
        columns: The table's.
        rows: Name and figures of each line: the mean, then background and classes.
        about: How to read the table.
        pictures: Images with their masks.
        legend: Name and colour of each class that they show.
    """

    sentences: tuple[str, ...]
    columns: tuple[IouColumn, ...]
    rows: tuple[tuple[str, tuple[Estimate, ...]], ...]
    about: str
    pictures: tuple[Picture, ...]
    legend: tuple[tuple[str, str], ...]


def segmentation_page(
    found: Sequence[Segmentation], runs: Sequence[Audit] = ()
) -> SegmentationPage | None:
    """Return what was measured of segmenters; None where there is none.

    Args:
        found: The segmenters.
        runs: The audits of the same report; sentences call them as its tables do.
    """
    measured = [(label, one) for label, seg in _labelled(found) for one in seg.record.figures]
    if not measured:
        return None
    columns = _columns(measured)
    names = list(dict.fromkeys(name for column in columns for name in column.iou))
    rows = [(MEAN, tuple(column.mean for column in columns))]
    rows += [
        (
            clean(name, NAME_LENGTH),
            tuple(column.iou.get(name, Estimate(None)) for column in columns),
        )
        for name in names
    ]
    classes = list(dict.fromkeys(name for seg in found for name in seg.record.classes))
    pictures, shown = _pictures(found, classes)
    places = sorted(value - 1 for value in shown - {0, VOID})
    legend = [(clean(classes[c], NAME_LENGTH), colour_of(c, len(classes))) for c in places]
    legend += [("undecided", VOID_COLOUR)] if VOID in shown else []
    return SegmentationPage(
        tuple(_sentence(label, seg, _origin(seg, runs)) for label, seg in _labelled(found)),
        tuple(columns),
        tuple(rows),
        "Intersection over union of drawn and true pixels over the whole subset, from 0 to 1; "
        "brackets: 95% intervals by the bootstrap over images. A class that is neither there nor "
        "drawn, or known as boxes alone, has none, and the mean leaves it out.",
        pictures,
        tuple(legend),
    )


def _labelled(found: Sequence[Segmentation]) -> list[tuple[str, Segmentation]]:
    """Return each segmenter with a name; no two are the same."""
    names = [clean(one.record.name, NAME_LENGTH) for one in found]
    labels = [
        name if names.count(name) == 1 else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]
    return list(zip(labels, found, strict=True))


def _columns(measured: Sequence[tuple[str, SegmentationFigures]]) -> list[IouColumn]:
    """Return the columns of each segmenter and subset; no two of other images are called alike."""
    datasets = {one.dataset for _, one in measured}
    subsets = {one.measured_on for _, one in measured}
    columns = []
    for label, one in measured:
        parts = [label]
        parts += [clean(one.subset, NAME_LENGTH)] if len(subsets) > 1 else []
        parts += [clean(one.dataset, NAME_LENGTH)] if len(datasets) > 1 else []
        columns += _ways(", ".join(parts), one)
    return columns


def _ways(called: str, one: SegmentationFigures) -> list[IouColumn]:
    """Return the column of the network alone, and that with the CRF where it was measured."""
    ways = [("network", one.without_crf)]
    ways += [("with CRF", one.with_crf)] if one.with_crf is not None else []
    return [
        IouColumn(
            called,
            way,
            _mean(scores, one.n),
            {
                name: Estimate.of(value, scores.iou_ci.get(name), one.n)
                for name, value in scores.iou.items()
            },
        )
        for way, scores in ways
    ]


def _mean(scores: IouFigures, n: int) -> Estimate:
    return Estimate.of(scores.mean_iou, scores.mean_iou_ci, n)


def _origin(found: Segmentation, runs: Sequence[Audit]) -> str:
    """Return what the report calls the run whose attention gave the cues; "" where nobody says."""
    digests = [audit.run.weights_sha256 for audit in runs]
    labels = dict(zip(digests, run_labels(runs), strict=True))
    run = found.record.run
    own = clean(str(run["name"]), NAME_LENGTH) if run.get("name") else ""
    return labels.get(str(run.get("weights")), own)


def _sentence(label: str, found: Segmentation, origin: str) -> str:
    """Say what each subset of a segmenter came to."""
    made = f", from the attention of {origin}" if origin else ""
    told: list[str] = []
    for one in found.record.figures:
        network = figure(_mean(one.without_crf, one.n), "auroc")
        both = network
        if one.with_crf is not None:
            crf = figure(_mean(one.with_crf, one.n), "auroc")
            both = f"{crf} with the CRF, {network} without it,"
        left = one.n_without_masks
        lost = f"; {left} left out, which show a class without its region" if left else ""
        place = f"{clean(one.subset, NAME_LENGTH)} of {clean(one.dataset, NAME_LENGTH)}"
        mean = "Mean IoU" if told else "mean IoU"
        told.append(f"{mean} {both} on {images_told(one.n)} of {place}{lost}")
    return f"{label}{made}: {'. '.join(told)}."


def _pictures(
    found: Sequence[Segmentation], classes: Sequence[str]
) -> tuple[tuple[Picture, ...], set[int]]:
    """Return images with their masks, and the values in them: c + 1 the class c of ``classes``."""
    photos: dict[tuple[str, str, str], NDArray[np.uint8]] = {}
    layers: dict[tuple[str, str, str], list[Layer]] = {}
    shown: set[int] = set()
    for label, one in _labelled(found):
        if one.examples is None:
            continue
        of = next(figures for figures in one.record.figures if figures.examples_sha256)
        palette = _palette(one.record.classes, classes)
        for place, name in enumerate(one.examples.ids.tolist()):
            key = (of.dataset, of.subset, name)
            if key not in photos and len(photos) == PICTURED:
                continue
            truth, mask = palette[one.examples.truths[place]], palette[one.examples.masks[place]]
            if key not in photos:
                photos[key] = one.examples.images[place]
                layers[key] = [Layer("image", "", clean(name)), _layer("truth", truth, classes)]
            layers[key].append(_layer(label, mask, classes))
            shown |= set(np.unique([truth, mask]).tolist())
    pictures = tuple(
        Picture(number, clean(key[2]), photo_uri(photo), photo.shape[0], tuple(layers[key]))
        for number, (key, photo) in enumerate(photos.items(), 1)
    )
    return pictures, shown


def _palette(own: Sequence[str], classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return (256,) the value that each value of a segmenter's masks has among all classes."""
    palette = np.full(256, VOID, np.uint8)
    palette[0] = 0
    for value, name in enumerate(own, 1):
        palette[value] = min(classes.index(name) + 1, VOID - 1)
    return palette


def _layer(label: str, mask: NDArray[np.uint8], classes: Sequence[str]) -> Layer:
    shares = {int(c): float((mask == c).mean()) for c in np.unique(mask)}
    told = [
        f"{'undecided' if c == VOID else clean(classes[c - 1], NAME_LENGTH)} {percent(share)}"
        for c, share in shares.items()
        if c and share >= _LEAST
    ]
    return Layer(label, mask_uri(mask, len(classes)), ", ".join(told) or "background alone")
