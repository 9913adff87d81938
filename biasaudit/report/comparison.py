"""The view model of two runs held against each other, split by split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from biasaudit.analysis import Change, Comparison
from biasaudit.errors import RunError
from biasaudit.report import methods
from biasaudit.report.build import GALLERY_SIZE, LIST_SIZE, render_template
from biasaudit.report.format import NAME_LENGTH, Estimate, clean, figure, points, span
from biasaudit.report.grouping import groups_of, run_labels
from biasaudit.report.sections.classes import class_page
from biasaudit.report.sections.images import Images, build_images
from biasaudit.report.sections.pairs import pair_guard
from biasaudit.report.view import VAL, AuditView, Column, group_words
from biasaudit.results import Audit, Group, Overall

NAMES = {
    "overall.accuracy": "overall accuracy",
    "worst.accuracy": "accuracy of the worst group",
    "overall.auroc": "AUROC",
    "overall.energy_pointing_game": "attention inside the region",
}


@dataclass(frozen=True)
class FigureRow:
    """One figure in both runs.

    Attributes:
        name: What is measured.
        kind: ``rate``, or ``auroc`` for what is told as a decimal.
        first: In the first run, with its own interval where the results have one.
        second: In the second run.
        difference: Second less first, for paired images.
        p_value: Adjusted by Holm over the figures of the split; NaN where it does not exist.
        outcome: ``better``, ``worse`` or ``no difference shown``.
    """

    name: str
    kind: str
    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float
    outcome: str

    @property
    def p_words(self) -> str:
        """The p-value as text."""
        if math.isnan(self.p_value):
            return "–"
        return "< 0.001" if self.p_value < 0.001 else f"{self.p_value:.3f}"


@dataclass(frozen=True)
class ChangedGroup:
    """How many answers changed in one group.

    Attributes:
        name: The group, or the split.
        mended: Images that the second run alone gets right.
        broken: Images that the first run alone gets right.
    """

    name: str
    mended: int
    broken: int


@dataclass(frozen=True)
class VersusPage:
    """Everything that the template shows of one split.

    Attributes:
        audit: The two runs as its columns.
        prefix: Begins every anchor of this split; empty for the first.
        verdict: One sentence on the overall accuracy.
        rows: Every figure.
        groups: How many answers changed.
        images: The images whose answer changed.
        n: Images that both answered.
    """

    audit: AuditView
    prefix: str
    verdict: str
    rows: Sequence[FigureRow]
    groups: Sequence[ChangedGroup]
    images: Images
    n: int


def render_comparison(
    first: Audit,
    second: Audit,
    found: Mapping[str, Comparison],
    gallery_size: int = GALLERY_SIZE,
) -> str:
    """Return the comparison as one HTML document that needs no network.

    Args:
        first: The run to hold against.
        second: The run that is judged.
        found: Their comparison on each split, the most telling one first.
        gallery_size: How many changed images of each group are shown as pictures.

    Raises:
        RunError: No split is compared.
    """
    pages = versus_pages(first, second, found, gallery_size, LIST_SIZE)
    if not pages:
        raise RunError("nothing to compare: the two share no split", "evaluate both alike")
    audit = pages[0].audit
    labels = [column.label for column in audit.columns]
    return render_template(
        "compare.html.j2",
        title=f"{labels[1]} against {labels[0]}: {audit.object}",
        pages=pages,
        columns=audit.columns,
        classes=class_page(audit, 0),
        pairs=pair_guard(audit, 0),
        method=methods.COMPARISON,
        limits=methods.differences(audit.columns, audit.object),
    )


def versus_pages(
    first: Audit,
    second: Audit,
    found: Mapping[str, Comparison],
    gallery_size: int,
    list_size: int,
) -> list[VersusPage]:
    """Return one page a split.

    Args:
        first: The run to hold against.
        second: The run that is judged.
        found: Their comparison on each split.
        gallery_size: How many changed images of each group are shown as pictures.
        list_size: How many changed images the table lists at most.
    """
    pages = []
    for number, (name, one) in enumerate(found.items(), 1):
        audit = _audit(first, second, name, number)
        changed = {
            (group or name, image)
            for side in (one.mended, one.broken)
            for group, ids in side.items()
            for image in ids
        }
        rows = [_row(change, audit) for change in one.changes]
        pages.append(
            VersusPage(
                audit,
                "" if number == 1 else f"s{number}-",
                _verdict(audit, rows[0], one.n),
                rows,
                [
                    ChangedGroup(group_words(group or name), len(ids), len(one.broken[group]))
                    for group, ids in one.mended.items()
                ],
                build_images(audit, gallery_size, list_size, changed),
                one.n,
            )
        )
    return pages


def _audit(first: Audit, second: Audit, name: str, number: int) -> AuditView:
    views = (first, second)
    columns = tuple(Column(*pair) for pair in zip(run_labels(views), views, strict=True))
    run = first.run
    groups, aligned = groups_of([run], name)
    return AuditView(
        number,
        clean(run.object, NAME_LENGTH),
        None if run.context is None else clean(run.context, NAME_LENGTH),
        clean(run.dataset, NAME_LENGTH),
        name if groups else None,
        groups,
        columns,
        () if groups else (name,),
        aligned,
    )


def _row(change: Change, audit: AuditView) -> FigureRow:
    first, second = (
        _estimate(column, audit.target, change.figure, value)
        for column, value in zip(audit.columns, (change.first, change.second), strict=True)
    )
    group = change.figure.removesuffix(".accuracy")
    low, high = change.interval
    known = not math.isnan(low)
    return FigureRow(
        NAMES.get(change.figure) or group_words(group),
        "auroc" if change.figure.endswith("auroc") else "rate",
        first,
        second,
        Estimate(change.difference, low if known else None, high if known else None),
        change.p_adjusted,
        change.outcome,
    )


def _estimate(column: Column, name: str | None, path: str, value: float) -> Estimate:
    """Return a figure with the interval that the run's own results give it.

    Attention is compared over the images that both runs have a map of, which the run's own
    interval does not speak of: that figure has none.
    """
    if math.isnan(value):
        return Estimate(None)
    place, _, metric = path.rpartition(".")
    if metric == "energy_pointing_game":
        return Estimate(value)
    split = AuditView.split_of(column, name)
    part: Overall | Group | None = None
    if split is not None:
        part = split.overall if place == "overall" else split.groups.get(place)
    return Estimate.of(value, getattr(part, f"{metric}_ci", None), 0)


def _verdict(audit: AuditView, row: FigureRow, n: int) -> str:
    first, second = (column.label for column in audit.columns)
    place = f"on {audit.target}"
    if audit.groups and audit.context is not None and str(audit.split).startswith("biased-"):
        place = f"where {audit.object} and {audit.context} part"
    told = f"{figure(row.second)} against {figure(row.first)} right, "
    told += f"{points(row.difference.value)} points {span(row.difference)} on the same {n} images."
    if row.outcome == "no difference shown":
        return f"No difference is shown between {second} and {first} {place}: {told}"
    said = f"{second} is {row.outcome} than {first} {place}: {told}"
    return said + (" Val shares the bias of the training images." if audit.target == VAL else "")
