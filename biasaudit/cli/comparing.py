"""How comparisons are printed: tables of changes, images by id, harm to other classes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.table import Table

from biasaudit.analysis import Change, Comparison, class_harm, harm_sentence, outcome_of
from biasaudit.cli.flags import message_of
from biasaudit.errors import RunError
from biasaudit.results import Audit, Interval
from biasaudit.statistics import SeedLevels

IDS_SHOWN = 8
DECIMAL = "auroc"
"""Figures that are told as decimals; all others are told in percent, differences in points."""


def changes_table(split: str, found: Comparison, labels: tuple[str, str]) -> Table:
    """Return every figure in both runs, its difference, and what is shown.

    Args:
        split: The split's name.
        found: The comparison.
        labels: What the two runs are called.
    """
    table = _frame(
        f"{split} ({found.n} images): {labels[1]} against {labels[0]}",
        "In % and points; AUROC as it is. 95% intervals for paired images, each for itself; p by "
        "Holm over the table's figures; better or worse where it is at most .05. Energy over the "
        "images that both have a map of.",
    )
    for column in ("first", "second", "difference", "p (Holm)"):
        table.add_column(column, justify="right")
    table.add_column("", justify="left")
    for change in found.changes:
        table.add_row(change.figure, *_groups(change), change.outcome)
    return table


def seeds_table(
    split: str,
    found: Mapping[str, SeedLevels],
    adjusted: Mapping[str, float],
    labels: tuple[str, str],
) -> Table:
    """Return the mean difference over seeds of every figure, and where its variance comes from.

    Args:
        split: The split's name.
        found: By figure.
        adjusted: Holm's p-value by figure.
        labels: The two modes.
    """
    n = max(level.n_seeds for level in found.values())
    table = _frame(
        f"{split}: {labels[1]} against {labels[0]}, mean over {n} seeds",
        "In points; AUROC as it is. 95% intervals over seeds and images, each for itself; p by "
        "Holm over the table's figures; better or worse where it is at most .05.",
    )
    for column in ("difference", "sd between seeds", "se from images", "p (Holm)"):
        table.add_column(column, justify="right")
    table.add_column("", justify="left")
    for figure, level in found.items():
        scale = _scale(figure)
        table.add_row(
            figure,
            _difference(level.mean, level.interval, scale),
            _number(level.sd_seeds, scale),
            _number(level.se_images, scale),
            _p(adjusted[figure]),
            outcome_of(level.mean, adjusted[figure]),
        )
    return table


def id_lines(found: Comparison, labels: tuple[str, str]) -> list[str]:
    """Return, by group, which images the second run alone gets right, and which the first alone.

    Args:
        found: The comparison.
        labels: What the two runs are called.
    """
    lines = []
    for ids_by_group, label in ((found.mended, labels[1]), (found.broken, labels[0])):
        for group, ids in ids_by_group.items():
            if not ids:
                continue
            more = len(ids) - IDS_SHOWN
            tail = f" and {more} more (--json names all)" if more > 0 else ""
            where = f"{group}: " if group else ""
            shown = ", ".join(ids[:IDS_SHOWN])
            lines.append(f"{where}{len(ids)} that {label} alone gets right: {shown}{tail}")
    return lines or ["No image is answered otherwise."]


def carried_line(found: Comparison, sizes: Mapping[str, int]) -> str:
    """Return what the images of each group can show at best.

    Args:
        found: The comparison.
        sizes: Images of each group.
    """
    parts = []
    for group, least in found.least.items():
        images = f"{sizes[group]} images" + (f" of {group}" if group else "")
        shown = "no difference" if math.isnan(least) else f"no less than {100 * least:.0f} points"
        parts.append(f"{images} can show {shown}")
    return f"At best, {'; '.join(parts)} (exact McNemar at 5%, before Holm)."


def harm_lines(first: Audit, second: Audit, labels: tuple[str, str]) -> list[str]:
    """Word what became of the images of other objects.

    Args:
        first: The audit to compare with.
        second: The audit that is judged.
        labels: What the two runs are called.
    """
    if first.run.object != second.run.object:
        return []
    try:
        found = class_harm(first, second)
    except RunError as error:
        return [f"Harm to other objects is not measured: {message_of(error)}."]
    if found is not None:
        return [f"{labels[1]} against {labels[0]}: {harm_sentence(found)}"]
    lacking = [
        label for audit, label in zip((first, second), labels, strict=True) if audit.classes is None
    ]
    if not lacking:
        return []
    return [f"Harm to other objects is not measured: {lacking[0]} has no classes.csv."]


def pair_lines(worse: Mapping[str, float] | None, label: str) -> list[str]:
    """Word the pairs that are shown to have got worse.

    Nothing where the pairs were not audited, nor where none is shown: Holm over dozens of
    overlapping pairs finds large falls alone, and :func:`harm_lines` says what was tested.

    Args:
        worse: By pair.
        label: What the second run is called.
    """
    if not worse:
        return []
    told = ", ".join(f"{pair} {100 * change:+.1f} points" for pair, change in worse.items())
    return [f"{label}: worse on other pairs than before (a swapped shortcut?): {told}."]


def _frame(title: str, caption: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    table.add_column("")
    return table


def _groups(change: Change) -> tuple[str, str, str, str]:
    scale = _scale(change.figure)
    return (
        _number(change.first, scale),
        _number(change.second, scale),
        _difference(change.difference, change.interval, scale),
        _p(change.p_adjusted),
    )


def _scale(figure: str) -> int:
    return 1 if figure.endswith(DECIMAL) else 100


def _number(value: float, scale: int) -> str:
    if math.isnan(value):
        return "–"
    return f"{scale * value:.1f}" if scale == 100 else f"{value:.3f}"


def _difference(value: float, interval: Interval, scale: int) -> str:
    digits = 1 if scale == 100 else 3
    told = f"{scale * value:+.{digits}f}"
    if math.isnan(interval[0]):
        return told
    low, high = (f"{scale * bound:+.{digits}f}" for bound in interval)
    return f"{told} [{low}, {high}]"


def _p(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"
