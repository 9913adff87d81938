"""The attention map of every image, beside the per-image table."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.results import write_atomic

MAPS_FILE = "maps.npz"


def write_maps(table: pd.DataFrame, maps: NDArray[np.float32], file: Path) -> None:
    """Write maps as a compressed npz file.

    Args:
        table: The per-image table: ``split``, ``group`` and ``id`` say whose map each is.
        maps: (N, h, w) in the table's order, non-negative, at the attention layer's resolution.
        file: Gets the arrays ``split``, ``group``, ``id`` (text) and ``maps``.
    """
    texts = {name: table[name].to_numpy(np.str_) for name in ("split", "group", "id")}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, maps=maps, **texts)
    write_atomic(file, buffer.getvalue())
