"""The small pictures and attention maps that a report shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasaudit.errors import RunError
from biasaudit.inputs.arrays import layouts, read_array, read_array_rows, shapes_fit
from biasaudit.inputs.files import Source

_ARRAYS = ("ids", "images", "maps", "regions")
_LARGEST = 4096


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
        return Pictures(_rows(self.ids), lambda name, rows: self._stored(name)[list(rows)])

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
        source = _checked(file)
        ids, images, maps, packed = (read_array(source, name) for name in _ARRAYS)
        width = images.shape[2]
        return cls(ids, images, maps, np.unpackbits(packed, axis=-1, count=width).astype(bool))


@dataclass(frozen=True)
class Pictures:
    """The pictures of one audit, of which those that are shown are read.

    A report shows some dozen images of perhaps thousands, and the photographs of the first run
    serve for the others.

    Attributes:
        index: Row of each sample id.
        read: Gives rows of an array by its name, as :meth:`Gallery.to_bytes` stores it.
    """

    index: dict[str, int]
    read: Callable[[str, Sequence[int]], NDArray[Any]]

    @classmethod
    def open(cls, file: Path) -> Pictures:
        """Read the ids of a gallery; rows of its arrays are read when they are asked for.

        Raises:
            RunError: The file is no gallery.
        """
        source = _checked(file)
        return cls(
            _rows(read_array(source, "ids")),
            lambda name, rows: read_array_rows(source, name, rows),
        )

    def images(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the thumbnails of these rows, (N, S, S, 3) uint8 RGB."""
        return self.read("images", rows)

    def maps(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the attention maps of these rows, (N, h, w) uint8."""
        return self.read("maps", rows)

    def regions(self, rows: Sequence[int], size: int) -> NDArray[np.bool_]:
        """Return the object's regions of these rows, (N, S, S) bool; ``size`` is S."""
        packed = self.read("regions", rows)
        return np.unpackbits(packed, axis=-1, count=size).astype(bool)


def _rows(ids: NDArray[Any]) -> dict[str, int]:
    return {str(name): row for row, name in enumerate(ids)}


def _checked(file: Path) -> Source:
    """Hold the arrays of a gallery to each other by their headers.

    Raises:
        RunError: The file is no gallery.
    """
    source = Source(file, RunError, hint="evaluate the run again")
    found = layouts(source, _ARRAYS)
    images = found["images"].shape
    packed = -(-images[2] // 8) if len(images) == 4 else 0
    wrong = shapes_fit(
        found,
        {
            "ids": ("n",),
            "images": ("n", "side", "side", 3),
            "maps": ("n", "rows", "columns"),
            "regions": ("n", "side", packed),
        },
    )
    if wrong:
        raise source.refusal(wrong)
    for name in _ARRAYS:
        if found[name].dtype.kind != "U" if name == "ids" else found[name].dtype != np.uint8:
            raise source.refusal(f"array '{name}' is of {found[name].dtype}")
    if max(images[1:3], default=0) > _LARGEST or max(found["maps"].shape[1:]) > _LARGEST:
        raise source.refusal(f"has pictures of more than {_LARGEST} pixels a side")
    return source
