"""The guard against swapped shortcuts: what became of every other object-context pair."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from biasaudit.analysis import worsened
from biasaudit.errors import RunError
from biasaudit.report.format import NAME_LENGTH, clean
from biasaudit.report.view import AuditView

MOST = 30
"""Pairs that the table shows at most."""


@dataclass(frozen=True)
class PairRow:
    """One pair in every run.

    Attributes:
        name: Object and context.
        n: Images in its two groups.
        accuracies: Mean of the two groups' accuracies, one a run; None where it was not audited.
        worse: Whether it is shown to have got worse than in the lead run, one a run.
    """

    name: str
    n: int
    accuracies: tuple[float | None, ...]
    worse: tuple[bool, ...]

    @property
    def fall(self) -> float:
        """The largest fall from the best run to the worst one."""
        known = [value for value in self.accuracies if value is not None]
        return max(known) - min(known)


@dataclass(frozen=True)
class PairGuard:
    """All pairs of an audit.

    Attributes:
        rows: Those that got worse first, then those that the runs differ on most.
        total: How many pairs were audited.
        compared: Whether each run was held against the lead run, image by image.
    """

    rows: tuple[PairRow, ...]
    total: int
    compared: tuple[bool, ...]

    @property
    def worse(self) -> int:
        """In how many pairs some run is shown to be worse."""
        return sum(any(row.worse) for row in self.rows)


def pair_guard(audit: AuditView, lead: int) -> PairGuard | None:
    """Hold every other pair of each run against the lead run.

    Args:
        audit: The audit.
        lead: Column of the run to compare with.

    Returns:
        The pairs, or None where no run's were audited.
    """
    tables = [_by_pair(column.audit.pairs) for column in audit.columns]
    names = dict.fromkeys(name for table in tables for name in table)
    if not names:
        return None
    found = [
        _worse(tables[lead], table) if place != lead and table else None
        for place, table in enumerate(tables)
    ]
    rows = [_row(name, tables, found) for name in names]
    rows.sort(key=lambda row: (-sum(row.worse), -row.fall, row.name))
    return PairGuard(tuple(rows[:MOST]), len(rows), tuple(one is not None for one in found))


def _by_pair(table: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    if table is None:
        return {}
    return {str(name): rows for name, rows in table.groupby("split", sort=False, observed=True)}


def _worse(
    before: dict[str, pd.DataFrame], after: dict[str, pd.DataFrame]
) -> dict[str, float] | None:
    """Return the pairs that got worse; None where the runs did not answer the same images."""
    shared = [name for name in before if name in after]
    try:
        return worsened({name: (before[name], after[name]) for name in shared}) if shared else None
    except RunError:
        return None


def _row(
    name: str, tables: list[dict[str, pd.DataFrame]], found: list[dict[str, float] | None]
) -> PairRow:
    rows = [table.get(name) for table in tables]
    return PairRow(
        clean(name.replace("/", " / "), 2 * NAME_LENGTH),
        max(len(table) for table in rows if table is not None),
        tuple(
            None
            if table is None
            else float(table.groupby("group", observed=True)["correct"].mean().mean())
            for table in rows
        ),
        tuple(one is not None and name in one for one in found),
    )
