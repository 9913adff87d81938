"""The images whose regions somebody is to draw, as a list to hand to annotators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from biasaudit.data.annotation.labels import label_order
from biasaudit.data.sample import Sample
from biasaudit.errors import DataError, named_field
from biasaudit.inputs.tables import csv_text


class ToDraw(NamedTuple):
    """One row of the list.

    Attributes:
        order: From 1; the first N rows of an object are those that N pixel labels stand for.
        image: The sample's id: for files, the path relative to the images.
        object: Whose region.
        has: What there is already: ``mask``, ``box`` or ``none``.
        source: Where the image comes from; empty where the dataset does not say.
    """

    order: int
    image: str
    object: str
    has: str
    source: str


def label_list(samples: Sequence[Sample], object: str, count: int, seed: int = 0) -> list[ToDraw]:
    """Return the images that ``count`` pixel labels of an object stand for, in order.

    They are the ones that training takes with this seed, as long as it finds regions enough;
    images without a region follow. A shorter list lies within a longer one.

    Args:
        samples: The training subset.
        object: An object class.
        count: 1 or more.
        seed: 0 or more.

    Raises:
        DataError: Fewer images show the object.
    """
    ordered = label_order(samples, object, seed)
    if count > len(ordered):
        raise DataError(
            f"{named_field('data.pixel_labels', count)}: only {len(ordered)} training images "
            f"show '{object}'",
            f"ask for {len(ordered)} at most",
        )
    return [
        ToDraw(number, sample.id, object, _has(sample, object), sample.source)
        for number, sample in enumerate(ordered[:count], 1)
    ]


def _has(sample: Sample, object: str) -> str:
    region = sample.regions.get(object)
    return "none" if region is None or not region.area_fraction else region.form


def as_csv(rows: Sequence[ToDraw]) -> str:
    """Return the list as CSV with a header."""
    return csv_text(ToDraw._fields, rows)


def told(rows: Sequence[ToDraw]) -> str:
    """Return what there is already in words: ``78 images of 'boat': 25 with a mask, ...``."""
    counts = Counter(row.has for row in rows)
    words = {"mask": "with a mask", "box": "with a box", "none": "without a region"}
    parts = ", ".join(f"{counts[has]} {word}" for has, word in words.items() if counts[has])
    return f"{len(rows)} images of '{rows[0].object}': {parts}"
