"""One audit of several objects and contexts, taken apart: each pair as an audit of its own."""

from __future__ import annotations

from dataclasses import replace

from biasaudit.results import Audit, Run

Pair = tuple[str, str | None]


def pair_of(run: Run, split: str) -> Pair:
    """Return the object and the context that a split of a run asks about."""
    found = run.splits[split]
    return found.object or run.object, found.context or run.context


def by_pair(run: Run) -> list[Run]:
    """Return a run for each object and context that it was audited for, the first one's first.

    Splits without groups speak of the run's own object, and stay with its first pair; ``val`` stays
    with every pair of that object.
    """
    pairs: dict[Pair, list[str]] = {}
    for name, split in run.splits.items():
        if split.groups:
            pairs.setdefault(pair_of(run, name), []).append(name)
    if len(pairs) < 2:
        return [run]
    own = (run.object, run.context)
    first = own if own in pairs else next(iter(pairs))
    parts = []
    for pair in [first, *(pair for pair in pairs if pair != first)]:
        kept = {
            name: split
            for name, split in run.splits.items()
            if name in pairs[pair]
            or (not split.groups and pair[0] == run.object and (pair == first or name == "val"))
        }
        changes = {"object": pair[0], "context": pair[1], "splits": kept}
        changes |= {} if pair[0] == run.object else {"operating_point": None}
        parts.append(run.model_copy(update=changes))
    return parts


def audits_by_pair(audit: Audit) -> list[Audit]:
    """Return an audit for each object and context; the rows of the other pairs are left out."""
    runs = by_pair(audit.run)
    if len(runs) == 1:
        return [audit]
    table = audit.per_image
    return [
        replace(
            audit,
            run=run,
            per_image=None if table is None else table[table["split"].isin(run.splits)],
        )
        for run in runs
    ]
