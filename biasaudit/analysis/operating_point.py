"""Which operating point an audit reports at: training's, or one fitted on the val it measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from biasaudit.results import OperatingPointRecord
from biasaudit.statistics import OperatingPoint, fit_operating_point

FITTED_ON = "val"
"""The subset that operating points are fitted on, never a counterfactual group."""


def operating_point_of(
    table: pd.DataFrame, object: str, trained: Mapping[str, OperatingPoint] | None
) -> OperatingPointRecord | None:
    """Return the operating point of the audited object.

    Args:
        table: The per-image table.
        object: The audited object.
        trained: What training fitted, by class; None where it fitted nothing.

    Returns:
        Training's point where there is one, else a point fitted on the rows of ``val``; None
        where neither exists.
    """
    if trained is not None:
        return OperatingPointRecord(
            fitted_in="training", subset=FITTED_ON, **asdict(trained[object])
        )
    val = table[(table["split"] == FITTED_ON) & (table["group"] == "")]
    if val.empty:
        return None
    point = fit_operating_point(val["score"], val["label"] == 1)
    return OperatingPointRecord(fitted_in="evaluation", subset=FITTED_ON, **asdict(point))


def decisions_at(point: OperatingPointRecord | None, scores: pd.Series) -> pd.Series:
    """Return 1 where a score lies above the point's threshold, 0 where not, NaN without one."""
    if point is None or point.threshold is None:
        return pd.Series(np.nan, index=scores.index)
    return (scores > point.threshold).astype(float).where(scores.notna())
