"""The quadrants: right or wrong answer, with the attention on or off the object.

"Right for the wrong reason" is a right answer with the attention off the object. An image whose
attention map is zero everywhere, or that has no region of the object, is counted as such.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from biasaudit.results import Quadrants

QUADRANTS = (
    "right-on",
    "right-off",
    "wrong-on",
    "wrong-off",
    "right-no-map",
    "wrong-no-map",
    "right-no-region",
    "wrong-no-region",
)
"""Answer, and where the attention is; ``no-map`` where the image has a region of the object but
its map is zero everywhere, ``no-region`` where it has no region."""

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
        either is NaN.

    Raises:
        ValueError: The enrichment is below 1.
    """
    if enrichment < 1.0:
        raise ValueError(f"below 1 a uniform map would count as on the object: {enrichment}")
    share, area = np.asarray(energy, dtype=float), np.asarray(area_fraction, dtype=float)
    # nothing is at least NaN, nor NaN at least anything
    on: NDArray[np.bool_] = share >= np.minimum(enrichment * area, MOST)
    return on


def quadrant_of(table: pd.DataFrame, enrichment: float = ENRICHMENT) -> pd.Series:
    """Return the quadrant of each image, one of :data:`QUADRANTS`.

    Args:
        table: Per-image rows with ``correct``, ``energy_pointing_game`` and ``area_fraction``.
        enrichment: As for :func:`attention_is_on`.

    Raises:
        ValueError: The enrichment is below 1.
    """
    energy = table["energy_pointing_game"].to_numpy(dtype=float)
    area = table["area_fraction"].to_numpy(dtype=float)
    place = np.where(attention_is_on(energy, area, enrichment), "on", "off")
    place = np.where(np.isnan(energy), "no-map", place)
    place = np.where(np.isnan(area), "no-region", place)
    answer = np.where(table["correct"].to_numpy() == 1, "right", "wrong")
    kinds = {name: name for name in QUADRANTS}  # one text for all rows alike
    found = [kinds[f"{one}-{where}"] for one, where in zip(answer, place, strict=True)]
    return pd.Series(found, index=table.index, name="quadrant", dtype=object)


def quadrants_of(table: pd.DataFrame, enrichment: float = ENRICHMENT) -> dict[str, Quadrants]:
    """Count the quadrants of each group, the groups in the order of the table.

    Args:
        table: Per-image rows of one split.
        enrichment: As for :func:`quadrant_of`.
    """
    quadrants = quadrant_of(table, enrichment)
    return {
        str(group): Quadrants(**count_quadrants(quadrants[rows.index]))
        for group, rows in table.groupby("group", sort=False, observed=True)
    }


def count_quadrants(quadrants: pd.Series) -> dict[str, int]:
    """Return how many images stand in each quadrant, by its name with underscores."""
    counts = quadrants.value_counts()
    return {name.replace("-", "_"): int(counts.get(name, 0)) for name in QUADRANTS}
