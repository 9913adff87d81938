"""From the per-image table to a split's verdict, as results.json holds it."""

from __future__ import annotations

import pandas as pd

from biasaudit.analysis.effect import CLUSTER
from biasaudit.analysis.verdict import judge
from biasaudit.inputs.tables import stands_twice
from biasaudit.results import Agreement, Interval, Verdict
from biasaudit.statistics import mean_interval

PAIRED = (
    "the groups hold edited versions of the same images: their accuracies are not independent of "
    "each other; the verdict compares versions image by image"
)

_JUDGED = ("subset", "id", "source", CLUSTER, "pair", "edit", "context", "label", "decision")
"""The columns that a verdict reads; tables of many images have five times as many."""


def conclude(
    rows: pd.DataFrame,
    others: pd.DataFrame | None,
    object: str,
    context: str,
    *,
    comparisons: int = 1,
) -> Verdict:
    """Return the verdict on a split.

    Args:
        rows: Per-image rows of the split, all its groups.
        others: Rows of other splits that speak of the same object and context: the aligned images
            of val, edited pairs. None where there are none. A split of edited pairs is judged by
            its pairs alone.
        object: The audited object.
        context: Its suspected context.
        comparisons: How many pairs are judged together: the level becomes 1 - .05 / comparisons.
    """
    edited = (rows["pair"] != "").all()
    tables = [rows] if edited or others is None else [rows, others]
    everything = pd.concat([table[[c for c in _JUDGED if c in table]] for table in tables])
    # An image that several splits hold counts once, as the split in question has it.
    once = everything[~stands_twice(everything, ["subset", "id"])]
    verdict = judge(once, object, context, comparisons=comparisons)
    on_object = rows["energy_pointing_game"] - rows["area_fraction"]
    on_context = rows["context_energy"] - rows["context_area"]
    conflicting = rows["alignment"] == "conflicting"
    on_object = on_object[conflicting & (rows["label"] == 1)]
    on_context = on_context[conflicting & (rows["label"] == 0)]
    verdict.object_excess = float(on_object.mean())
    verdict.object_excess_ci = mean_interval(on_object, bounds=None)
    verdict.context_excess = float(on_context.mean())
    verdict.context_excess_ci = mean_interval(on_context, bounds=None)
    verdict.attention = agreement(verdict.object_excess_ci, verdict.context_excess_ci)
    verdict.note = PAIRED if edited else ""
    return verdict


def agreement(on_object: Interval | None, on_context: Interval | None) -> Agreement:
    """Say whether the attention speaks for a bias.

    It agrees where it lies on the context above chance, or misses the object; it disagrees where it
    lies on the object above chance and not on the context.

    Args:
        on_object: Interval of the mean excess of attention on the object, over images that show it
            without the context; None where it was not measured.
        on_context: On the context, over images that show it without the object; likewise.
    """
    if on_context is not None and on_context[0] > 0:
        return "agrees"
    if on_object is None:
        return "unknown"
    if on_object[1] <= 0:
        return "agrees"
    return "disagrees" if on_object[0] > 0 else "unknown"
