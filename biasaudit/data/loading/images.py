"""Image files to pixels: whatever is stored, 8-bit RGB comes out, or one line of error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps

from biasaudit.data.sample import Image
from biasaudit.errors import DataError
from biasaudit.inputs.pictures import opened
from biasaudit.inputs.places import Place


class WrongSizeError(DataError):
    """An image that is not of the size that its annotations speak of."""


def decode(path: Place, size: tuple[int, int] | None = None) -> Image:
    """Read an image file as RGB.

    Grey, palette, CMYK and 16-bit grey images are converted; an alpha channel is dropped, as
    torchvision and OpenCV do. The first frame of an animation counts.

    A camera may store the picture lying down and note in EXIF how to turn it. The picture is
    given upright, as viewers and annotation tools show it. Where ``size`` is given and only the
    stored picture has it, the annotations were made on the stored pixels, and those are given.

    Args:
        path: The file, the URL, or the member of an archive.
        size: The (width, height) in pixels that the annotations speak of.

    Returns:
        (height, width, 3) uint8, writable and owned by the caller.

    Raises:
        DataError: The file is missing, unreadable, of another size, or of more pixels than
            :func:`biasaudit.inputs.pictures.pixel_limit` allows.
    """
    with opened(path) as stored:
        if size is not None and size not in (stored.size, stored.size[::-1]):
            raise _wrong_size(path, stored.size, size)
        stored.load()
        upright = PIL.ImageOps.exif_transpose(stored)
        chosen = _of_size(path, stored, upright, size)
        return np.array(_to_rgb(chosen))


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image on disk, or elsewhere, decoded when called.

    Attributes:
        path: The file, the URL, or the member of an archive.
        size: The (width, height) in pixels that its annotations speak of; None where they do not.
    """

    path: Place
    size: tuple[int, int] | None = None

    def __call__(self) -> Image:
        """Return :func:`decode`'s answer."""
        return decode(self.path, self.size)

    def key(self, content: Callable[[Path], str]) -> str:
        """Return what the pixels depend on; see :class:`biasaudit.data.loading.keys.Keyed`."""
        told = content(self.path) if isinstance(self.path, Path) else self.path.state()
        return f"{told} {self.size}"


def size_of(path: Place) -> tuple[int, int]:
    """Return the (width, height) in pixels of the upright picture, without decoding it.

    Raises:
        DataError: The file is missing, unreadable or too large.
    """
    with opened(path) as stored:
        lying = stored.getexif().get(PIL.ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        return (stored.height, stored.width) if lying else stored.size


def _of_size(
    path: Place,
    stored: PIL.Image.Image,
    upright: PIL.Image.Image,
    size: tuple[int, int] | None,
) -> PIL.Image.Image:
    """Choose the picture, upright first, whose (width, height) is ``size``."""
    if size is None or upright.size == size:
        return upright
    if stored.size == size:
        return stored
    raise _wrong_size(path, upright.size, size)


def _wrong_size(path: Place, found: tuple[int, int], said: tuple[int, int]) -> WrongSizeError:
    return WrongSizeError(
        f"{path}: the image is {_times(found)} pixels, its annotation says {_times(said)}",
        "correct width and height in the annotation file, or give the image that was annotated",
    )


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip 16-bit grey at 255 and leave a white picture.
        return PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of type {image.mode} have no known range")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
