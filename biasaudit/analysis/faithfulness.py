"""Faithfulness from rows: what the object's probability loses as parts of its images are erased."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from biasaudit.results import METRIC_PREFIX, PER_IMAGE_COLUMNS, Faithfulness
from biasaudit.statistics import mean_interval

PROBABILITY = "probability"
"""The column that says of an image that its faithfulness was measured."""


def erasure_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of a per-image table that say what erasing did; few images have any."""
    return [
        name
        for name in table
        if name not in PER_IMAGE_COLUMNS and not str(name).startswith(METRIC_PREFIX)
    ]


def faithfulness_of(rows: pd.DataFrame, seed: int = 0) -> Faithfulness | None:
    """Return mean falls and curves over the images that were measured.

    Args:
        rows: Per-image rows of one split; where faithfulness was measured, with ``probability``
            of the image as it is, ``without_attention``, ``without_random``, ``without_region``,
            ``without_context``, and ``deletion_0.0`` to ``insertion_1.0``.
        seed: Of the interval's resamples.

    Returns:
        None where no image was measured.
    """
    if PROBABILITY not in rows:
        return None
    rows = rows[rows[PROBABILITY].notna()]
    if rows.empty:
        return None
    whole = rows[PROBABILITY]
    excess = rows["without_random"] - rows["without_attention"]
    interval = mean_interval(excess.to_numpy(), seed=seed, bounds=None)
    deletion, insertion = _curve(rows, "deletion_"), _curve(rows, "insertion_")
    return Faithfulness(
        fall_attention=float((whole - rows["without_attention"]).mean()),
        fall_random=float((whole - rows["without_random"]).mean()),
        fall_region=float((whole - rows["without_region"]).mean()),
        fall_context=float((whole - rows["without_context"]).mean()),
        excess=float(excess.mean()),
        excess_ci=interval,
        n=int(rows["without_attention"].notna().sum()),
        n_regions=int(rows["without_region"].notna().sum()),
        decides=interval[0] > 0,
        deletion_curve=list(deletion.values()),
        deletion_area=_area(deletion),
        insertion_curve=list(insertion.values()),
        insertion_area=_area(insertion),
    )


def _curve(rows: pd.DataFrame, prefix: str) -> dict[float, float]:
    """Return the mean probability by share of the pixels."""
    names = [name for name in rows if str(name).startswith(prefix)]
    return {float(name.removeprefix(prefix)): float(rows[name].mean()) for name in names}


def _area(curve: dict[float, float]) -> float:
    """Return the curve's mean height by the trapezoidal rule."""
    at, height = np.array(list(curve)), np.array(list(curve.values()))
    if len(at) < 2:
        return math.nan
    return float(np.trapezoid(height, at) / (at[-1] - at[0]))
