"""The four quadrants: right or wrong answer, times attention on or off the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from biasaudit.analysis.attention_on import attention_is_known, attention_is_on
from biasaudit.report.view import AuditView, rows_of

QUADRANTS = ("right-on", "right-off", "wrong-on", "wrong-off", "right-none", "wrong-none")
"""Answer and attention; ``none`` where the image has no region or the map is all zero."""


@dataclass(frozen=True)
class QuadrantRow:
    """How many images of one run stand in each quadrant.

    Attributes:
        subset: The pool; "" for all groups together.
        label: The run.
        counts: By quadrant; None where the run has no per-image table.
    """

    subset: str
    label: str
    counts: dict[str, int] | None


def count_quadrants(audit: AuditView) -> list[QuadrantRow]:
    """Return the quadrants of every run, of all groups together or of each pool by itself."""
    subsets = ("",) if audit.groups else audit.image_sets
    return [
        QuadrantRow(subset, column.label, None if table is None else _count(table, subset))
        for subset in subsets
        for column, table in zip(audit.columns, tables_of(audit), strict=True)
    ]


def tables_of(audit: AuditView) -> list[pd.DataFrame | None]:
    """Return each run's rows, indexed by group and id, with probabilities and quadrants."""
    return [_table_of(rows_of(audit, column.audit.per_image)) for column in audit.columns]


def _table_of(rows: pd.DataFrame | None) -> pd.DataFrame | None:
    if rows is None:
        return None
    correct = rows["correct"].astype(bool)
    energy = rows["energy_pointing_game"].astype(float)
    score = rows["score"].astype(float)
    probability = 1 / (1 + np.exp(-np.clip(score, -60, 60)))
    right = np.where(rows["label"].astype(bool), probability, 1 - probability)
    area = rows["area_fraction"].astype(float)
    quadrant = quadrants_of(correct, energy, area)
    return rows.assign(
        score=score, correct=correct, probability=probability, right=right, quadrant=quadrant
    )


def quadrants_of(correct: ArrayLike, energy: ArrayLike, area_fraction: ArrayLike) -> list[str]:
    """Return the quadrant of each answer.

    Args:
        correct: (N,) whether the answer is right.
        energy: (N,) energy pointing game in [0, 1]; NaN where it does not exist.
        area_fraction: (N,) the region's share of the image; NaN likewise.
    """
    place = np.where(attention_is_on(energy, area_fraction), "on", "off")
    place = np.where(attention_is_known(energy, area_fraction), place, "none")
    answers = np.where(correct, "right", "wrong")
    return [f"{answer}-{where}" for answer, where in zip(answers, place, strict=True)]


def _count(table: pd.DataFrame, subset: str) -> dict[str, int]:
    """Count the quadrants of one subset, or of all where it is empty."""
    rows = table if not subset else table[table.index.get_level_values("group") == subset]
    counts = rows["quadrant"].value_counts()
    return {name: int(counts.get(name, 0)) for name in QUADRANTS}
