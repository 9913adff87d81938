"""From per-image rows to cells with intervals; every figure of results.json is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from biasaudit.results import AttentionOverlap, Cell, Interval, Overall, Split
from biasaudit.statistics import (
    auroc,
    auroc_interval,
    constant_floor,
    mean_interval,
    mean_of_rates_interval,
    rate,
    wilson_interval,
)


def summarise(table: pd.DataFrame, answers: Mapping[str, bool]) -> Split:
    """Return the figures of one split.

    Args:
        table: The split's rows, with the columns of ``per_image.csv``.
        answers: Right answer of each cell, in order; empty where the split has no cells.

    Returns:
        Cells with Wilson intervals. ``overall.accuracy`` is the unweighted mean of the cells'
        accuracies, or the share of right answers where there are no cells. The same for the
        decisions at the fitted operating point, null where the table holds none.
    """
    cells = {name: _cell(table[table["cell"] == name], answer) for name, answer in answers.items()}
    return Split(overall=_overall(table, cells), cells=cells)


def _cell(rows: pd.DataFrame, answer: bool) -> Cell:
    return Cell(
        n=len(rows),
        **_accuracies([rows]),
        answer=answer,
        attention=overlap_of(rows),
    )


def _overall(table: pd.DataFrame, cells: Mapping[str, Cell]) -> Overall:
    there = table["label"] == 1
    positive, negative = table["score"][there].to_numpy(), table["score"][~there].to_numpy()
    if cells:
        floor = max(_share(cells, answer) for answer in (True, False))
    else:
        floor = constant_floor(table["label"].to_numpy())
    return Overall(
        n=len(table),
        **_accuracies([table[table["cell"] == name] for name in cells] or [table]),
        auroc=auroc(positive, negative),
        auroc_ci=auroc_interval(positive, negative),
        floor=floor,
        attention=overlap_of(table),
    )


def _accuracies(parts: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Return raw and fitted accuracy with their intervals, each the mean over the parts."""
    accuracy, interval = _accuracy(parts, "decision")
    fitted, fitted_interval = _accuracy(parts, "decision_fitted")
    return {
        "accuracy": accuracy,
        "accuracy_ci": interval,
        "accuracy_fitted": fitted,
        "accuracy_fitted_ci": fitted_interval,
    }


def _accuracy(parts: Sequence[pd.DataFrame], decision: str) -> tuple[float | None, Interval | None]:
    """Return the mean share of right decisions; None where an image or a decision is missing."""
    if any(rows.empty or rows[decision].isna().any() for rows in parts):
        return None, None
    counts = [(int((rows[decision] == rows["label"]).sum()), len(rows)) for rows in parts]
    if len(counts) == 1:
        return rate(*counts[0]), wilson_interval(*counts[0])
    return sum(rate(*count) for count in counts) / len(counts), mean_of_rates_interval(counts)


def _share(cells: Mapping[str, Cell], answer: bool) -> float:
    """Return what the constant ``answer`` scores as the mean of the cells' accuracies."""
    return sum(cell.answer is answer for cell in cells.values()) / len(cells)


def overlap_of(rows: pd.DataFrame) -> AttentionOverlap:
    """Return the mean overlap of the rows that have a region and a map, and how many they are.

    Args:
        rows: Per-image rows.
    """
    found = AttentionOverlap()
    valid = rows[rows["energy_pointing_game"].notna()]
    if not valid.empty:
        energy, iou = valid["energy_pointing_game"].to_numpy(), valid["iou"].to_numpy()
        found.energy_pointing_game = float(energy.mean())
        found.energy_pointing_game_ci = mean_interval(energy)
        found.iou = float(iou.mean())
        found.iou_ci = mean_interval(iou)
        found.area_fraction = float(valid["area_fraction"].mean())
        found.n_valid = len(valid)
        found.pointing_game = float(valid["pointing_game"].mean())
        found.pixel_average_precision = float(valid["pixel_average_precision"].mean())
    on_context = rows[rows["context_energy"].notna()]
    if not on_context.empty:
        context = on_context["context_energy"].to_numpy()
        found.context_energy = float(context.mean())
        found.context_energy_ci = mean_interval(context)
        found.context_area = float(on_context["context_area"].mean())
        found.context_n = len(on_context)
    return found
