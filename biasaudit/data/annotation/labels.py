"""Which training images give the regions of which classes, chosen by seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from biasaudit.data.annotation.outlines import outline
from biasaudit.data.sample import Mask, Sample
from biasaudit.errors import ConfigError, DataError, named_field

LabelForm = Literal["mask", "box", "outline"]
"""How an image gives a region: as it was drawn, as a filled box, or as what a box holds."""
LabelUnit = Literal["class", "image"]
"""What a number of labels counts: images of each class, or images that give all their classes."""


class LabelEntry(NamedTuple):
    """One image that gives the region of one class, and in which form."""

    id: str
    form: LabelForm
    object: str


@dataclass(frozen=True)
class LabelChoice:
    """The images that give a region, and in which form.

    Attributes:
        objects: Whose regions.
        seed: What the choice was drawn with.
        pixel_labels: How many pixel labels of each object were asked for: its first entries.
        box_labels: How many boxes of each object were asked for: its entries after them.
        entries: Object by object, or image by image, in the order drawn.
        by: Whether the numbers are of each object (``class``), or images in all, each of which
            gives the regions of every object that it shows (``image``).
    """

    objects: tuple[str, ...]
    seed: int
    pixel_labels: int = 0
    box_labels: int = 0
    entries: tuple[LabelEntry, ...] = ()
    by: LabelUnit = "class"

    def of_pixel_labels(self) -> list[LabelEntry]:
        """Return the entries that were asked for as pixel labels, boxes that stand in included."""
        units: dict[str, list[str]] = {}
        for entry in self.entries:
            drawn = units.setdefault(entry.object if self.by == "class" else "", [])
            if entry.id not in drawn:
                drawn.append(entry.id)
        first = {unit: set(drawn[: self.pixel_labels]) for unit, drawn in units.items()}
        return [e for e in self.entries if e.id in first[e.object if self.by == "class" else ""]]

    def counts_by_form(self) -> dict[str, int]:
        """Return how many entries are of each form that occurs: ``{"mask": 25, "outline": 53}``."""
        counts = Counter(entry.form for entry in self.entries)
        return {form: counts[form] for form in get_args(LabelForm) if counts[form]}

    def by_image(self) -> dict[str, dict[str, LabelForm]]:
        """Return by sample id the classes whose region it gives, and in which form."""
        forms: dict[str, dict[str, LabelForm]] = {}
        for entry in self.entries:
            forms.setdefault(entry.id, {})[entry.object] = entry.form
        return forms

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as JSON takes it; what they count only where that is images."""
        return {
            "objects": list(self.objects),
            "seed": self.seed,
            "pixel_labels": self.pixel_labels,
            "box_labels": self.box_labels,
            "entries": [entry._asdict() for entry in self.entries],
            **({"by": self.by} if self.by == "image" else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LabelChoice:
        """Read what :meth:`to_dict` gave."""
        return cls(
            tuple(data["objects"]),
            data["seed"],
            data["pixel_labels"],
            data["box_labels"],
            tuple(LabelEntry(e["id"], e["form"], e["object"]) for e in data["entries"]),
            data.get("by", "class"),
        )


def choose_labels(
    samples: Sequence[Sample],
    objects: Sequence[str],
    pixel_labels: int = 0,
    box_labels: int = 0,
    seed: int = 0,
    *,
    outlines: bool = True,
    by: LabelUnit = "class",
) -> LabelChoice:
    """Choose the training images that give the regions of ``objects``, so many of each object.

    Pixel labels come from images with a pixel mask first, in an order drawn by ``seed``; where
    more are asked for, images known by boxes alone stand in, by the outline of what the box
    holds, and their entries say so. Box labels come from all images left over, masks and boxes
    alike, and give the box only. Where samples name their source, each source gives its share of
    the masks, of the stand-ins and of the box labels: of 30 and 10 images, the first 8 are 6 and
    2. One seed gives one order, whatever the numbers and the order of ``samples``: a smaller
    choice lies within a larger one. Objects are chosen for independently: an image that shows two
    of them may give the region of the one and not of the other; ``by`` ``image``, so many images
    in all give the regions of every object that they show and have a region of.

    Args:
        samples: The training subset.
        objects: The guided classes.
        pixel_labels: How many images give the region of each, or of all.
        box_labels: How many more give a bounding box of each, or of all.
        seed: 0 or more.
        outlines: Whether a box that stands in for a pixel label gives the outline of what it
            holds, cut out by the image; else all of it.
        by: What the numbers count.

    Raises:
        ConfigError: A number is negative.
        DataError: Fewer images have a region.
    """
    asked = {"data.pixel_labels": pixel_labels, "data.box_labels": box_labels}
    for field, number in asked.items():
        if number < 0:
            raise ConfigError(f"{named_field(field, number)}: a number of images is 0 or more")
    units = [tuple(objects)] if by == "image" else [(object,) for object in objects]
    entries: list[LabelEntry] = []
    for unit in units:
        entries += _choose(samples, unit, pixel_labels, box_labels, seed, outlines)
    return LabelChoice(tuple(objects), seed, pixel_labels, box_labels, tuple(entries), by)


def _choose(
    samples: Sequence[Sample],
    objects: Sequence[str],
    pixel_labels: int,
    box_labels: int,
    seed: int,
    outlines: bool,
) -> list[LabelEntry]:
    """Choose images, each of which gives the regions of all of ``objects`` that it has one of."""
    regions = {s.id: {o: s.regions[o].form for o in objects if _has_region(s, o)} for s in samples}
    having = {id: found for id, found in regions.items() if found}
    forms: dict[str, LabelForm] = {
        id: "mask" if "mask" in found.values() else "box" for id, found in having.items()
    }
    sources = {s.id: s.source for s in samples if s.id in having}
    _check_enough(forms, objects, pixel_labels, box_labels)
    pixels = _drawn(forms, sources, seed)[:pixel_labels]
    _, box_seed, source_seed, _ = _seeds(seed)
    left = [id for id in _shuffled(forms, box_seed) if id not in set(pixels)]
    left = _by_source(left, sources, source_seed)
    stand_in: LabelForm = "outline" if outlines else "box"
    entries = [
        LabelEntry(id, stand_in if form == "box" else form, object)
        for id in pixels
        for object, form in having[id].items()
    ]
    return entries + [LabelEntry(id, "box", o) for id in left[:box_labels] for o in having[id]]


def _drawn(forms: Mapping[str, LabelForm], sources: Mapping[str, str], seed: int) -> list[str]:
    """Return images in the order in which they give their regions: masks first, then boxes."""
    pixel_seed, _, source_seed, _ = _seeds(seed)
    shuffled = _shuffled(forms, pixel_seed)
    kinds = [[id for id in shuffled if forms[id] == form] for form in ("mask", "box")]
    return [id for kind in kinds for id in _by_source(kind, sources, source_seed)]


def label_order(samples: Sequence[Sample], object: str, seed: int = 0) -> list[Sample]:
    """Put the images of an object in the order in which their regions are given, or would be.

    Those with a mask come first, then those with a box, as :func:`choose_labels` takes them; then
    those without a region, which somebody would have to draw. Each kind in an order drawn by
    ``seed``, each source with its share.

    Args:
        samples: The training subset; images that do not show the object are left out.
        object: An object class.
        seed: 0 or more.
    """
    by_id = {s.id: s for s in samples if object in s.labels}
    sources = {id: s.source for id, s in by_id.items()}
    _, _, source_seed, undrawn_seed = _seeds(seed)
    forms: dict[str, LabelForm] = {
        id: s.regions[object].form for id, s in by_id.items() if _has_region(s, object)
    }
    undrawn = _shuffled([id for id in by_id if id not in forms], undrawn_seed)
    ordered = _drawn(forms, sources, seed) + _by_source(undrawn, sources, source_seed)
    return [by_id[id] for id in ordered]


def _seeds(seed: int) -> list[np.random.SeedSequence]:
    """Return the seeds of pixel labels, box labels, sources, and images without a region."""
    return np.random.SeedSequence(seed).spawn(4)


def _by_source(
    drawn: Sequence[str], sources: Mapping[str, str], seed: np.random.SeedSequence
) -> list[str]:
    """Reorder images so that however many come first, each source has its share of them.

    The images of a source lie evenly on a line from 0 to 1, behind a start of its own that is
    drawn, so that a source of one image is as likely to come early as any other image. Those of
    one source keep the order in which they were drawn.
    """
    counts = Counter(sources[id] for id in drawn)
    generator = np.random.default_rng(seed)
    start = {source: generator.random() for source in sorted(counts)}
    nth: Counter[str] = Counter()
    place = {}
    for id in drawn:
        source = sources[id]
        place[id] = (nth[source] + start[source]) / counts[source]
        nth[source] += 1
    return sorted(drawn, key=place.__getitem__)


def labelled_region(sample: Sample, object: str, form: LabelForm) -> Mask:
    """Load the region of a chosen image in the form it was chosen in.

    Returns:
        (H, W) bool at the image's own size: the mask; the outline of what its boxes hold; or its
        filled bounding box where a box was chosen of an image that has a mask.

    Raises:
        ConfigError: An outline is asked for, and OpenCV is not installed.
    """
    region = sample.regions[object]
    mask = region.load()
    if form == "outline":
        return outline(sample.load_image(), mask)
    if form == "mask" or region.form == "box":
        return mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.zeros_like(mask)
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


def _has_region(sample: Sample, object: str) -> bool:
    region = sample.regions.get(object)
    return object in sample.labels and region is not None and region.area_fraction > 0


def _shuffled(ids: Iterable[str], seed: np.random.SeedSequence) -> list[str]:
    names = sorted(ids)
    return [names[i] for i in np.random.default_rng(seed).permutation(len(names))]


def _check_enough(
    forms: Mapping[str, LabelForm], objects: Sequence[str], pixel_labels: int, box_labels: int
) -> None:
    of = f" of '{objects[0]}'" if len(objects) == 1 else ""
    masks = sum(form == "mask" for form in forms.values())
    has = (
        f"{len(forms)} training images{of} have a region "
        f"({masks} masks, {len(forms) - masks} boxes)"
    )
    if (pixel_labels or box_labels) and not forms:
        field, asked = next(
            (field, number)
            for field, number in (
                ("data.pixel_labels", pixel_labels),
                ("data.box_labels", box_labels),
            )
            if number
        )
        raise DataError(
            f"{named_field(field, asked)}: no training image{of} has a mask or a box",
            "draw some ('biasaudit data labels' lists which), or leave the labels out",
        )
    if pixel_labels > len(forms):
        raise DataError(
            f"{named_field('data.pixel_labels', pixel_labels)}: only {has}",
            f"ask for {len(forms)} at most",
        )
    left = len(forms) - pixel_labels
    if box_labels > left:
        raise DataError(
            f"{named_field('data.box_labels', box_labels)}: only {has}, "
            f"and {pixel_labels} give pixel labels",
            f"ask for {left} at most",
        )
