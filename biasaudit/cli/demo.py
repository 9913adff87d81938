"""``biasaudit demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, note, out, print_table, quieten

if TYPE_CHECKING:
    from biasaudit.results import Audit
    from biasaudit.training.run_directory import RunRecord

RUNS = (
    ("baseline", 0),
    ("gain", 0),
    ("gain_ext", 78),
    ("evidence", 78),
    ("counterfactual", 9),
    ("counterfactual", 23),
    ("counterfactual", 78),
)
REPAIRED = 78
"""Labels that the baseline is repaired with."""
SMALLER = (
    "data.options.train=1000",
    "training.batch_size=32",
    "training.labels_per_step=8",
    "training.epochs=6",
)
"""Half the images, half the batch and fewer epochs than ``train`` takes: the demo is to end within
three minutes on two cores and 2 GB."""


def demo(
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to leave the runs, results.json and report.html. "
            "Default: a new biasaudit-demo/ here.",
        ),
    ] = None,
    seed: opt.Seed = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes over the data. Default: 6.")
    ] = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
) -> None:
    """Run the whole audit on the embedded harbour scenes.

    Trains a boat classifier without guidance and repairs it by its last layer; trains it with the
    paper's GAIN and GAIN_ext, and with the two modes that go further, on 78 pixel labels, one of
    them on 9 and 23 too; tests each on boats ashore and on water without boats; prints the table
    and writes the report. Two to three minutes on a laptop, on half of the scenes that train takes.
    """
    quieten(quiet)
    from biasaudit import api
    from biasaudit.cli.evaluate import write_results
    from biasaudit.cli.progress import StageProgress
    from biasaudit.cli.tables import results_table
    from biasaudit.cli.train import train_run
    from biasaudit.config import load_settings
    from biasaudit.training.run_directory import prepare, unused

    folder = prepare(out_dir or unused(Path(), "biasaudit-demo"))
    runs_folder = folder / "runs"
    audits: list[Audit] = []

    def audited(run: RunRecord) -> None:
        audits.append(api.audit(run, note=note))
        audits[-1].save(runs_folder / str(run.path.name if run.path else run.name))
        val, overall = audits[-1].run.splits["val"].overall, audits[-1].overall
        err.print(
            f"{len(audits)}/{len(RUNS) + 1} {run.name}: val {val.accuracy:.3f}, "
            f"two counterfactual groups {overall.accuracy if overall else None:.3f}"
        )

    for mode, labels in RUNS:
        settings = load_settings(
            None,
            [*SMALLER, *(set_ or [])],
            {
                "training.mode": mode,
                "data.pixel_labels": labels,
                "training.seed": seed,
                "training.epochs": epochs,
                "training.device": device,
            },
        )
        run = train_run(settings, None, parent=runs_folder, lines=False)
        audited(run)
        if mode == "baseline":
            with StageProgress(run.name) as progress:
                repaired = api.repair(
                    run, parent=runs_folder, progress=progress, pixel_labels=REPAIRED
                )
            audited(cast("RunRecord", repaired))
    write_results(folder, audits)
    api.report(audits, folder / "report.html")
    print_table(results_table([audit.run for audit in audits]))
    out.print(f"{folder / 'report.html'}", markup=False, soft_wrap=True)
