"""Images whose masks lie in files beside them, as ``folder`` and ``manifest`` have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from biasaudit.data.annotation.boxes import Box, box_region
from biasaudit.data.checks.faults import NO_CLASS, WRONG_SIZE, Complain
from biasaudit.data.formats.label_maps import LabelCounts, Part, count_all, mask_region
from biasaudit.data.loading.images import ImageFile
from biasaudit.data.sample import Region, Sample
from biasaudit.errors import DataError
from biasaudit.inputs.places import Place

MaskValues = dict[str, Annotated[int, Field(ge=1, le=65535)]]
"""``[mask_values]`` of ``dataset.toml``: the value that each name has in an indexed mask."""


@dataclass
class Found:
    """What is known of one image before its masks are read.

    Attributes:
        id: The sample's id.
        file: The image.
        labels: The object classes that are present.
        contexts: The contexts that are present, masks aside.
        annotated: The contexts that were looked for, masks aside.
        masks: Label maps; with the class of a binary mask, None for an indexed one.
        boxes: Boxes of each class.
        source: Where the image comes from, if the dataset says so.
    """

    id: str
    file: Place
    labels: frozenset[str]
    contexts: frozenset[str] = frozenset()
    masks: list[tuple[Place, str | None]] = field(default_factory=list)
    boxes: dict[str, list[Box]] = field(default_factory=dict)
    source: str = ""
    annotated: frozenset[str] = frozenset()


def join(
    found: Sequence[Found], values: Mapping[str, int], classes: Sequence[str], complain: Complain
) -> list[Sample]:
    """Read the masks of images and join what they say with the rest.

    A name in ``values`` that is no class is a context, and it is present where a mask holds it. An
    image with an indexed mask is annotated for all of these contexts, one without for none.
    An object's region without the object's label is left out. Classes without a mask have their
    boxes as region.

    Args:
        found: The images.
        values: Value of each name in indexed masks.
        classes: The object classes.
        complain: Told of a mask that is faulty or holds an object without its label.
    """
    counts = count_all((path for one in found for path, _ in one.masks), complain)
    return [_sample(one, values, frozenset(classes), counts, complain) for one in found]


def _sample(
    one: Found,
    values: Mapping[str, int],
    classes: frozenset[str],
    counts: Mapping[Place, LabelCounts],
    complain: Complain,
) -> Sample:
    masks = _of_one_size(
        [(path, name) for path, name in one.masks if path in counts], counts, complain
    )
    size = counts[masks[0][0]].size if masks else None
    regions = _regions(masks, values, counts)
    for name in sorted((set(regions) & classes) - one.labels):
        where = ", ".join(str(path) for path, of in masks if of in (None, name))
        complain(NO_CLASS, DataError(f"{where}: holds '{name}', which '{one.id}' is not said to"))
        del regions[name]
    for name, boxes in one.boxes.items():
        if name not in regions and not any(of == name for _, of in masks):
            regions[name] = box_region(boxes, one.file, size)
    mapped = any(of is None for _, of in masks)
    contexts = one.contexts | (set(regions) - classes)
    return Sample(
        id=one.id,
        labels=one.labels,
        contexts=contexts,
        load_image=ImageFile(one.file, size),
        regions=regions,
        source=one.source,
        annotated=one.annotated | contexts | ((set(values) - classes) if mapped else set()),
    )


def _of_one_size(
    masks: Sequence[tuple[Place, str | None]],
    counts: Mapping[Place, LabelCounts],
    complain: Complain,
) -> list[tuple[Place, str | None]]:
    """Return the masks that have the size of the first."""
    fitting = []
    for path, name in masks:
        size, expected = counts[path].size, counts[masks[0][0]].size
        if size == expected:
            fitting.append((path, name))
        else:
            complain(
                WRONG_SIZE,
                DataError(
                    f"{path}: the mask is {size[0]}x{size[1]} pixels, another of the same image "
                    f"{expected[0]}x{expected[1]}"
                ),
            )
    return fitting


def _regions(
    masks: Sequence[tuple[Place, str | None]],
    values: Mapping[str, int],
    counts: Mapping[Place, LabelCounts],
) -> dict[str, Region]:
    parts: dict[str, list[Part]] = {}
    for path, name in masks:
        named = {name: None} if name is not None else values
        for label, value in named.items():
            parts.setdefault(label, []).append(Part(path, value))
    found = {name: mask_region(given, counts) for name, given in parts.items()}
    return {name: region for name, region in found.items() if region is not None}
