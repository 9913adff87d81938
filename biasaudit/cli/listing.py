"""``biasaudit list``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from biasaudit.cli import options as opt
from biasaudit.cli.console import print_table
from biasaudit.cli.flags import message_of
from biasaudit.errors import ConfigError, DataError, near_names

KINDS = ("modes", "terms", "backbones", "datasets", "splits", "metrics")


def list_(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="What to list.")],
    data: opt.Data = None,
    object_: opt.Object = None,
    context: opt.Context = None,
) -> None:
    """List what can be named: modes, loss terms, backbones, datasets, splits, metrics."""
    if kind not in KINDS:
        raise ConfigError(f"list {kind}: no such kind", near_names(kind, KINDS))
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, summary in _rows(kind, data or "harbour", object_, context):
        table.add_row(name, summary)
    print_table(table)


def _rows(kind: str, data: str, object_: str | None, context: str | None) -> list[tuple[str, str]]:
    if kind in ("modes", "terms"):
        from biasaudit.guidance.modes import MODES
        from biasaudit.guidance.terms import TERMS

        table = MODES if kind == "modes" else TERMS
        return [(name, table[name].summary) for name in table]
    if kind == "backbones":
        from biasaudit.models.backbones import BACKBONES

        return [(name, BACKBONES[name].summary) for name in BACKBONES]
    if kind == "datasets":
        from biasaudit.data.catalogue import DATASETS

        return [(name, (DATASETS[name].__doc__ or "").partition("\n")[0]) for name in DATASETS]
    if kind == "metrics":
        from biasaudit.evaluation.localization import metric_columns
        from biasaudit.results import METRIC_PREFIX

        plugged = metric_columns().items()
        return METRICS + [
            (name, (metric.__doc__ or "").partition("\n")[0])
            for name, metric in plugged
            if name.startswith(METRIC_PREFIX)
        ]
    return _splits(data, object_, context)


def _splits(data: str, object_: str | None, context: str | None) -> list[tuple[str, str]]:
    from biasaudit.data.catalogue import load_dataset
    from biasaudit.data.splits.resolve import resolve_split, split_names

    dataset = load_dataset(data)
    rows = []
    for name in split_names(dataset, object_, context):
        try:
            split = resolve_split(dataset, name, object_, context)
        except DataError as error:
            rows.append((name, f"cannot be measured: {message_of(error)}"))
            continue
        counts = ", ".join(f"{group} {len(found)}" for group, found in split.groups.items())
        rows.append((name, counts or f"{len(split.samples)} images"))
    return rows


METRICS = [
    ("accuracy", "share of right decisions; overall, the mean of the conflicting groups'"),
    (
        "accuracy_at_operating_point",
        "the same where a yes is a score above the threshold fitted on val",
    ),
    ("auroc", "probability that an image with the object scores above one without"),
    ("constant_baseline", "accuracy of the best constant answer"),
    ("energy_pointing_game", "share of the attention that falls inside the object's region"),
    ("iou", "overlap of the region and the attention map at 20% of its maximum"),
    ("area_fraction", "share of the image inside the region: what a uniform map would score"),
]
