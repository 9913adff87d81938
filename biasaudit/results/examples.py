"""A few images with their masks, as a report shows them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasaudit.inputs.arrays import layouts, read_array, shapes_fit
from biasaudit.inputs.files import Source

VOID = 255
"""Pixels of a truth that nobody decided."""
_ARRAYS = ("ids", "images", "masks", "truths")
_MOST, _LARGEST = 100, 512


@dataclass(frozen=True)
class Examples:
    """Images with what a segmenter drew and what is true, in the order of ``ids``.

    Attributes:
        ids: (N,) sample ids.
        images: (N, S, S, 3) uint8 RGB thumbnails, squeezed to squares.
        masks: (N, S, S) uint8 answers: 0 background, c + 1 class c.
        truths: (N, S, S) uint8 likewise; :data:`VOID` where nobody decided.
    """

    ids: NDArray[np.str_]
    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    truths: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """Return the examples as a compressed npz file."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, source: Source, classes: int) -> Examples:
        """Read the examples of a segmenter.

        Args:
            source: An npz file.
            classes: How many values a mask has, the background among them.

        Raises:
            BiasAuditError: The file holds none, or a value that is no class.
        """
        found = layouts(source, _ARRAYS)
        square = ("n", "side", "side")
        wrong = shapes_fit(
            found, {"ids": ("n",), "images": (*square, 3), "masks": square, "truths": square}
        )
        if wrong:
            raise source.refusal(wrong)
        for name in _ARRAYS:
            if found[name].dtype.kind != "U" if name == "ids" else found[name].dtype != np.uint8:
                raise source.refusal(f"array '{name}' is of {found[name].dtype}")
        if max(found["images"].shape[1:3]) > _LARGEST:
            raise source.refusal(f"has pictures of more than {_LARGEST} pixels a side")
        if found["ids"].shape[0] > _MOST:
            raise source.refusal(f"has more than {_MOST} pictures")
        made = cls(*(read_array(source, name) for name in _ARRAYS))
        known = made.truths[made.truths != VOID]
        if max(made.masks.max(initial=0), known.max(initial=0)) >= classes:
            raise source.refusal(f"a value of a mask is none of the {classes} classes")
        return made
