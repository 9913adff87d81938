"""From a split's per-image rows to its verdict, as results.json holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from biasaudit.analysis.verdict import Attention, judge
from biasaudit.results import Answered, Verdict
from biasaudit.statistics import Count, mean_interval

ALIGNED_FROM = "val"
"""The pool that gives the aligned images."""
FEWEST_ANNOTATED = 30
"""Below this many annotated images in a aligned group, the ones without annotation are taken in."""

PAIRED = (
    "edited versions of one image stand in several groups, and the gap's interval takes them for "
    "different images; the flip rates do not"
)


def conclude(
    conflicting: pd.DataFrame, aligned: pd.DataFrame | None, object: str, context: str
) -> Verdict:
    """Return the verdict on a split.

    Args:
        conflicting: Per-image rows of the biased split.
        aligned: Per-image rows of ``val`` that speak of the same context, if there are any.
        object: The audited object.
        context: Its suspected context.
    """
    groups, notes = aligned_groups(aligned, object, context)
    if "pair" in conflicting and (conflicting["pair"] != "").any():
        notes.append(PAIRED)
    counts = {name: _count(rows) for name, rows in groups.items()}
    against = {str(name): _count(rows) for name, rows in conflicting.groupby("group", sort=False)}
    on_object = conflicting["energy_pointing_game"] - conflicting["area_fraction"]
    on_context = conflicting["context_energy"] - conflicting["context_area"]
    with_object = conflicting["label"] == 1
    # Where the split has the object, its context is missing, and the other way round.
    attention = Attention(
        mean_interval(on_object[with_object], bounds=None),
        mean_interval(on_context[~with_object], bounds=None),
    )
    judgement = judge(context, counts, against, attention)
    return Verdict(
        **asdict(judgement),
        aligned=_answered(counts),
        conflicting=_answered(against),
        object_excess=float(on_object[with_object].mean()),
        object_excess_ci=attention.object_excess,
        context_excess=float(on_context[~with_object].mean()),
        context_excess_ci=attention.context_excess,
        note="; ".join(notes),
    )


def _answered(counts: Mapping[str, Count]) -> dict[str, Answered]:
    return {name: Answered(right=right, n=n) for name, (right, n) in counts.items()}


def aligned_groups(
    rows: pd.DataFrame | None, object: str, context: str
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the groups in which context and answer go together, and how they were found.

    Args:
        rows: Rows of ``val`` with ``label`` and ``context``; None where there are none.
        object: The audited object.
        context: Its suspected context.
    """
    groups, notes = {}, []
    for name, label in ((f"{object}-with-{context}", 1), ("neither", 0)):
        if rows is None:
            groups[name] = pd.DataFrame({"correct": []})
            continue
        there = rows[rows["label"] == label]
        told, silent = there[there["context"] == label], there[there["context"].isna()]
        take = len(silent) > 0 and len(told) < FEWEST_ANNOTATED
        groups[name] = pd.concat([told, silent]) if take else told
        if len(silent):
            notes.append(_note(name, len(told), len(silent), taken=take))
    return groups, notes


def _note(name: str, told: int, silent: int, *, taken: bool) -> str:
    if taken:
        return (
            f"{name}: only {told} images of '{ALIGNED_FROM}' are annotated so; the {silent} "
            "without any context annotated are counted in, which can only narrow the gap"
        )
    return f"{name}: {silent} images of '{ALIGNED_FROM}' without context annotated are left out"


def _count(rows: pd.DataFrame) -> Count:
    return int(rows["correct"].sum()), len(rows)
