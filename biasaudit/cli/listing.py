"""``biasaudit list``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from biasaudit.cli import options as opt
from biasaudit.cli.console import echo_json, out, print_table
from biasaudit.cli.flags import FLAGS, message_of
from biasaudit.cli.sources import Setting, settings, terms
from biasaudit.errors import ConfigError, DataError, near_names
from biasaudit.registry import Registry, has_plugins

KINDS = ("modes", "terms", "backbones", "datasets", "splits", "metrics", "settings")


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="|".join(KINDS),
            help="What to list.",
            autocompletion=lambda incomplete: [k for k in KINDS if k.startswith(incomplete)],
        ),
    ],
    data: opt.Data = None,
    object_: opt.Object = None,
    context: opt.Context = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print settings as the page docs/settings.md.")
    ] = False,
    json_: opt.Json = False,
) -> None:
    """List what can be named: modes, loss terms, backbones, datasets, splits, metrics, settings."""
    if kind not in KINDS:
        raise ConfigError(f"list {kind}: no such kind", near_names(kind, KINDS))
    if markdown and kind != "settings":
        raise ConfigError(f"--markdown: not for {kind}", "list settings")
    if kind == "settings":
        _settings(markdown, json_)
        return
    rows = _rows(kind, data or "harbour", object_, context)
    if json_:
        _json([{"name": name, "summary": summary} for name, summary in rows])
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, summary in rows:
        table.add_row(name, summary)
    print_table(table)


def _json(content: Any) -> None:
    echo_json(content)


def _rows(kind: str, data: str, object_: str | None, context: str | None) -> list[tuple[str, str]]:
    if kind == "modes":
        from biasaudit.guidance.modes import MODES

        return [(name, MODES[name].summary) for name in MODES]
    if kind == "terms":
        return _terms()
    if kind == "backbones":
        from biasaudit.models.backbones import BACKBONES

        return [(name, BACKBONES[name].summary) for name in BACKBONES]
    if kind == "datasets":
        from biasaudit.data.built_in import DATASETS

        return _documented(DATASETS)
    if kind == "metrics":
        return METRICS + _plugged_metrics()
    return _splits(data, object_, context)


def _terms() -> list[tuple[str, str]]:
    """Return the loss terms; only where plug-ins may add some are they imported."""
    if not has_plugins():
        return terms()
    from biasaudit.guidance.built_in import TERMS

    return [(name, TERMS[name].summary) for name in TERMS]


def _plugged_metrics() -> list[tuple[str, str]]:
    if not has_plugins():
        return []
    from biasaudit.evaluation.localization import metric_columns
    from biasaudit.results import METRIC_PREFIX

    return [
        (name, (metric.__doc__ or "").partition("\n")[0])
        for name, metric in metric_columns().items()
        if name.startswith(METRIC_PREFIX)
    ]


def _documented(table: Registry[Any]) -> list[tuple[str, str]]:
    return [(name, (table[name].__doc__ or "").partition("\n")[0]) for name in table]


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


def _settings(markdown: bool, json_: bool) -> None:
    found = settings()
    if json_:
        _json(
            [
                {
                    "of": of,
                    "key": one.key,
                    "default": one.default,
                    "value": one.kind,
                    "meaning": one.meaning,
                }
                for of, several in found.items()
                for one in several
            ]
        )
        return
    if markdown:
        typer.echo(settings_page(found), nl=False)
        return
    for of, several in found.items():
        out.print(f"\n{of}", markup=False, style="bold")
        table = Table(box=None, show_header=False, pad_edge=False)
        for one in several:
            table.add_row(one.key, one.default, one.meaning)
        print_table(table)


def settings_page(found: dict[str, list[Setting]]) -> str:
    """Return docs/settings.md: every setting with its default, its values and its meaning."""
    lines = [_INTRODUCTION]
    for of, several in found.items():
        lines += [f"## {of[0].upper()}{of[1:]}", ""]
        lines += [_ABOUT[of.partition(" ")[0]], ""] if of.partition(" ")[0] in _ABOUT else []
        lines += ["| key | default | value | meaning |", "|---|---|---|---|"]
        for one in several:
            flag = f" (`{FLAGS[one.key]}`)" if one.key in FLAGS else ""
            cells = (f"`{one.key}`{flag}", one.default, one.kind, one.meaning)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


_INTRODUCTION = """# Settings

Every setting of a training, written by `biasaudit list settings --markdown`. A setting is given in
a TOML file (`--config`), by `--set key=value`, by its own option where it has one, or in Python by
its last part (`ba.train(data, epochs=3)`). The later wins: the backbone's recipe, the file,
`--set`, the option. A run keeps what it was trained with in `config.json`, which `--config` reads
again.
"""
_ABOUT = {
    "repair": "Options of `biasaudit repair` and arguments of `ba.repair`, without `repair.` before"
    " them; `--set` does not take them.",
    "segment": "Of `biasaudit segment train`, `biasaudit repair --foregrounds sec` and `biasaudit"
    " reproduce`, and arguments of `ba.train_segmenter` without `segment.` before them."
    " A repair takes 400 steps at most and regions=true where nothing else is set.",
    "dataset": "Of this built-in dataset alone.",
    "term": "Over what the mode says of the term: a weight, say (`biasaudit list modes`).",
}
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
    ("max_box_acc", "share of boxes around the attention with an IoU of .5 (localize)"),
    ("max_box_acc_v2", "mean of the shares at an IoU of .3, .5 and .7 (localize)"),
    ("px_ap", "average precision of the attention of all pixels (localize)"),
    ("top_1", "share of right boxes whose class has the highest score (localize)"),
    ("mean_iou", "overlap of masks and regions, mean over classes (segment evaluate)"),
]
