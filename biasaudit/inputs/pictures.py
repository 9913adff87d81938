"""Image files from outside: their header first, and nothing allocated for one that is too large."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import PIL.Image

from biasaudit.errors import ConfigError, DataError
from biasaudit.inputs.files import Source, check_regular
from biasaudit.inputs.places import Place

LIMIT_VARIABLE = "BIASAUDIT_MAX_MEGAPIXELS"
"""Environment variable, so that loading processes know it too."""
USUAL_MEGAPIXELS = 50.0
FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000"),
    *("MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP"),
)
"""What is read. Others that Pillow knows (EPS, which starts Ghostscript) are not."""
DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, AssertionError, RuntimeError, MemoryError, struct.error, zlib.error),
    PIL.Image.DecompressionBombError,
    PIL.Image.DecompressionBombWarning,
)
"""What Pillow's parsers raise on a damaged file."""


def pixel_limit() -> int:
    """Return how many pixels an image may have.

    Raises:
        ConfigError: The environment variable is set and is no number of megapixels.
    """
    given = os.environ.get(LIMIT_VARIABLE) or USUAL_MEGAPIXELS
    try:
        limit = float(given)
    except ValueError:
        limit = 0.0
    if not 0 < limit <= 10_000:
        raise ConfigError(
            f"{LIMIT_VARIABLE}={given}: not a number of megapixels", "set a number such as 50"
        )
    return int(limit * 1_000_000)


def check_size(width: int, height: int, where: str) -> None:
    """Refuse a picture, or a declared size, of more pixels than are allowed.

    Args:
        width: In pixels.
        height: In pixels.
        where: The file, and the field where there is one.

    Raises:
        DataError: It has too many.
    """
    limit = pixel_limit()
    if width * height > limit:
        raise DataError(
            f"{where}: {_number(width)}x{_number(height)} pixels are more than the "
            f"{limit / 1e6:g} megapixels allowed",
            f"make the image smaller, or set {LIMIT_VARIABLE}",
        )


@contextmanager
def opened(
    path: Place, what: str = "an image", missing: str = "no such image file"
) -> Iterator[PIL.Image.Image]:
    """Open an image file whose header is sound and whose size is allowed.

    Args:
        path: The file, the URL, or the member of an archive.
        what: What it should be, as in ``cannot be read as an image``.
        missing: What is said where there is no file.

    Raises:
        DataError: It is missing, too large, or cannot be read, whenever that shows while the
            ``with`` statement runs.
    """
    hint = "replace the file or take it out of the dataset"
    content: Path | io.BytesIO
    if isinstance(path, Path):
        check_regular(Source(path, missing=missing))
        content = path
    else:
        content = io.BytesIO(path.read(missing))
    try:
        with PIL.Image.open(content, formats=_formats()) as stored:
            check_size(*stored.size, str(path))
            yield stored
    except PIL.UnidentifiedImageError:
        raise DataError(f"{path}: not {what} that can be read", hint) from None
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise DataError(
            f"{path}: has more than the {pixel_limit() / 1e6:g} megapixels allowed",
            f"make the image smaller, or set {LIMIT_VARIABLE}",
        ) from None
    except DAMAGED as error:
        told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read as {what} ({told})", hint) from None


@cache
def _formats() -> tuple[str, ...]:
    PIL.Image.init()
    return tuple(name for name in FORMATS if name in PIL.Image.OPEN)


def _number(value: int) -> str:
    return str(value) if abs(value) < 10**15 else "more than 10^15"
