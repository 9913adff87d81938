"""``biasaudit localize``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from biasaudit.cli import options as opt
from biasaudit.cli.console import echo_json, print_table, quieten
from biasaudit.cli.train import RUNS
from biasaudit.cli.verb import if_stopped, written_before


def localize(
    run: Annotated[
        list[Path] | None,
        typer.Option(
            "--run", metavar="DIR", help="Run directory; may be repeated. Default: the newest."
        ),
    ] = None,
    data: opt.OwnData = None,
    object_: opt.Object = None,
    subset: Annotated[
        str, typer.Option("--subset", metavar="NAME", help="Which images are reported; not val.")
    ] = "test",
    device: opt.OwnDevice = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Measure how well attention localizes a class: boxes and pixels, thresholds chosen on val.

    The figures stay in each run's folder, as localization.json, and 'report' shows them.
    """
    quieten(quiet)
    import biasaudit as api
    from biasaudit.cli.progress import CountProgress
    from biasaudit.cli.writing import plain
    from biasaudit.training.run_directory import newest_run

    dataset = api.load_dataset(data) if data else None
    found: list[dict[str, Any]] = []
    for folder in run or [newest_run(RUNS)]:
        model = api.load_run(folder)
        left = written_before([one["name"] for one in found])
        with if_stopped(left), CountProgress(model.name) as progress:
            figures = api.localize(
                model,
                dataset,
                object=object_,
                subset=subset,
                device=device,
                save=True,
                progress=progress,
            )
        levels = {f"{level:g}": share for level, share in figures.by_level.items()}
        told = {**asdict(figures), "by_level": levels}
        found.append(plain({"name": model.name, **told, **figures.intervals}))
    if json_:
        echo_json({"subset": subset, "runs": found})
        return
    print_table(_table(found, subset))


def _table(rows: list[dict[str, Any]], subset: str) -> Table:
    from biasaudit.cli.tables import decimal

    table = Table(
        title=f"localization on {subset}, thresholds from val, 95% intervals in brackets",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("run")
    table.add_column("images", justify="right")
    columns = {
        "max_box_acc": "MaxBoxAcc",
        "max_box_acc_v2": "MaxBoxAccV2",
        "px_ap": "PxAP",
        "top_1": "top-1",
    }
    for title in columns.values():
        table.add_column(title, justify="right")
    for row in rows:
        values = (decimal(row[name], row.get(f"{name}_ci")) for name in columns)
        table.add_row(row["name"], str(row["n"]), *values)
    return table
