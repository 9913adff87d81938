"""How well attention localizes: boxes and pixels, a row a run and class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biasaudit.report.format import NAME_LENGTH, Estimate, clean, decimal, figure, images_told
from biasaudit.report.grouping import run_labels
from biasaudit.results import Audit, LocalizationFigures, LocalizationFile


@dataclass(frozen=True)
class BoxRow:
    """The localization of one class by one run, on one subset.

    Attributes:
        label: The run.
        images: What was measured: class, subset and dataset.
        n: How many images.
        n_val: Images of val, which the thresholds were chosen on.
        max_box_acc: Share of right boxes at IoU .5.
        levels: That at each level of IoU, at the threshold for all levels.
        max_box_acc_v2: Their mean.
        px_ap: Average precision of pooled pixels; no interval.
        top_1: Share of right boxes whose class has the highest score.
        thresholds: Both, as text.
    """

    label: str
    images: str
    n: int
    n_val: int
    max_box_acc: Estimate
    levels: tuple[Estimate, ...]
    max_box_acc_v2: Estimate
    px_ap: Estimate
    top_1: Estimate
    thresholds: str


@dataclass(frozen=True)
class BoxPage:
    """The section on localization.

    Attributes:
        rows: Those of the same images side by side.
        levels: Levels of IoU, as text.
        sentences: What the figures say, one a class and subset.
        about: How to read the table.
    """

    rows: tuple[BoxRow, ...]
    levels: tuple[str, ...]
    sentences: tuple[str, ...]
    about: str


def box_page(runs: Sequence[Audit], others: Sequence[LocalizationFile]) -> BoxPage | None:
    """Return the localization of audited runs and of others; None where nobody measured any.

    Args:
        runs: The audits, of which some have a localization.
        others: Of runs that were not audited.
    """
    labels = run_labels(runs)
    files = [
        (label, run.localization)
        for label, run in zip(labels, runs, strict=True)
        if run.localization is not None
    ]
    files += [(clean(file.name, NAME_LENGTH), file) for file in others]
    asked: dict[tuple[str, ...], list[tuple[str, LocalizationFigures]]] = {}
    for label, file in files:
        for found in file.figures:
            asked.setdefault(found.measured_on, []).append((label, found))
    if not asked:
        return None
    every = [found for members in asked.values() for _, found in members]
    levels = tuple(sorted({level for found in every for level in found.by_level}))
    several = len({found.dataset for found in every}) > 1
    rows = {
        key: [_row(label, found, levels, several) for label, found in members]
        for key, members in asked.items()
    }
    return BoxPage(
        tuple(row for members in rows.values() for row in members),
        tuple(clean(level, NAME_LENGTH) for level in levels),
        tuple(_sentence(members) for members in rows.values()),
        "A box is drawn about the largest piece of the attention map at or above the threshold, a "
        "share of the map's maximum that was chosen on val. MaxBoxAcc: share of boxes that "
        "overlap a true one by an IoU of 0.5; V2: the mean over the levels of IoU, at one "
        "threshold for all. Top-1 asks for the highest score too. PxAP: average precision of all "
        "pixels. Shares have Wilson intervals, V2 one by the bootstrap; PxAP, which pools the "
        "pixels, has none.",
    )


def _row(label: str, found: LocalizationFigures, levels: Sequence[str], several: bool) -> BoxRow:
    parts = [found.object, found.subset, *([found.dataset] if several else [])]
    at = [(found.by_level.get(level), found.by_level_ci.get(level)) for level in levels]
    n = found.n
    return BoxRow(
        label,
        ", ".join(clean(part, NAME_LENGTH) for part in parts),
        n,
        found.n_val,
        Estimate.of(found.max_box_acc, found.max_box_acc_ci, n),
        tuple(Estimate.of(share, interval, n) for share, interval in at),
        Estimate.of(found.max_box_acc_v2, found.max_box_acc_v2_ci, n),
        Estimate(found.px_ap, n=n),
        Estimate.of(found.top_1, found.top_1_ci, n),
        f"{decimal(found.threshold)}, {decimal(found.threshold_v2)}",
    )


def _sentence(rows: Sequence[BoxRow]) -> str:
    """Say which run's boxes are right most often, and whether the intervals part two runs."""
    first = rows[0]
    sizes = sorted({row.n for row in rows})
    n = " to ".join(str(size) for size in (sizes if len(sizes) < 2 else (sizes[0], sizes[-1])))
    place = f"{first.images}, {images_told(n)}"
    if len(rows) == 1:
        told = f"{figure(first.max_box_acc)} of the boxes that {first.label} names are right"
        return f"{place}: {told}, at thresholds chosen on {images_told(first.n_val)} of val."
    ranked = sorted(rows, key=lambda row: -(row.max_box_acc.value or 0.0))
    best = ranked[0]
    plain = next((row for row in rows if row.label.startswith("baseline")), first)
    other = ranked[1] if plain is best else plain
    apart = best.max_box_acc.above(other.max_box_acc)
    return (
        f"{place}: the boxes of {best.label} are right most often, {figure(best.max_box_acc)}; "
        f"those of {other.label}, {figure(other.max_box_acc)}. "
        + ("The intervals do not touch." if apart else "The intervals overlap.")
    )
