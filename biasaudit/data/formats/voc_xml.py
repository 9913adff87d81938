"""One annotation file of PASCAL VOC: the image's size, its objects and their boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from biasaudit.data.annotation.boxes import Box, has_area
from biasaudit.errors import DataError
from biasaudit.inputs.documents import read_xml
from biasaudit.inputs.files import Source
from biasaudit.inputs.pictures import check_size

_FARTHEST = 2**31


@dataclass(frozen=True)
class VocAnnotation:
    """What biasaudit reads of an annotation; difficult and truncated objects count.

    Attributes:
        size: (width, height) in px; None where the file does not say.
        objects: (class, box) of each object; None for an object without a box.
    """

    size: tuple[int, int] | None
    objects: tuple[tuple[str, Box | None], ...]


def read_annotation(file: Path) -> VocAnnotation:
    """Parse an annotation file.

    Raises:
        DataError: It cannot be read, is no annotation, a number in it is none, or the image is
            said to be of more pixels than are allowed.
    """
    root = read_xml(Source(file), "annotation")
    return VocAnnotation(
        _size(file, root), tuple(_object(file, node) for node in root.findall("object"))
    )


def _size(file: Path, root: ElementTree.Element) -> tuple[int, int] | None:
    node = root.find("size")
    if node is None:
        return None
    size = (_number(file, node, "width"), _number(file, node, "height"))
    if min(size) <= 0:
        return None
    check_size(*size, f"{file}: size")
    return size


def _object(file: Path, node: ElementTree.Element) -> tuple[str, Box | None]:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{file}: an object has no name")
    quadrants = node.find("bndbox")
    if quadrants is None:
        return name, None
    left, top, right, bottom = (
        _number(file, quadrants, key) for key in ("xmin", "ymin", "xmax", "ymax")
    )
    # VOC counts pixels from 1 and includes the last one.
    box = (left - 1, top - 1, right, bottom)
    if not has_area(box):
        raise DataError(
            f"{file}: bndbox of '{name}' holds no pixel ({left}, {top}, {right}, {bottom})"
        )
    return name, box


def _number(file: Path, node: ElementTree.Element, key: str) -> int:
    text = node.findtext(key)
    try:
        # Some files of VOC 2011 and 2012 hold fractions of a pixel.
        number = round(float(text or ""))
    except (ValueError, OverflowError):
        number = _FARTHEST
    if abs(number) >= _FARTHEST:
        raise DataError(f"{file}: {node.tag}.{key} is not a number ({str(text)[:60]!r})")
    return number
