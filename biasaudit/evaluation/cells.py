"""From per-image rows to cells with intervals; every figure of results.json is made here."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from biasaudit.results import AttentionOverlap, Cell, Overall, Split
from biasaudit.statistics import (
    auroc,
    auroc_interval,
    constant_floor,
    mean_interval,
    mean_of_rates_interval,
    wilson_interval,
)


def summarise(table: pd.DataFrame, answers: Mapping[str, bool]) -> Split:
    """Return the figures of one split.

    Args:
        table: The split's rows, with the columns of ``per_image.csv``.
        answers: Right answer of each cell, in order; empty where the split has no cells.

    Returns:
        Cells with Wilson intervals. ``overall.accuracy`` is the unweighted mean of the cells'
        accuracies, or the share of right answers where there are no cells.
    """
    cells = {name: _cell(table[table["cell"] == name], answer) for name, answer in answers.items()}
    return Split(overall=_overall(table, cells), cells=cells)


def _cell(rows: pd.DataFrame, answer: bool) -> Cell:
    right, n = int(rows["correct"].sum()), len(rows)
    return Cell(
        n=n,
        accuracy=right / n if n else None,
        accuracy_ci=wilson_interval(right, n) if n else None,
        answer=answer,
        attention=overlap_of(rows),
    )


def _overall(table: pd.DataFrame, cells: Mapping[str, Cell]) -> Overall:
    there = table["label"] == 1
    positive, negative = table["score"][there].to_numpy(), table["score"][~there].to_numpy()
    right, n = int(table["correct"].sum()), len(table)
    if cells:
        counts = [
            (int(rows["correct"].sum()), len(rows))
            for rows in (table[table["cell"] == name] for name in cells)
        ]
        accuracy = sum(k / m for k, m in counts) / len(counts)
        interval = mean_of_rates_interval(counts)
        floor = max(_share(cells, answer) for answer in (True, False))
    else:
        accuracy, interval = right / n, wilson_interval(right, n)
        floor = constant_floor(table["label"].to_numpy())
    return Overall(
        n=n,
        accuracy=accuracy,
        accuracy_ci=interval,
        auroc=auroc(positive, negative),
        auroc_ci=auroc_interval(positive, negative),
        floor=floor,
        attention=overlap_of(table),
    )


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
