"""Runs that differ in their seed alone: means, and the spread that chance in training gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biasaudit.report.grouping import setting_label
from biasaudit.report.view import AuditView, Row


@dataclass(frozen=True)
class Spread:
    """One figure over several seeds, in [0, 1]; the ends are runs, not bounds of an interval."""

    mean: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class SeedRow:
    """One setting.

    Attributes:
        label: Mode and label budget.
        seeds: How many runs there are.
        spreads: One a row of the audit's table; None where no run has the figure.
        columns: Which columns of the audit are its runs.
    """

    label: str
    seeds: int
    spreads: tuple[Spread | None, ...]
    columns: tuple[int, ...]


def over_seeds(audit: AuditView) -> list[SeedRow]:
    """Return one row a setting, or nothing where every setting was trained with one seed."""
    groups: dict[str, list[int]] = {}
    for place, column in enumerate(audit.columns):
        groups.setdefault(setting_label(column.run), []).append(place)
    if all(len(places) == 1 for places in groups.values()):
        return []
    rows = audit.table()
    return [
        SeedRow(label, len(places), tuple(_spread(row, places) for row in rows), tuple(places))
        for label, places in groups.items()
    ]


def _spread(row: Row, places: Sequence[int]) -> Spread | None:
    found = [row.entries[place].value for place in places]
    values = [value for value in found if value is not None]
    if not values:
        return None
    return Spread(sum(values) / len(values), min(values), max(values))
