"""The accuracies at the threshold that was fitted on val, beside the raw ones of the main table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from biasaudit.report.format import Estimate
from biasaudit.report.view import AuditView, Column, Row, group_words
from biasaudit.results import Group, Overall


@dataclass(frozen=True)
class Point:
    """One run's operating point.

    Attributes:
        threshold: In units of the score; None where there is no operating point.
        temperature: Likewise.
        note: Why there is none, else empty.
    """

    threshold: float | None
    temperature: float | None
    note: str


@dataclass(frozen=True)
class Fitted:
    """What a report shows of the operating points.

    Attributes:
        points: Of each run, in column order.
        rows: Fitted accuracies, in the order of the main table.
    """

    points: tuple[Point, ...]
    rows: tuple[Row, ...]


def operating_point(audit: AuditView) -> Fitted | None:
    """Return the fitted accuracies of an audit; None where no run has one."""
    rows = []
    for key, split, group in _places(audit):
        entries = tuple(_entry(column, split, group) for column in audit.columns)
        if any(entry.value is not None for entry in entries):
            rows.append(Row(group_words(key), "", "rate", entries, None, key))
    return Fitted(tuple(map(_point, audit.columns)), tuple(rows)) if rows else None


def _places(audit: AuditView) -> Iterator[tuple[str, str, str | None]]:
    """Yield key, split and group of each row."""
    splits = [item for column in audit.columns for item in column.run.splits.items()]
    for name in dict.fromkeys(name for name, found in splits if not found.groups):
        if name != audit.split:
            yield name, name, None
    if audit.split is not None:
        for group in audit.groups:
            yield group, audit.split, group
        yield "overall", audit.split, None


def _entry(column: Column, split: str, group: str | None) -> Estimate:
    found = column.run.splits.get(split)
    part: Overall | Group | None = None
    if found is not None:
        part = found.overall if group is None else found.groups.get(group)
    if part is None:
        return Estimate(None)
    return Estimate.of(
        part.accuracy_at_operating_point, part.accuracy_at_operating_point_ci, part.n
    )


def _point(column: Column) -> Point:
    found = column.run.operating_point
    if found is None:
        return Point(None, None, "")
    return Point(found.threshold, found.temperature, found.note)
