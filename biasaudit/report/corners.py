"""The four corners: right or wrong answer, times attention on or off the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from biasaudit.report.audit import Audit, rows_of

MOST = 0.5
"""Attention lies on the object where at least this share of it falls inside the region, ..."""
ENRICHMENT = 2.0
"""... or this many times the region's share of the image: what an even map would put there."""

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


def corner(correct: bool, energy: float, area_fraction: float) -> str:
    """Return the corner of one answer.

    Args:
        correct: Whether the answer is right.
        energy: Energy pointing game in [0, 1]; NaN where it does not exist.
        area_fraction: The region's share of the image; NaN likewise.
    """
    where = "on" if energy >= min(MOST, ENRICHMENT * area_fraction) else "off"
    if np.isnan(energy) or np.isnan(area_fraction):
        where = "none"
    return f"{'right' if correct else 'wrong'}-{where}"


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
    corners = [corner(c, e, a) for c, e, a in zip(correct, energy, area, strict=True)]
    return rows.assign(
        score=score, correct=correct, probability=probability, right=right, corner=corners
    )


def _count(table: pd.DataFrame, group: str) -> dict[str, int]:
    """Count the corners of one group, or of all where it is empty."""
    rows = table if not group else table[table.index.get_level_values("cell") == group]
    counts = rows["corner"].value_counts()
    return {name: int(counts.get(name, 0)) for name in CORNERS}
