"""Decoded images on disk, so that a second epoch or a second run reads no image file.

::

    DIR/images/3f/3fa1...e0    one image: 3 x S x S bytes (channel, row, column) and their CRC-32
    DIR/seen/80/80c2...17      the digest of a file's content as it was when last read

An image's name is drawn from the content of its file, S, and the versions of what decodes: the
same picture in two datasets is kept once, and one that was moved is found again. A file's content
is read anew when its size or a time of it has changed. Files appear whole or not at all, so that
any number of processes may share the folder; it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import PIL
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor

from biasaudit import __version__
from biasaudit.data.sample import Sample
from biasaudit.errors import DataError

_log = logging.getLogger(__name__)
_MAKERS = (__version__, PIL.__version__, torchvision.__version__)
_DIGEST_BYTES = 16
_CRC_BYTES = 4
_SETTLED_NS = 2_000_000_000
"""A file that changed less than this ago may change again without its times telling."""


@runtime_checkable
class Keyed(Protocol):
    """What gives an image, and knows what its pixels depend on."""

    def key(self, content: Callable[[Path], str]) -> str | None:
        """Return a text that differs wherever the pixels do, None where no file tells.

        Args:
            content: Gives the digest of a file's content; raises OSError.
        """


def key_of(sample: Sample, content: Callable[[Path], str]) -> str | None:
    """Return what a sample's pixels depend on, as :class:`Keyed` has it; None for a drawn one."""
    return sample.load_image.key(content) if isinstance(sample.load_image, Keyed) else None


class DecodedImages:
    """A cache of square images.

    Only images that come from files, edited or not, are in it; drawn ones are made again.

    Args:
        folder: Where it lies; made if it is not there.
        size: Side S of the squares in px.

    Raises:
        DataError: The folder cannot be made.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._told = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"{folder}: the cache cannot be written ({error.strerror})",
                "name another folder (--cache DIR), or go without (--cache off)",
            ) from None

    def name(self, sample: Sample) -> str | None:
        """Return what a sample's image is called here; None for one that is never here."""
        try:
            key = key_of(sample, self._content)
        except OSError:
            return None  # Whoever decodes the file tells what is wrong with it.
        return None if key is None else _digest([*_MAKERS, self.size, key]).hex()

    def get(self, sample: Sample, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Return a (3, S, S) uint8 image, made and kept where it is not there or damaged.

        Args:
            sample: Whose image it is.
            name: What :meth:`name` said.
            make: Gives the image.
        """
        file = self._file("images", name)
        found = self._read(file)
        if found is None:
            found = make()
            # A file that changed while it was read belongs to neither name.
            if self.name(sample) == name:
                content = found.numpy().tobytes()
                self._write(file, content + _crc(content))
        return found

    def _read(self, file: Path) -> Tensor | None:
        try:
            return torch.from_numpy(_pixels(np.memmap(file, np.uint8, "c"), self.size))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._tell(
                f"{file}: the cached image is damaged ({error}); it is decoded again, and so are "
                "others like it"
            )
            return None

    def _content(self, path: Path) -> str:
        """Return the digest of a file's content, read only if the file changed since last time."""
        found = path.stat()
        state = [str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ctime_ns]
        seen = self._file("seen", _digest(state).hex())
        try:
            digest = seen.read_bytes()
        except OSError:
            digest = b""
        if len(digest) != _DIGEST_BYTES:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, _hash).digest()
            if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED_NS:
                self._write(seen, digest)
        return digest.hex()

    def _file(self, kind: str, name: str) -> Path:
        return self.folder / kind / name[:2] / name

    def _write(self, file: Path, content: bytes) -> None:
        """Write a file whole or not at all; a full disk costs the cache, not the run."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
                partial_file = Path(stream.name)
                try:
                    stream.write(content)
                    stream.close()
                    partial_file.replace(file)
                except OSError:
                    partial_file.unlink()
                    raise
        except OSError as error:
            self._tell(
                f"{self.folder}: the cache cannot be written ({error.strerror}); what is not in "
                "it is decoded every time"
            )

    def _tell(self, line: str) -> None:
        """Say a line once, whatever the images that follow."""
        if not self._told:
            _log.warning(line)
        self._told = True


def _pixels(stored: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the (3, S, S) image that a file holds; raise ValueError where it is damaged."""
    pixels, crc = stored[:-_CRC_BYTES], stored[-_CRC_BYTES:].tobytes()
    if len(pixels) != 3 * size**2:
        raise ValueError(f"{len(stored)} bytes")
    if _crc(pixels.data) != crc:
        raise ValueError("its sum differs")
    return np.asarray(pixels).reshape(3, size, size)


def _crc(content: bytes | memoryview) -> bytes:
    return zlib.crc32(content).to_bytes(_CRC_BYTES, "little")


_hash = partial(hashlib.blake2b, digest_size=_DIGEST_BYTES)


def _digest(parts: list[object]) -> bytes:
    return _hash(repr(parts).encode()).digest()
