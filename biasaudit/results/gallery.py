"""The small pictures and attention maps that a report shows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biasaudit.results.files import write_atomic


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

    def save(self, file: Path) -> None:
        """Write the gallery as a compressed npz file."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            ids=self.ids,
            images=self.images,
            maps=self.maps,
            regions=np.packbits(self.regions, axis=-1),
        )
        write_atomic(file, buffer.getvalue())

    @classmethod
    def load(cls, file: Path) -> Gallery:
        """Read a gallery that :meth:`save` wrote."""
        with np.load(file, allow_pickle=False) as data:
            width = data["images"].shape[2]
            regions = np.unpackbits(data["regions"], axis=-1, count=width).astype(bool)
            return cls(data["ids"], data["images"], data["maps"], regions)
