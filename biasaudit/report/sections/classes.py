"""All classes: recall of each in every run, harm to other objects, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biasaudit.analysis import ClassHarm, class_harm, harm_sentence
from biasaudit.errors import RunError
from biasaudit.report.format import NAME_LENGTH, Estimate, clean
from biasaudit.report.view import AuditView, Column
from biasaudit.results import ClassAnswers

MOST = 40
"""Classes that the table shows at most of each subset."""
MOST_CONFUSED = 12
"""Classes up to which the confusion matrix is shown."""


@dataclass(frozen=True)
class ClassRow:
    """Recall of one class on one subset, in every run.

    Attributes:
        subset: Its name.
        name: The class; ``top-1`` where all classes are meant.
        n: Its images there.
        recalls: One a run; empty where the run was not audited on it.
        worse: Whether the class is shown to have lost against the lead run, one a run.
    """

    subset: str
    name: str
    n: int
    recalls: tuple[Estimate, ...]
    worse: tuple[bool, ...]


@dataclass(frozen=True)
class ConfusionTable:
    """Which class has the highest score, by the class of the image, in one run.

    Attributes:
        label: The run.
        subset: Whose images.
        classes: Rows and columns.
        counts: Images; a last column for other classes where there are such answers.
        elsewhere: Whether there is that column.
    """

    label: str
    subset: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    elsewhere: bool


@dataclass(frozen=True)
class ClassPage:
    """What a report shows of all classes.

    Attributes:
        rows: Subset by subset, in score order.
        harm: Run and sentence on the images of other objects, one a run but the lead run.
        confusions: One a run, where each image has one class.
        more: Classes that the table leaves out.
    """

    rows: tuple[ClassRow, ...]
    harm: tuple[tuple[str, str], ...]
    confusions: tuple[ConfusionTable, ...]
    more: int


def class_page(audit: AuditView, lead: int) -> ClassPage | None:
    """Return the classes of an audit's runs, each held against the lead run.

    Args:
        audit: The audit.
        lead: Column of the run to compare with.

    Returns:
        None where no run has the figures of several classes.
    """
    columns = audit.columns
    tables = [column.run.classes for column in columns]
    subsets = list(dict.fromkeys(name for table in tables for name in table))
    if all(len(found.classes) < 2 for table in tables for found in table.values()):
        return None
    harms = [None if at == lead else _harm(columns[lead], one) for at, one in enumerate(columns)]
    rows: list[ClassRow] = []
    more = 0
    for subset in subsets:
        found = [table.get(subset) for table in tables]
        names = list(dict.fromkeys(name for one in found if one for name in one.classes))
        more = max(more, len(names) - MOST)
        rows += _top_1(subset, found)
        rows += [_row(subset, name, found, harms) for name in names[:MOST]]
    told = [
        (column.label, harm_sentence(harm))
        for column, harm in zip(columns, harms, strict=True)
        if harm is not None
    ]
    confusions = [
        table for column in columns if subsets for table in _confusion(column, subsets[-1])
    ]
    return ClassPage(tuple(rows), tuple(told), tuple(confusions), max(more, 0))


def _harm(lead: Column, column: Column) -> ClassHarm | None:
    """Return the harm to other objects; None where the runs answered other labels."""
    try:
        return class_harm(lead.audit, column.audit)
    except RunError:
        return None


def _row(
    subset: str,
    name: str,
    found: Sequence[ClassAnswers | None],
    harms: Sequence[ClassHarm | None],
) -> ClassRow:
    figures = [None if one is None else one.classes.get(name) for one in found]
    return ClassRow(
        clean(subset, NAME_LENGTH),
        clean(name, NAME_LENGTH),
        max((one.n for one in figures if one is not None), default=0),
        tuple(
            Estimate(None) if one is None else Estimate.of(one.recall, one.recall_ci, one.n)
            for one in figures
        ),
        tuple(harm is not None and name in harm.classes_shown for harm in harms),
    )


def _top_1(subset: str, found: Sequence[ClassAnswers | None]) -> list[ClassRow]:
    if not any(one is not None and one.top_1 is not None for one in found):
        return []
    estimates = tuple(
        Estimate(None) if one is None else Estimate.of(one.top_1, one.top_1_ci, one.n)
        for one in found
    )
    n = max(one.n for one in found if one is not None)
    return [ClassRow(clean(subset, NAME_LENGTH), "top-1", n, estimates, (False,) * len(found))]


def _confusion(column: Column, subset: str) -> list[ConfusionTable]:
    answers = column.run.classes.get(subset)
    found = None if answers is None else answers.confusion
    if found is None or len(found.classes) > MOST_CONFUSED:
        return []
    elsewhere = any(found.elsewhere)
    counts = [
        (*row, other) if elsewhere else tuple(row)
        for row, other in zip(found.counts, found.elsewhere, strict=True)
    ]
    classes = tuple(clean(name, NAME_LENGTH) for name in found.classes)
    return [
        ConfusionTable(column.label, clean(subset, NAME_LENGTH), classes, tuple(counts), elsewhere)
    ]
