"""Label maps as files: an indexed PNG an image, and one COCO file of all regions."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from biasaudit.data.loading.images import ImageFile
from biasaudit.data.sample import Dataset, Image, Sample
from biasaudit.errors import RunError, named_field
from biasaudit.results import write_atomic
from biasaudit.segmentation.metrics import VOID, LabelMap

MASKS, IMAGES = "masks", "images"
_UNFIT = re.compile(r'[<>:"\\|?*\x00-\x1f]')
"""What some systems take in no name of a file."""
_GREY = (224, 224, 192)
"""Colour of void in PASCAL VOC's masks."""


def export_masks(
    folder: Path, dataset: Dataset, subset: str, maps: Iterable[tuple[Sample, LabelMap]]
) -> Path:
    """Write label maps so that a person can correct them and a training read them.

    ``masks/SUBSET/ID.png`` has a class an index (0 background, 255 undecided) in the colours of
    PASCAL VOC; ``SUBSET.json`` is a COCO file with a region for each class of each image. A class
    or a context that is present without a region stays in it as an annotation without one, so
    that image-level labels survive. Images that no file of their own holds (made ones, members of
    archives, those behind URLs) are written to ``images/``.

    Args:
        folder: Made where it is not there.
        dataset: Whose classes and contexts these are.
        subset: Of the dataset; name of the COCO file.
        maps: Samples with their label maps, of the image's own size.

    Returns:
        The COCO file, written last.

    Raises:
        RunError: A file cannot be written.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    names = {name: place for place, name in enumerate((*dataset.classes, *dataset.contexts), 1)}
    written = _written_names(dataset)
    called = {one.id: written.get(one.id, one.id) for one in dataset.subset(subset)}
    masks = _mask_names(called)
    try:
        for sample, found in maps:
            if sample.id in written:
                _write(folder / IMAGES / written[sample.id], _png(sample.load_image()))
            _write(folder / MASKS / subset / masks[sample.id], indexed_png(found))
            images.append(_image(len(images) + 1, called[sample.id], sample, found.shape))
            annotations += _regions(sample, found, dataset.classes, names, len(images))
        for place, annotation in enumerate(annotations, 1):
            annotation["id"] = place
        categories = [
            {"id": place, "name": name, "isthing": int(name in dataset.classes)}
            for name, place in names.items()
        ]
        content = {"images": images, "annotations": annotations, "categories": categories}
        file = folder / f"{subset}.json"
        _write(file, json.dumps(content, ensure_ascii=False).encode())
    except OSError as error:
        raise RunError(
            f"{named_field('out', folder)}: cannot be written to ({error.strerror or error})",
            "name another folder",
        ) from None
    return file


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, content)


def _written_names(dataset: Dataset) -> dict[str, str]:
    """Return by id the names of the images that no file of their own holds."""
    return _apart(
        {
            sample.id: f"{_within(sample.id)}.png"
            for samples in dataset.subsets.values()
            for sample in samples
            if not _is_file(sample)
        }
    )


def _is_file(sample: Sample) -> bool:
    return isinstance(sample.load_image, ImageFile) and isinstance(sample.load_image.path, Path)


def _mask_names(called: Mapping[str, str]) -> dict[str, str]:
    """Return by id the names of masks: the image's with the suffix .png, or .png behind it.

    The latter where images differ in their suffixes alone.
    """
    names = {id: _within(name) for id, name in called.items()}
    short = {id: str(PurePosixPath(name).with_suffix(".png")) for id, name in names.items()}
    images = Counter(short.values())
    alone = {id: name for id, name in short.items() if images[name] == 1}
    return _apart(alone | {id: f"{name}.png" for id, name in names.items() if id not in alone})


def _apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names with a number in each that another had already."""
    apart: dict[str, str] = {}
    taken: set[str] = set()
    for id, name in names.items():
        path, number, own = PurePosixPath(name), 1, name
        while own in taken:
            number += 1
            own = str(path.with_stem(f"{path.stem}-{number}"))
        taken.add(own)
        apart[id] = own
    return apart


def _within(id: str) -> str:
    """Return an id as a path below a folder: a URL without its protocol and query."""
    _, is_url, path = id.rpartition("://")
    if is_url:
        path = path.partition("?")[0]
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "/".join(_UNFIT.sub("_", part) for part in parts) or "image"


def _png(image: Image) -> bytes:
    buffer = BytesIO()
    PIL.Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _image(id: int, name: str, sample: Sample, shape: tuple[int, ...]) -> dict[str, Any]:
    told = {"id": id, "file_name": name, "height": shape[0], "width": shape[1]}
    if sample.source:
        told["source"] = sample.source
    if sample.annotated is not None:
        told["annotated_contexts"] = sorted(sample.annotated)
    return told


def _regions(
    sample: Sample, found: LabelMap, classes: Sequence[str], names: dict[str, int], image: int
) -> list[dict[str, Any]]:
    annotations = []
    shown = {name for place, name in enumerate(classes, 1) if bool((found == place).any())}
    for name in sorted(shown | sample.labels | sample.contexts, key=lambda n: names[n]):
        told: dict[str, Any] = {"image_id": image, "category_id": names[name]}
        if name in shown:
            inside = found == classes.index(name) + 1
            told |= {
                "segmentation": {"size": list(inside.shape), "counts": run_lengths(inside)},
                "area": int(inside.sum()),
                "bbox": _box(inside),
                "iscrowd": 1,
            }
        annotations.append(told)
    return annotations


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return COCO's uncompressed counts: runs outside and inside in turn, down the columns."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(np.diff(flat.astype(np.int8)))
    bounds = np.concatenate([[0], changes, [mask.size]])
    return np.diff(bounds).tolist()


def _box(mask: NDArray[np.bool_]) -> list[int]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def indexed_png(found: LabelMap) -> bytes:
    """Return a label map as a PNG whose pixels are indices into VOC's colours."""
    image = PIL.Image.fromarray(found).convert("P")
    image.putdata(found.ravel().tolist())
    image.putpalette(_palette())
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _palette() -> list[int]:
    """Return PASCAL VOC's 256 colours: the bits of an index, spread over red, green and blue."""
    colours: list[int] = []
    for index in range(VOID):
        bits = [
            sum(((index >> (3 * place + channel)) & 1) << (7 - place) for place in range(3))
            for channel in range(3)
        ]
        colours += bits
    return [*colours, *_GREY]
