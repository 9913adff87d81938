"""The four corners: right or wrong answer, times attention on or off the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from biasaudit.analysis.attention_on import attention_is_known, attention_is_on
from biasaudit.report.view import Audit, rows_of

CORNERS = ("right-on", "right-off", "wrong-on", "wrong-off", "right-none", "wrong-none")
"""Answer and attention; ``none`` where the image has no region or the map is all zero."""


@dataclass(frozen=True)
class CornerRow:
    """How many images of one run stand in each corner.

    Attributes:
        group: The pool; "" for all cells together.
        label: The run.
        counts: By corner; None where the run has no per-image table.
    """

    group: str
    label: str
    counts: dict[str, int] | None


def count_corners(audit: Audit) -> list[CornerRow]:
    """Return the corners of every run, of all cells together or of each pool by itself."""
    groups = ("",) if audit.cells else audit.groups
    return [
        CornerRow(group, column.label, None if table is None else _count(table, group))
        for group in groups
        for column, table in zip(audit.columns, tables_of(audit), strict=True)
    ]


def tables_of(audit: Audit) -> list[pd.DataFrame | None]:
    """Return each run's rows, indexed by group and id, with probabilities and corners."""
    return [_table_of(rows_of(audit, column.view.per_image)) for column in audit.columns]


def _table_of(rows: pd.DataFrame | None) -> pd.DataFrame | None:
    if rows is None:
        return None
    correct = rows["correct"].astype(bool)
    energy = rows["energy_pointing_game"].astype(float)
    score = rows["score"].astype(float)
    probability = 1 / (1 + np.exp(-np.clip(score, -60, 60)))
    right = np.where(rows["label"].astype(bool), probability, 1 - probability)
    area = rows["area_fraction"].astype(float)
    corner = corners_of(correct, energy, area)
    return rows.assign(
        score=score, correct=correct, probability=probability, right=right, corner=corner
    )


def corners_of(correct: ArrayLike, energy: ArrayLike, area_fraction: ArrayLike) -> list[str]:
    """Return the corner of each answer.

    Args:
        correct: (N,) whether the answer is right.
        energy: (N,) energy pointing game in [0, 1]; NaN where it does not exist.
        area_fraction: (N,) the region's share of the image; NaN likewise.
    """
    place = np.where(attention_is_on(energy, area_fraction), "on", "off")
    place = np.where(attention_is_known(energy, area_fraction), place, "none")
    answers = np.where(correct, "right", "wrong")
    return [f"{answer}-{where}" for answer, where in zip(answers, place, strict=True)]


def _count(table: pd.DataFrame, group: str) -> dict[str, int]:
    """Count the corners of one group, or of all where it is empty."""
    rows = table if not group else table[table.index.get_level_values("cell") == group]
    counts = rows["corner"].value_counts()
    return {name: int(counts.get(name, 0)) for name in CORNERS}
