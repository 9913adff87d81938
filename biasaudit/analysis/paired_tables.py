"""Per-image tables of two runs, brought into line, and the figures that they hold."""

from __future__ import annotations

import pandas as pd

from biasaudit.analysis.groups import conflicting_rows
from biasaudit.errors import RunError, named_field
from biasaudit.statistics import Figure, auroc_of, mean_of, mean_over, worst_of

COMPARED_COLUMNS = (
    "group",
    "id",
    "pair",
    "alignment",
    "label",
    "score",
    "decision",
    "correct",
    "energy_pointing_game",
)
"""The columns that a comparison reads; tables of many images have five times as many."""


def groups_of(table: pd.DataFrame) -> list[str]:
    """Return the groups of a table in alphabetical order; one empty name where it has none."""
    return sorted(table["group"].unique())


def figures_of(table: pd.DataFrame) -> dict[str, Figure]:
    """Return the figures of a split as functions of image weights, by name.

    ``overall`` and ``worst`` speak of the groups in the table: give the bias-conflicting rows
    (:func:`biasaudit.analysis.groups.conflicting_rows`).
    """
    groups = {name: mean_of(table["correct"], table["group"] == name) for name in groups_of(table)}
    named = {
        "overall.accuracy": mean_over(list(groups.values())),
        "overall.auroc": auroc_of(table["score"], table["label"]),
        "overall.energy_pointing_game": mean_of(table["energy_pointing_game"]),
    }
    if len(groups) > 1:
        named |= {f"{name}.accuracy": figure for name, figure in groups.items()}
        named["worst.accuracy"] = worst_of(list(groups.values()))
    return named


def clusters_of(table: pd.DataFrame) -> pd.Series | None:
    """Return (N,) which images are drawn together, the versions of one edited image; else None."""
    if "pair" not in table or not (table["pair"] != "").any():
        return None
    return table["pair"].where(table["pair"] != "", table["id"])


def measured_in_both(
    first: pd.DataFrame, second: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return aligned tables with the attention of the images alone that both runs have a map of."""
    column = "energy_pointing_game"
    both = first[column].notna() & second[column].notna()
    return (
        first.assign(**{column: first[column].where(both)}),
        second.assign(**{column: second[column].where(both)}),
    )


def align(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with the same images in the same order, bias-conflicting ones alone.

    A table without groups is taken whole. The columns that no comparison reads are left out.

    Raises:
        RunError: An image is in one of them alone, or its label differs, or there is none.
    """
    keys = ["group", "id"]
    first, second = (
        conflicting_rows(table[[name for name in COMPARED_COLUMNS if name in table]])
        .astype(dict.fromkeys(keys, object))  # categories would be sorted by their places
        .sort_values(keys, kind="stable", ignore_index=True)
        for table in (first, second)
    )
    if first.empty:
        raise RunError("nothing to compare: the split has no images", "evaluate both runs on it")
    if len(first) != len(second) or not first[keys].equals(second[keys]):
        lone = set(first["id"]) ^ set(second["id"])
        which = f" ('{min(lone)}' is in one alone)" if lone else ""
        raise RunError(
            f"the two runs were not audited on the same images{which}",
            f"evaluate both with the same {named_field('data')} and {named_field('split')}",
        )
    others = first["label"] != second["label"]  # a table that was read may have wider integers
    if others.any():
        differs = first["id"][others].iloc[0]
        raise RunError(
            f"the two runs were audited for different objects ('{differs}' has another label)",
            f"compare runs of one {named_field('object')}",
        )
    return first, second
