"""Attention on object and context beyond chance, and accuracy against it: one point a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from biasaudit.report.format import Estimate
from biasaudit.report.view import AuditView
from biasaudit.results import Group, Run, Split


@dataclass(frozen=True)
class ExcessRow:
    """Attention of one run beyond what a uniform map would put there, in [-1, 1].

    Attributes:
        label: The run.
        object: On the object, over images of the object without its context.
        object_of: How many images that group has; ``object.n`` of them have a map.
        context: On the context, over images of the context without the object.
        context_of: Likewise.
    """

    label: str
    object: Estimate
    object_of: int
    context: Estimate
    context_of: int


@dataclass(frozen=True)
class Point:
    """One run on the front of accuracy against attention.

    Attributes:
        label: The run.
        attention: On the object beyond chance.
        accuracy: Over the groups.
        before: Place of the point of the run that this one repaired; None where it is not shown.
    """

    label: str
    attention: Estimate
    accuracy: Estimate
    before: int | None = None


def excess(audit: AuditView) -> list[ExcessRow]:
    """Return one row a run whose attention was measured on object or context."""
    rows = [
        _row(column.label, split)
        for column, split in zip(audit.columns, audit.splits(), strict=True)
        if split is not None
    ]
    return [row for row in rows if row.object.value is not None or row.context.value is not None]


def front(audit: AuditView) -> list[Point]:
    """Return one point a run that has both an accuracy over the groups and an attention map."""
    rows = {row.label: row for row in excess(audit)}
    found = [
        (column.run, Point(column.label, rows[column.label].object, accuracy))
        for column, accuracy in zip(audit.columns, audit.overall(), strict=True)
        if column.label in rows
        and rows[column.label].object.value is not None
        and accuracy.value is not None
    ]
    runs = [run for run, _ in found]
    return [
        Point(point.label, point.attention, point.accuracy, repaired_from(run, runs))
        for run, point in found
    ]


def repaired_from(run: Run, runs: Sequence[Run]) -> int | None:
    """Return the place of the run that another one repaired; None where it is not among them."""
    record = run.settings.get("repair")
    if not isinstance(record, dict):
        return None
    source = PurePath(str(record.get("repaired")))
    names = {source.name, source.stem, source.parent.name}
    found = [place for place, one in enumerate(runs) if one is not run and one.name in names]
    alike = [place for place in found if "repair" not in runs[place].settings]
    return next(iter([*alike, *found]), None)


def _row(label: str, split: Split) -> ExcessRow:
    verdict = split.verdict
    conflicting = [g for g in split.groups.values() if g.alignment == "conflicting"]
    there = next((group for group in conflicting if group.answer), None)
    alone = next((group for group in conflicting if group.answer is False), None)
    on_object, on_context = Estimate(None), Estimate(None)
    if verdict is not None and there is not None:
        n = there.attention.n_valid
        on_object = Estimate.of(verdict.object_excess, verdict.object_excess_ci, n)
    if verdict is not None and alone is not None:
        n = alone.attention.context_n
        on_context = Estimate.of(verdict.context_excess, verdict.context_excess_ci, n)
    return ExcessRow(label, on_object, _size(there), on_context, _size(alone))


def _size(group: Group | None) -> int:
    return 0 if group is None else group.n
