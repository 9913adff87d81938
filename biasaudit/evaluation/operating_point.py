"""Which operating point an audit reports at: training's, or one fitted on the val it measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from biasaudit.data.splits.resolve import Split
from biasaudit.evaluation.predict import Subject
from biasaudit.statistics import OperatingPoint, fit_operating_point

FITTED_ON = "val"
"""The subset that operating points are fitted on, never a counterfactual group."""


def operating_points(
    subject: Subject, splits: Sequence[Split], tables: Mapping[str, pd.DataFrame]
) -> dict[str, OperatingPoint]:
    """Return the operating point of each audited object.

    Args:
        subject: The classifier; what its training fitted, if it did, is taken as it is.
        splits: The audited splits.
        tables: Per-image rows of each split by its name.
    """
    objects = {split.object for split in splits}
    if subject.operating_points is not None:
        return {name: subject.operating_points[name] for name in objects}
    val = [split for split in splits if split.name == FITTED_ON and not split.groups]
    return {
        split.object: fit_operating_point(
            tables[split.name]["score"], tables[split.name]["label"] == 1
        )
        for split in val
    }
