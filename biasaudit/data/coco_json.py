"""One COCO annotation file, parsed and held to its own ids and names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, FiniteFloat, StringConstraints, TypeAdapter, ValidationError

from biasaudit.data.toml_file import first_fault
from biasaudit.errors import DataError

Id = int | str
_Name = Annotated[str, StringConstraints(min_length=1)]
_Pixels = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An entry of ``images``; sizes in pixels."""

    id: Id
    file_name: _Name
    width: _Pixels
    height: _Pixels
    source: str = ""


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


_ADAPTER = TypeAdapter(AnnotationFile)


def read_annotation_file(file: Path) -> AnnotationFile:
    """Parse a COCO ``instances`` file; ``file_name`` comes out with forward slashes.

    Raises:
        DataError: It cannot be read, is not COCO JSON, names an image or a category twice, or
            an annotation speaks of one that the file lacks.
    """
    try:
        content = _ADAPTER.validate_json(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        raise DataError(
            f"{file}: not COCO JSON ({first_fault(error)})",
            "give a file with images, annotations and categories",
        ) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    plain = [replace(image, file_name=_path(file, image)) for image in content.images]
    content = replace(content, images=plain)
    _check(file, content)
    return content


def _check(file: Path, content: AnnotationFile) -> None:
    _refuse_twice(file, "categories: id", (category.id for category in content.categories))
    _refuse_twice(file, "categories: name", (category.name for category in content.categories))
    _refuse_twice(file, "images: id", (image.id for image in content.images))
    _refuse_twice(file, "images: file_name", (image.file_name for image in content.images))
    images = {image.id for image in content.images}
    categories = {category.id for category in content.categories}
    for index, annotation in enumerate(content.annotations):
        for key, value, known in (
            ("image_id", annotation.image_id, images),
            ("category_id", annotation.category_id, categories),
        ):
            if value not in known:
                what = "image" if key == "image_id" else "category"
                raise DataError(
                    f"{file}: annotations[{index}].{key}: no {what} has the id {value!r}",
                    f"add the {what} or take the annotation out",
                )
        if annotation.bbox and (len(annotation.bbox) != 4 or min(annotation.bbox[2:]) < 0):
            raise DataError(
                f"{file}: annotations[{index}].bbox: {annotation.bbox} is not x, y, width, height"
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
            raise DataError(f"{file}: {key} {value!r} is given twice", "each may be given once")
        seen.add(value)
