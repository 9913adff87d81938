"""``biasaudit evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, out, quieten
from biasaudit.cli.train import RUNS

if TYPE_CHECKING:
    from biasaudit.results import Results


def evaluate(
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="biased-OBJECT, or a subset. May be repeated; val is always measured. "
            "Default: biased-OBJECT of the audited object.",
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            "--run", metavar="DIR", help="Run directory. May be repeated. Default: the newest."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME|FOLDER",
            help="A dataset to audit on. Default: the one that the run was trained on.",
        ),
    ] = None,
    object_: opt.Object = None,
    context: opt.Context = None,
    device: opt.Device = None,
    batch_size: opt.BatchSize = None,
    workers: opt.Workers = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to write the results. Default: the run's own directory. Several runs "
            "also give one results.json together there.",
        ),
    ] = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Audit trained runs on counterfactual splits.

    Prints accuracy with 95% intervals on each cell, AUROC, and how much of the attention falls on
    the object; writes results.json, per_image.csv and gallery.npz.
    """
    quieten(quiet)
    from biasaudit.cli.auditing import AuditRequest, audit_run
    from biasaudit.cli.tables import results_table
    from biasaudit.results import merge
    from biasaudit.training.run_directory import newest_run

    paths = run or [newest_run(RUNS)]
    request = AuditRequest(tuple(split or ()), data, object_, context, device, batch_size, workers)
    parts = []
    for path in paths:
        target = path if out_dir is None else out_dir if len(paths) == 1 else out_dir / path.name
        parts.append(audit_run(path, request, target))
        err.print(f"results: {target}", markup=False, soft_wrap=True)
    results = merge(parts)
    if out_dir is not None and len(paths) > 1:
        write_results(out_dir, results)
    if json_:
        typer.echo(results.to_json(), nl=False)
        return
    out.print(results_table(results.runs), soft_wrap=not out.is_terminal)
    err.print(f"next: biasaudit report {' '.join(map(str, paths))}", markup=False, soft_wrap=True)


def write_results(directory: Path, results: Results) -> None:
    """Write the results of several runs into one file."""
    from biasaudit.results import RESULTS_FILE, write_atomic

    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(directory / RESULTS_FILE, results.to_json().encode())
