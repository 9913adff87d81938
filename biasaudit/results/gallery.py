"""The small pictures and attention maps that a report shows."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasaudit.errors import RunError

_ARRAYS = ("ids", "images", "maps", "regions")


@dataclass(frozen=True)
class Gallery:
    """What a report shows of single images, in the order of ``ids``.

    Attributes:
        ids: (N,) sample ids.
        images: (N, S, S, 3) uint8 RGB thumbnails.
        maps: (N, h, w) uint8 attention of the audited object, each scaled by its own maximum
            (0 to 255), at the resolution of the attention layer or finer.
        regions: (N, S, S) bool, the object's region; all False where there is none.
    """

    ids: NDArray[np.str_]
    images: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    regions: NDArray[np.bool_]

    def to_bytes(self) -> bytes:
        """Return the gallery as a compressed npz file."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: self._stored(name) for name in _ARRAYS}
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    def pictures(self) -> Pictures:
        """Return the gallery as a report reads it."""
        return Pictures(_rows(self.ids), self._stored)

    def _stored(self, name: str) -> NDArray[Any]:
        if name == "regions":
            return np.packbits(self.regions, axis=-1)
        array: NDArray[Any] = getattr(self, name)
        return array

    @classmethod
    def joined(cls, parts: Sequence[Gallery]) -> Gallery:
        """Return several galleries of one picture size as one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS))

    @classmethod
    def load(cls, file: Path) -> Gallery:
        """Read a gallery from an npz file.

        Raises:
            RunError: The file is no gallery.
        """
        ids, images, maps, packed = (_array(file, name) for name in _ARRAYS)
        width = images.shape[2]
        return cls(ids, images, maps, np.unpackbits(packed, axis=-1, count=width).astype(bool))


@dataclass(frozen=True)
class Pictures:
    """The pictures of one audit, read one array at a time.

    A report shows some dozen images of perhaps thousands, and the photographs of the first run
    serve for the others.

    Attributes:
        index: Row of each sample id.
        read: Gives one array by name, as :meth:`Gallery.to_bytes` stores it.
    """

    index: dict[str, int]
    read: Callable[[str], NDArray[Any]]

    @classmethod
    def open(cls, file: Path) -> Pictures:
        """Read the ids of a gallery; the arrays are read when they are asked for.

        Raises:
            RunError: The file is no gallery.
        """
        return cls(_rows(_array(file, "ids")), lambda name: _array(file, name))

    def images(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the thumbnails of these rows, (N, S, S, 3) uint8 RGB."""
        return self.read("images")[list(rows)]

    def maps(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the attention maps of these rows, (N, h, w) uint8."""
        return self.read("maps")[list(rows)]

    def regions(self, rows: Sequence[int], size: int) -> NDArray[np.bool_]:
        """Return the object's regions of these rows, (N, S, S) bool; ``size`` is S."""
        packed = self.read("regions")[list(rows)]
        return np.unpackbits(packed, axis=-1, count=size).astype(bool)


def _rows(ids: NDArray[Any]) -> dict[str, int]:
    return {str(name): row for row, name in enumerate(ids)}


def _array(file: Path, key: str) -> NDArray[Any]:
    """Read one array of a gallery, having seen that all four are there."""
    try:
        with file.open("rb") as stream:
            data = np.load(stream, allow_pickle=False)
            if not isinstance(data, np.lib.npyio.NpzFile):
                raise RunError(f"{file}: not an npz file", "evaluate the run again")
            missing = set(_ARRAYS) - set(data.files)
            if missing:
                raise RunError(f"{file}: no array '{min(missing)}'", "evaluate the run again")
            array: NDArray[Any] = data[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{file}: cannot be read ({reason})", "evaluate the run again") from None
    return array
