"""Groups runs into audits: those that were asked the same question stand side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from biasaudit.analysis.pairs import audits_by_pair
from biasaudit.report.format import NAME_LENGTH, clean
from biasaudit.report.view import VAL, AuditView, Column
from biasaudit.results import Audit, Run


def build_audits(views: Sequence[Audit]) -> list[AuditView]:
    """Group runs by dataset, object and context; one audit for each split with groups."""
    asked: dict[tuple[str, str, str | None], list[Audit]] = {}
    for view in (part for whole in views for part in audits_by_pair(whole)):
        run = view.run
        asked.setdefault((run.dataset, run.object, run.context), []).append(view)
    audits: list[AuditView] = []
    for (dataset, name, context), members in asked.items():
        labels = run_labels(members)
        columns = tuple(Column(label, v) for label, v in zip(labels, members, strict=True))
        for split in _splits_with_groups(members, name):
            groups, aligned = groups_of([view.run for view in members], split)
            number = len(audits) + 1
            shown = (_shown(name), None if context is None else _shown(context), _shown(dataset))
            pools = _pools(members) if split is None else ()
            audits.append(AuditView(number, *shown, split, groups, columns, pools, aligned))
    return audits


def run_labels(views: Sequence[Audit]) -> list[str]:
    """Return a short name for each run; no two are the same."""
    runs = [view.run for view in views]
    labels = [setting_label(run) for run in runs]
    seeds: dict[str, set[int]] = {}
    for label, run in zip(labels, runs, strict=True):
        seeds.setdefault(label, set()).add(run.seed)
    labels = [
        f"{label} (seed {run.seed})" if len(seeds[label]) > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]
    labels = [
        _shown(run.name) if labels.count(label) > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]
    seen: Counter[str] = Counter()
    for place, label in enumerate(labels):
        seen[label] += 1
        if seen[label] > 1:
            labels[place] = f"{label} ({seen[label]})"
    return labels


def setting_label(run: Run) -> str:
    """Return what was set, without the seed: mode and label budget; an external model's name."""
    if external(run):
        return _shown(run.name)
    parts = [_shown(run.mode)]
    if run.pixel_labels:
        parts.append(f"{run.pixel_labels} labels")
    if run.box_labels:
        parts.append(f"{run.box_labels} boxes")
    return " · ".join(parts)


def external(run: Run) -> bool:
    """Whether a run is the audit of a model that was trained elsewhere."""
    return "external" in run.settings or run.mode.startswith("external")


def _shown(name: str) -> str:
    return clean(name, NAME_LENGTH)


def _splits_with_groups(views: Sequence[Audit], name: str) -> list[str | None]:
    found = dict.fromkeys(
        split for view in views for split, found in view.run.splits.items() if found.groups
    )
    own = f"biased-{name}"
    return sorted(found, key=lambda split: split != own) if found else [None]


def _pools(views: Sequence[Audit]) -> tuple[str, ...]:
    names = dict.fromkeys(name for view in views for name in view.run.splits)
    return tuple(name for name in names if name != VAL)


def groups_of(runs: Sequence[Run], split: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the bias-conflicting groups of a split, and the aligned ones.

    Groups that are neither, because they are controls, are left out; where no group is said to be
    conflicting, all are returned as such.
    """
    parts = [run.splits[split] for run in runs if split in run.splits]
    found = {name: group.alignment for part in parts for name, group in part.groups.items()}
    conflicting = tuple(name for name, said in found.items() if said == "conflicting")
    aligned = tuple(name for name, said in found.items() if said == "aligned")
    return (conflicting, aligned) if conflicting else (tuple(found), ())
