"""``biasaudit reproduce``: tables of the GAIN paper, the paper's figures beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from biasaudit.cli import options as opt
from biasaudit.cli.console import echo_json, err, note, print_table, quieten
from biasaudit.cli.sources import told
from biasaudit.cli.verb import GOES_ON, if_stopped
from biasaudit.errors import ConfigError, named_field

if TYPE_CHECKING:
    from biasaudit.reproduce.prepare import Prepared
    from biasaudit.reproduce.table import Line, Reproduction


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="voc2012-table1 (segmentation), -table2 (without CRF), -table3 (by the number of "
            "labels) or -table4 (biased boats).",
        ),
    ],
    out_dir: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="A folder for runs, segmenters and the table. What it holds already, finished, "
            "is not trained again; the same command goes on with what stopped.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME|FOLDER",
            help="A built-in dataset, or the path of a folder that holds a dataset.toml. "
            "Default: voc2012, which 'biasaudit data fetch voc2012' downloads.",
        ),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            "--seeds", "--seed", metavar="N,N,...", help="Seeds; figures are means over them."
        ),
    ] = "0",
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="Of Table 4: where it is measured. Default: biased-boat.",
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Print what would be trained, and what is, and train nothing."),
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            help="A registered backbone, which keeps its own recipe. Default: vgg16, by the "
            "paper's.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="imagenet|none|PATH", help=told("model.weights")),
    ] = None,
    epochs: opt.Epochs = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = None,
    workers: opt.Workers = None,
    cache: opt.Cache = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any setting by its dotted name, such as segment.iterations=100. May be repeated.",
        ),
    ] = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train and measure what a table of the GAIN paper shows, the paper's figures beside ours.

    Tables 1 to 3 train classifiers and, on their attention, segmentation networks (SEC), and share
    their runs; Table 4 audits classifiers. The paper's settings are the defaults.
    """
    quieten(quiet)
    from biasaudit.config import parse_assignment

    changes = dict(parse_assignment(text) for text in set_ or ())
    flags = {
        "model.backbone": backbone,
        "model.weights": weights,
        "training.epochs": epochs,
        "training.batch_size": batch_size,
        "training.device": device,
        "training.workers": workers,
        "data.cache": cache,
    }
    changes |= {key: value for key, value in flags.items() if value is not None}
    from biasaudit.reproduce.prepare import prepared

    todo = prepared(name, data, out_dir, _seeds(seeds), split, changes)
    if plan:
        _show_plan(todo, json_)
    else:
        _carry_out(todo, json_)


def _carry_out(todo: Prepared, json_: bool) -> None:
    from biasaudit.cli.progress import CountProgress, TrainingProgress
    from biasaudit.reproduce.run import carry_out
    from biasaudit.reproduce.work import Watch

    with if_stopped(GOES_ON):
        found = carry_out(todo, Watch(note, TrainingProgress, CountProgress))
    if json_:
        echo_json(found.to_dict())
        return
    print_table(_table(found))
    for suffix in ("json", "csv"):
        err.print(f"written: {todo.out / todo.name}.{suffix}", markup=False, soft_wrap=True)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"{named_field('seeds', text)}: not whole numbers with commas between",
            "give for example 0,1,2",
        ) from None


def _table(found: Reproduction) -> Table:
    """Return the table of the paper: for each metric the paper's figure and ours."""
    first = [line for line in found.lines if line.metric == found.lines[0].metric]
    told = []
    if any(line.sd is not None for line in found.lines):
        told.append("mean ± standard deviation of seeds")
    if any(line.low is not None for line in found.lines):
        told.append("95% intervals in brackets")
    sizes = sorted({line.n for line in found.lines if line.n is not None}, reverse=True)
    images = f", {' / '.join(map(str, sizes))} images" if sizes else ""
    table = Table(
        title=f"{found.protocol.title} ({found.dataset}{images}); {', '.join(['%', *told])}",
        title_justify="left",
        caption=f"paper: {found.protocol.source or 'no figure of this table was verified'}",
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("")
    table.add_column("labels", justify="right")
    for heading in found.protocol.metrics.values():
        table.add_column(f"{heading}: paper", justify="right")
        table.add_column("ours", justify="right")
    for place, line in enumerate(first):
        width = len(found.protocol.metrics)
        cells = found.lines[place * width : (place + 1) * width]
        shown = [text for cell in cells for text in (_number(cell.paper), _ours(cell))]
        table.add_row(line.row, _labels(line), *shown)
    return table


def _labels(line: Line) -> str:
    return str(line.spent or "-") + (
        f" of {line.pixel_labels}" if line.spent < line.pixel_labels else ""
    )


def _ours(line: Line) -> str:
    text = _number(line.ours)
    if line.low is not None and line.high is not None:
        return f"{text} [{line.low:.0f}, {line.high:.0f}]"
    return text if line.sd is None else f"{text} ± {line.sd:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _show_plan(todo: Prepared, json_: bool) -> None:
    rows = [job.to_dict() for job in todo.jobs]
    if json_:
        settings = {s.key: {"value": s.value, "source": s.source} for s in todo.settings}
        images = {subset: len(todo.dataset.subset(subset)) for subset in ("train", "val")}
        echo_json(
            {
                "name": todo.name,
                "dataset": todo.dataset.name,
                "images": images,
                "settings": settings,
                "changes": dict(todo.changes),
                "notes": list(todo.notes),
                "trainings": rows,
            }
        )
        return
    for line in todo.notes:
        note(line)
    print_table(_plan_table(todo, rows))


def _plan_table(found: Prepared, rows: list[dict[str, Any]]) -> Table:
    train, val = (len(found.dataset.subset(name)) for name in ("train", "val"))
    table = Table(
        title=f"{found.protocol.title}: {found.backbone}, {train:,} training images of "
        f"{found.dataset.name}, measured on {val:,} of val",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for heading in rows[0]:
        table.add_column(heading.replace("_", " "), justify="left" if heading == "row" else "right")
    for row in rows:
        table.add_row(*("-" if value is None else str(value) for value in row.values()))
    return table
