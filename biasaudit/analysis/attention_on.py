"""When attention counts as on the object: the rule behind the quadrants of answer and attention.

"Right for the wrong reason" is a right answer with the attention off the object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ENRICHMENT = 2.0
"""Attention is on the object from this many times the share that a uniform map puts there."""
MOST = 0.5
"""Or from this share of the attention, for objects that fill much of the image."""


def attention_is_on(
    energy: ArrayLike, area_fraction: ArrayLike, enrichment: float = ENRICHMENT
) -> NDArray[np.bool_]:
    """Say of each image whether its attention is on the object.

    Args:
        energy: Energy pointing game, in [0, 1].
        area_fraction: The region's share of the image, in [0, 1].
        enrichment: At least 1.

    Returns:
        True where the energy reaches ``enrichment`` times the area, or one half; False also where
        either is NaN: see :func:`attention_is_known`.

    Raises:
        ValueError: The enrichment is below 1.
    """
    if enrichment < 1.0:
        raise ValueError(f"below 1 a uniform map would count as on the object: {enrichment}")
    share, area = np.asarray(energy, dtype=float), np.asarray(area_fraction, dtype=float)
    # nothing is at least NaN, nor NaN at least anything
    on: NDArray[np.bool_] = share >= np.minimum(enrichment * area, MOST)
    return on


def attention_is_known(energy: ArrayLike, area_fraction: ArrayLike) -> NDArray[np.bool_]:
    """Say of each image whether it has a region and its map is not zero everywhere."""
    share, area = np.asarray(energy, dtype=float), np.asarray(area_fraction, dtype=float)
    return ~(np.isnan(share) | np.isnan(area))
