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
import os
import re
import time
import zlib
from collections.abc import Callable
from functools import partial
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from threading import get_ident

import numpy as np
import PIL
import torch
import torchvision
from torch import Tensor

from biasaudit import __version__
from biasaudit.data.loading.keys import key_of
from biasaudit.data.sample import Sample
from biasaudit.errors import DataError, named_field

_log = logging.getLogger(__name__)
_MAKERS = (__version__, PIL.__version__, torchvision.__version__)
_DIGEST_BYTES = 16
_CRC_BYTES = 4
_SETTLED_NS = 2_000_000_000
"""A file that changed less than this ago may change again without its times telling."""


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
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}
        self._sound: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"{folder}: the cache cannot be written ({error.strerror})",
                f"name another folder ({named_field('data.cache', 'DIR')}), or go without "
                f"({named_field('data.cache', 'off')})",
                field="data.cache",
            ) from None

    def name(self, sample: Sample) -> str | None:
        """Return what a sample's image is called here; None for one that is never here."""
        try:
            key = key_of(sample, self._content)
        except OSError:
            return None  # Whoever decodes the file tells what is wrong with it.
        return None if key is None else _digest((*_MAKERS, self.size, key))

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

    def _read(self, file: str) -> Tensor | None:
        try:
            with Path(file).open("rb") as stream:
                # A private map: its pages are the file's, and whoever writes on them has copies.
                stored = np.frombuffer(mmap(stream.fileno(), 0, access=ACCESS_COPY), np.uint8)
            pixels = stored[:-_CRC_BYTES]
            if len(pixels) != 3 * self.size**2:
                raise ValueError(f"{len(stored)} bytes")
            if file not in self._sound and _crc(pixels.data) != stored[-_CRC_BYTES:].tobytes():
                raise ValueError("its sum differs")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._tell(
                f"{file}: the cached image is damaged ({error}); it is decoded again, and so are "
                "others like it"
            )
            return None
        self._sound.add(file)
        return torch.from_numpy(pixels.reshape(3, self.size, self.size))

    def _content(self, path: Path) -> str:
        """Return the digest of a file's content, read only if the file changed since last time."""
        found = path.stat()
        state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known, digest = self._known.get(str(path), (None, ""))
        if known == state:
            return digest
        seen = self._file("seen", _digest((str(path.absolute()), *state)))
        digest = _digest_in(seen)
        settled = time.time_ns() - max(state[1:]) > _SETTLED_NS
        if not digest:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, _hash).hexdigest()
            if settled:
                self._write(seen, digest.encode())
        if settled:
            self._known[str(path)] = (state, digest)
        return digest

    def _file(self, kind: str, name: str) -> str:
        return f"{self.folder}/{kind}/{name[:2]}/{name}"

    def _write(self, file: str, content: bytes) -> None:
        """Write a file whole or not at all; a full disk costs the cache, not the run."""
        partial_file = Path(f"{file}.{os.getpid()}.{get_ident()}.partial")
        try:
            partial_file.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial_file.write_bytes(content)
                partial_file.replace(file)
            except OSError:
                partial_file.unlink(missing_ok=True)
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


def _crc(content: bytes | memoryview) -> bytes:
    return zlib.crc32(content).to_bytes(_CRC_BYTES, "little")


_hash = partial(hashlib.blake2b, digest_size=_DIGEST_BYTES)


def _digest(parts: tuple[object, ...]) -> str:
    return _hash(repr(parts).encode()).hexdigest()


def _digest_in(file: str) -> str:
    """Return the digest that a file holds; nothing where there is none."""
    try:
        content = Path(file).read_bytes()
    except OSError:
        return ""
    return content.decode() if re.fullmatch(rb"[0-9a-f]{%d}" % (2 * _DIGEST_BYTES), content) else ""
