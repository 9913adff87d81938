"""Decoded images on disk, so that a second epoch or a second run decodes no file.

One memory-mapped array holds the images of a list of samples at one size, another one a stamp for
each. A stamp is drawn from the image file's path, size and time of change: where it is not the
file's, the image is decoded again. Several processes may share a cache; what two of them write at
once is the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biasaudit.data.images import ImageFile
from biasaudit.data.sample import Sample
from biasaudit.errors import DataError


class DecodedImages:
    """A cache of square images; drawn and edited ones, which have no file, are never in it.

    Args:
        folder: Where the arrays lie; made if it is not there. It may be deleted at any time.
        samples: The samples, in the order in which they are asked for.
        size: Side S of the squares in px.

    Raises:
        DataError: The folder cannot be written.
    """

    def __init__(self, folder: Path, samples: Sequence[Sample], size: int) -> None:
        self._sources = [
            s.load_image if isinstance(s.load_image, ImageFile) else None for s in samples
        ]
        key = _digest(
            [size, *(source and str(source.path.absolute()) for source in self._sources)]
        ).hex()
        self._shape = (len(samples), 3, size, size)
        self._images_file = folder / f"{key}.images.npy"
        self._stamps_file = folder / f"{key}.stamps.npy"
        self._opened: tuple[NDArray[np.uint8], NDArray[np.uint64]] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _create(self._images_file, np.dtype(np.uint8), self._shape)
            _create(self._stamps_file, np.dtype(np.uint64), self._shape[:1])
        except OSError as error:
            raise self._unwritable(error) from None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the mapped arrays behind: a process that loads images opens its own."""
        return self.__dict__ | {"_opened": None}

    def get(self, index: int) -> Tensor | None:
        """Return a (3, S, S) uint8 image; None where it is not there or its file has changed."""
        stamp = self._stamp(index)
        images, stamps = self._arrays()
        if stamp is None or stamps[index] != stamp:
            return None
        return torch.from_numpy(np.array(images[index]))

    def put(self, index: int, image: Tensor) -> None:
        """Keep a (3, S, S) uint8 image, if it comes from a file.

        Raises:
            DataError: The cache cannot be written; such as where the disk is full.
        """
        stamp = self._stamp(index)
        if stamp is None:
            return
        images, stamps = self._arrays()
        try:
            # Written as a file, not through the map: there, a full disk ends the process.
            _write(self._images_file, images, index, image.numpy().tobytes())
            _write(self._stamps_file, stamps, index, np.uint64(stamp).tobytes())
        except OSError as error:
            raise self._unwritable(error) from None

    def _stamp(self, index: int) -> int | None:
        source = self._sources[index]
        if source is None:
            return None
        try:
            found = source.path.stat()
        except OSError:
            return None
        key = [str(source.path.absolute()), source.size, found.st_size, found.st_mtime_ns]
        return int.from_bytes(_digest(key)[:8], "little") or 1

    def _arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        if self._opened is None:
            self._opened = (
                np.load(self._images_file, mmap_mode="r"),
                np.load(self._stamps_file, mmap_mode="r"),
            )
        return self._opened

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"{self._images_file.parent}: the cache cannot be written ({error.strerror})",
            "make room, name another folder, or go without",
        )


def _digest(key: object) -> bytes:
    return hashlib.blake2b(repr(key).encode(), digest_size=16).digest()


def _create(file: Path, kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Make an array of zeros, whole or not at all; most file systems give it room when used."""
    if file.exists():
        return
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    np.lib.format.open_memmap(partial, mode="w+", dtype=kind, shape=shape)
    partial.replace(file)


def _write(file: Path, array: NDArray[Any], row: int, content: bytes) -> None:
    """Write a row of an array into its file."""
    start = file.stat().st_size - array.nbytes
    with file.open("r+b") as stream:
        stream.seek(start + row * len(content))
        stream.write(content)
