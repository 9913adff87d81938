"""The quadrants of each run: right or wrong answer, attention on or off the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from biasaudit.analysis.quadrants import QUADRANTS, quadrant_of
from biasaudit.analysis.quadrants import count_quadrants as count
from biasaudit.report.view import AuditView, rows_of


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
    score = rows["score"].astype(float)
    probability = 1 / (1 + np.exp(-np.clip(score, -60, 60)))
    right = np.where(rows["label"].astype(bool), probability, 1 - probability)
    return rows.assign(
        score=score,
        correct=correct,
        probability=probability,
        right=right,
        quadrant=quadrant_of(rows),
    )


def _count(table: pd.DataFrame, subset: str) -> dict[str, int]:
    """Count the quadrants of one subset, or of all where it is empty."""
    rows = table if not subset else table[table.index.get_level_values("group") == subset]
    return dict(zip(QUADRANTS, count(rows["quadrant"]).values(), strict=True))
