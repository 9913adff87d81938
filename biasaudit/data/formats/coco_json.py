"""One COCO annotation file, parsed and held to its own ids and names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, FiniteFloat, StringConstraints, TypeAdapter

from biasaudit.data.checks.faults import (
    ANNOTATION,
    DUPLICATE,
    NO_NAME,
    OUTSIDE,
    WRONG_SIZE,
    Complain,
    refuse,
)
from biasaudit.errors import DataError
from biasaudit.inputs.documents import ANNOTATION_BYTES, read_as
from biasaudit.inputs.files import Source
from biasaudit.inputs.pictures import check_size

Id = Annotated[int, Field(ge=-(2**63), lt=2**63)] | str
_Name = Annotated[str, StringConstraints(min_length=1)]
_Pixels = Annotated[int, Field(gt=0, lt=2**31)]
Contexts = bool | list[str]
"""Names of contexts; true for all of them, false for none."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An entry of ``images``; sizes in pixels.

    Attributes:
        annotated_contexts: The contexts that were looked for in the image, whether they are there
            or not: their names, or all (true) or none (false). None where the file does not say.
    """

    id: Id
    file_name: _Name
    width: _Pixels
    height: _Pixels
    source: str = ""
    annotated_contexts: Contexts | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """What ``info`` says of all images of the file, where an image does not say it itself."""

    annotated_contexts: Contexts | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """An entry of ``annotations``; crowds (``iscrowd``) count like any other instance.

    Attributes:
        segmentation: As in the file; checked when it is encoded.
        bbox: x, y, width, height in pixels; empty where there is none.
    """

    image_id: Id
    category_id: Id
    id: Id | None = None
    segmentation: Any = None
    bbox: list[FiniteFloat] | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """An entry of ``categories``; ``isthing`` says object (1) or context (0)."""

    id: Id
    name: _Name
    isthing: bool | None = None


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """What biasaudit reads of a COCO file."""

    images: list[ImageRecord]
    annotations: list[Annotation]
    categories: list[Category]
    info: Info | None = None


_ADAPTER = TypeAdapter(AnnotationFile)


def read_annotation_file(file: Path, complain: Complain = refuse) -> AnnotationFile:
    """Parse a COCO ``instances`` file; ``file_name`` comes out with forward slashes.

    Args:
        file: Its path.
        complain: Told of each fault of an entry; the entry is left out if this returns.

    Raises:
        DataError: It cannot be read, is not COCO JSON, names an image or a category twice, or
            an annotation speaks of one that the file lacks.
    """
    content: AnnotationFile = read_as(
        Source(file),
        _ADAPTER,
        ANNOTATION_BYTES,
        "COCO JSON",
        "give a file with images, annotations and categories",
    )
    _refuse_twice(file, "categories: id", (category.id for category in content.categories))
    _refuse_twice(file, "categories: name", (category.name for category in content.categories))
    images = _images(file, content.images, complain)
    return replace(
        content, images=images, annotations=_annotations(file, content, images, complain)
    )


def _images(file: Path, given: Iterable[ImageRecord], complain: Complain) -> list[ImageRecord]:
    ids: set[Id] = set()
    names: set[Id] = set()
    kept = []
    for image in given:
        try:
            plain = replace(image, file_name=_path(file, image))
        except DataError as error:
            complain(OUTSIDE, error)
            continue
        try:
            check_size(image.width, image.height, f"{file}: image '{plain.file_name}'")
        except DataError as error:
            complain(WRONG_SIZE, error)
            continue
        for key, value, seen in (("id", plain.id, ids), ("file_name", plain.file_name, names)):
            if value in seen:
                complain(DUPLICATE, _twice(file, f"images: {key}", value))
                break
            seen.add(value)
        else:
            kept.append(plain)
    return kept


def _annotations(
    file: Path, content: AnnotationFile, images: Iterable[ImageRecord], complain: Complain
) -> list[Annotation]:
    listed = {image.id for image in content.images}
    kept = {image.id for image in images}
    categories = {category.id for category in content.categories}
    sound = []
    for index, annotation in enumerate(content.annotations):
        where = f"{file}: annotations[{index}]"
        box = annotation.bbox
        if annotation.image_id not in listed:
            complain(ANNOTATION, _unknown(f"{where}.image_id", "image", annotation.image_id))
        elif annotation.category_id not in categories:
            complain(NO_NAME, _unknown(f"{where}.category_id", "category", annotation.category_id))
        elif box and (len(box) != 4 or min(box[2:]) < 0):
            complain(ANNOTATION, DataError(f"{where}.bbox: {box} is not x, y, width, height"))
        elif annotation.image_id in kept:
            sound.append(annotation)
    return sound


def _unknown(where: str, what: str, id: Id) -> DataError:
    return DataError(
        f"{where}: no {what} has the id {id!r}", f"add the {what} or take the annotation out"
    )


def _path(file: Path, image: ImageRecord) -> str:
    """Return the image's path in its plain form.

    Raises:
        DataError: It leads out of the images folder.
    """
    path = Path(image.file_name)
    if path.anchor or ".." in path.parts:
        raise DataError(
            f"{file}: images: file_name '{image.file_name}' leaves the images folder",
            "name files relative to the folder that dataset.toml gives as images",
        )
    return path.as_posix()


def _refuse_twice(file: Path, key: str, values: Iterable[Id]) -> None:
    seen: set[Id] = set()
    for value in values:
        if value in seen:
            raise _twice(file, key, value)
        seen.add(value)


def _twice(file: Path, key: str, value: Id) -> DataError:
    return DataError(f"{file}: {key} {value!r} is given twice", "each may be given once")
