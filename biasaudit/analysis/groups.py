"""From per-image rows to groups with intervals; every figure of results.json is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from biasaudit.results import (
    METRIC_PREFIX,
    Group,
    Interval,
    Localization,
    MetricMean,
    Overall,
    Split,
)
from biasaudit.statistics import (
    auroc,
    auroc_interval,
    constant_baseline,
    mean_interval,
    mean_of_rates_interval,
    rate,
    wilson_interval,
)


def summarise(table: pd.DataFrame, training: Mapping[str, int] | None = None) -> Split:
    """Return the figures of one split.

    Args:
        table: The split's rows, with the columns of ``per_image.csv``; ``group`` is empty where
            the split has no groups.
        training: Training images of each group, where they are known.

    Returns:
        Groups with Wilson intervals, in the order of the table. ``overall`` speaks of the
        bias-conflicting groups, worst-group and weighted accuracy apart: its accuracy is the
        unweighted mean of theirs, or the share of right answers where there are no groups. The same
        for the decisions at the fitted operating point, null where the table holds none.
    """
    known = training or {}
    groups = {
        str(name): _group(rows, known.get(str(name)))
        for name, rows in table[table["group"] != ""].groupby("group", sort=False, observed=True)
    }
    return Split(overall=_overall(table, groups), groups=groups)


def _group(rows: pd.DataFrame, n_training: int | None) -> Group:
    return Group(
        n=len(rows),
        **_accuracies([rows]),
        answer=bool(rows["label"].iloc[0] == 1),
        alignment=str(rows["alignment"].iloc[0]) or None if "alignment" in rows else None,
        n_training=n_training,
        attention=localization_of(rows),
    )


def _overall(table: pd.DataFrame, groups: Mapping[str, Group]) -> Overall:
    table = conflicting_rows(table)
    there = table["label"] == 1
    positive, negative = table["score"][there].to_numpy(), table["score"][~there].to_numpy()
    counted = {name: groups[name] for name in groups if (table["group"] == name).any()}
    if counted:
        best = max(_share(counted, answer) for answer in (True, False))
    else:
        best = constant_baseline(table["label"].to_numpy())
    return Overall(
        n=len(table),
        **_accuracies([table[table["group"] == name] for name in counted] or [table]),
        auroc=auroc(positive, negative),
        auroc_ci=auroc_interval(positive, negative),
        constant_baseline=best,
        worst_group_accuracy=worst_group_accuracy(_natural(groups)),
        weighted_accuracy=weighted_accuracy(_natural(groups)),
        attention=localization_of(table),
    )


def conflicting_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the bias-conflicting groups; all rows where the table has none such."""
    if "alignment" not in table:
        return table
    found = table["alignment"] == "conflicting"
    return table[found] if found.any() else table


def _natural(groups: Mapping[str, Group]) -> Mapping[str, Group]:
    """Return the groups that are either aligned or conflicting; all where none is said to be."""
    found = {name: group for name, group in groups.items() if group.alignment is not None}
    return found or groups


def worst_group_accuracy(groups: Mapping[str, Group]) -> float | None:
    """Return the smallest accuracy of the groups; None where there is none, or one is unknown."""
    found = [group.accuracy for group in groups.values()]
    known = [accuracy for accuracy in found if accuracy is not None]
    return min(known) if found and len(known) == len(found) else None


def weighted_accuracy(groups: Mapping[str, Group]) -> float | None:
    """Return the mean accuracy of the groups, weighted by their numbers of training images.

    The average accuracy of WILDS (Koh et al., ICML 2021) for a test set that is balanced by
    group. None where a group's training images are not counted, or there are none.
    """
    total, weight = 0.0, 0
    for group in groups.values():
        if group.accuracy is None or group.n_training is None:
            return None
        total += group.n_training * group.accuracy
        weight += group.n_training
    return total / weight if weight else None


def _accuracies(parts: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Return raw and fitted accuracy with their intervals, each the mean over the parts."""
    accuracy, interval = _accuracy(parts, "decision")
    fitted, fitted_interval = _accuracy(parts, "decision_at_operating_point")
    return {
        "accuracy": accuracy,
        "accuracy_ci": interval,
        "accuracy_at_operating_point": fitted,
        "accuracy_at_operating_point_ci": fitted_interval,
    }


def _accuracy(parts: Sequence[pd.DataFrame], decision: str) -> tuple[float | None, Interval | None]:
    """Return the mean share of right decisions; None where an image or a decision is missing."""
    if any(rows.empty or rows[decision].isna().any() for rows in parts):
        return None, None
    counts = [(int((rows[decision] == rows["label"]).sum()), len(rows)) for rows in parts]
    if len(counts) == 1:
        return rate(*counts[0]), wilson_interval(*counts[0])
    return sum(rate(*count) for count in counts) / len(counts), mean_of_rates_interval(counts)


def _share(groups: Mapping[str, Group], answer: bool) -> float:
    """Return what the constant ``answer`` scores as the mean of the groups' accuracies."""
    return sum(group.answer is answer for group in groups.values()) / len(groups)


def localization_of(rows: pd.DataFrame) -> Localization:
    """Return the mean overlap of the rows that have a region and a map, and how many they are.

    Args:
        rows: Per-image rows.
    """
    found = Localization()
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
    found.metrics = _metrics(rows)
    return found


def _metrics(rows: pd.DataFrame) -> dict[str, MetricMean]:
    """Return the mean of each plug-in's metric over the images that it could measure."""
    found = {}
    for column in rows.columns[rows.columns.str.startswith(METRIC_PREFIX)]:
        values = rows[column].dropna().to_numpy()
        if len(values):
            found[column.removeprefix(METRIC_PREFIX)] = MetricMean(
                mean=float(values.mean()),
                mean_ci=mean_interval(values, bounds=None),
                n=len(values),
            )
    return found
