"""A contact sheet: the images of groups as one picture, their regions tinted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from biasaudit.data.sample import Image, Sample
from biasaudit.data.splits.split import Split
from biasaudit.errors import DataError, named_field, near_names

OBJECT, CONTEXT = (230, 97, 1), (20, 100, 220)
"""Tints of the object (orange) and of the context (blue), told apart by colour-blind eyes too."""
_STRENGTH = 0.45
_GAP, _TITLE, _CAPTION = 6, 24, 14
_PAPER, _INK = (255, 255, 255), (30, 30, 30)


@dataclass(frozen=True)
class Sheet:
    """How a contact sheet is laid out.

    Attributes:
        columns: Pictures in a row.
        side: Width and height in px that a picture fits into.
        count: Pictures of each group at most, the first ones.
    """

    columns: int = 6
    side: int = 180
    count: int = 24


def contact_sheet(
    split: Split,
    group: str | None = None,
    partners: Mapping[str, Sample] | None = None,
    sheet: Sheet | None = None,
) -> PIL.Image.Image:
    """Draw the images of a split, group by group.

    Args:
        split: What to show.
        group: Show this group only.
        partners: Samples by id; an edited image stands beside its partner.
        sheet: How it is laid out.

    Raises:
        DataError: No such group, or an image or a mask cannot be read.
    """
    sheet = sheet or Sheet()
    image_sets = split.image_sets
    if group is not None:
        if group not in image_sets:
            raise DataError(
                f"{named_field('group', group)}: '{split.name}' has no such group",
                near_names(group, image_sets),
            )
        image_sets = {group: image_sets[group]}
    parts = [
        _block(split, name, samples, partners or {}, sheet) for name, samples in image_sets.items()
    ]
    whole = PIL.Image.new("RGB", (parts[0].width, sum(p.height for p in parts)), _PAPER)
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def tinted(sample: Sample, object: str, context: str | None) -> Image:
    """Return a sample's image, the object's region tinted orange and the context's blue.

    Raises:
        DataError: The image or a mask cannot be read.
    """
    image = sample.load_image().astype(np.float32)
    for name, tint in ((context, CONTEXT), (object, OBJECT)):
        region = sample.regions.get(name) if name else None
        if region is not None:
            mask = region.load()
            image[mask] += _STRENGTH * (np.array(tint, dtype=np.float32) - image[mask])
    return image.round().astype(np.uint8)


def _block(
    split: Split,
    group: str,
    samples: Sequence[Sample],
    partners: Mapping[str, Sample],
    sheet: Sheet,
) -> PIL.Image.Image:
    """Draw one group: a title, then rows of pictures with their ids below."""
    shown: list[Sample] = []
    for sample in samples[: sheet.count]:
        partner = partners.get(sample.pair or "")
        shown += [partner] if partner else []
        shown.append(sample)
    step = sheet.side + _GAP
    rows = -(-len(shown) // sheet.columns)
    block = PIL.Image.new(
        "RGB", (sheet.columns * step + _GAP, _TITLE + rows * (step + _CAPTION) + _GAP), _PAPER
    )
    draw = PIL.ImageDraw.Draw(block)
    draw.text((_GAP, _GAP), _title(split, group, samples, sheet), _INK, _font(13))
    for number, sample in enumerate(shown):
        left = _GAP + number % sheet.columns * step
        top = _TITLE + number // sheet.columns * (step + _CAPTION)
        picture = PIL.Image.fromarray(tinted(sample, split.object, split.context))
        picture.thumbnail((sheet.side, sheet.side))
        block.paste(picture, (left, top))
        _caption(draw, (left, top + sheet.side), sample.id, sheet.side)
    return block


def _title(split: Split, group: str, samples: Sequence[Sample], sheet: Sheet) -> str:
    number = f"{len(samples)} images"
    if len(samples) > sheet.count:
        number = f"first {sheet.count} of {number}"
    tints = f"{split.object} orange" + (f", {split.context} blue" if split.context else "")
    return f"{split.name}: {group or 'all'}  ({number}; {tints})"


def _caption(draw: PIL.ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int) -> None:
    """Write a text, cut at its left until it fits: the end of a path tells images apart."""
    font, shown = _font(10), text
    while draw.textlength(shown, font) > width and len(shown) > 1:
        shown = "…" + shown[2:]
    draw.text(place, shown, _INK, font)


def _font(size: int) -> PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont:
    return PIL.ImageFont.load_default(size)
