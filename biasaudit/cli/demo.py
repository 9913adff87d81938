"""``biasaudit demo``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, note, out, print_table, quieten
from biasaudit.cli.flags import message_of
from biasaudit.errors import ConfigError, RunInterruptedError

if TYPE_CHECKING:
    from biasaudit.results import Audit
    from biasaudit.training.run_directory import RunRecord

RUNS = (("baseline", 0), ("gain", 0), ("gain_ext", 78), ("counterfactual", 78))
NAME, REPORT = "biasaudit-demo", "report.html"
REPAIRS = (9, 23, 78)
"""Labels that the baseline is repaired with."""
SHORTER = ("training.epochs=9",)
"""Half the epochs that ``train`` takes: the demo is to end within three minutes on two cores and
2 GB."""
FIVE_SEEDS = (
    "one seed is no ground to rank modes on. With the epochs of train, five seeds, mean of the two "
    "groups: baseline 58%, gain_ext 90%, counterfactual 99% (benchmarks/results)"
)


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
        int | None, typer.Option("--epochs", help="Passes over the data. Default: 9.")
    ] = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    resume: opt.Resume = False,
    quiet: opt.Quiet = False,
) -> None:
    """Run the whole audit on the embedded harbour scenes.

    Trains a boat classifier without guidance and repairs it by its last layer with 9, 23 and 78
    pixel labels; trains it with the paper's GAIN and GAIN_ext and with counterfactual pairs; tests
    each on boats ashore and on water without boats; prints the table and writes the report. Two to
    three minutes on a laptop, with half the epochs that train takes.
    """
    quieten(quiet)
    from biasaudit import api
    from biasaudit.cli.evaluate import write_results
    from biasaudit.cli.tables import results_table
    from biasaudit.cli.train import train_run
    from biasaudit.config import load_settings

    folder = _folder(out_dir, resume)
    runs_folder = folder / "runs"
    audits: list[Audit] = []

    def audited(run: RunRecord) -> None:
        audits.append(_audited(run, runs_folder, resume))
        val, overall = audits[-1].run.splits["val"].overall, audits[-1].overall
        err.print(
            f"{len(audits)}/{len(RUNS) + len(REPAIRS)} {run.name}: val {val.accuracy:.3f}, "
            f"two counterfactual groups {overall.accuracy if overall else None:.3f}"
        )

    with _how_to_go_on(folder):
        for mode, labels in RUNS:
            settings = load_settings(
                None,
                [*SHORTER, *(set_ or [])],
                {
                    "training.mode": mode,
                    "data.pixel_labels": labels,
                    "training.seed": seed,
                    "training.epochs": epochs,
                    "training.device": device,
                },
            )
            run = train_run(settings, None, parent=runs_folder, lines=False, resume=resume)
            audited(run)
            if mode == "baseline":
                for spent in REPAIRS:
                    repaired = _repaired(run, runs_folder, spent, resume)
                    if repaired is not None:
                        audited(repaired)
        write_results(folder, audits)
        api.report(audits, folder / REPORT)
    print_table(results_table([audit.run for audit in audits]))
    note(FIVE_SEEDS)
    out.print(f"{folder / REPORT}", markup=False, soft_wrap=True)


@contextmanager
def _how_to_go_on(folder: Path) -> Iterator[None]:
    """Say so where somebody stops the demo."""
    hint = f"to go on: biasaudit demo --resume --out {folder}"
    try:
        yield
    except RunInterruptedError as error:
        raise RunInterruptedError(message_of(error), hint) from None
    except KeyboardInterrupt:
        raise RunInterruptedError("stopped", hint) from None


def _folder(out_dir: Path | None, resume: bool) -> Path:
    """Return the demo's folder: an empty one, or that of the demo that is gone on with."""
    from biasaudit.training.run_directory import make_folder, prepare, unused

    if not resume:
        return make_folder(prepare(out_dir or unused(Path(), NAME)))
    begun = [place for place in Path().glob(f"{NAME}*") if not (place / REPORT).exists()]
    begun.sort(key=lambda place: place.stat().st_mtime_ns)
    return make_folder(out_dir or (begun[-1] if begun else unused(Path(), NAME)))


def _audited(run: RunRecord, parent: Path, resume: bool) -> Audit:
    """Audit a run; with ``resume``, read the audit that its folder holds."""
    from biasaudit import api
    from biasaudit.results import RESULTS_FILE, Audit

    place = parent / str(run.path.name if run.path else run.name)
    if resume and (place / RESULTS_FILE).is_file():
        return Audit.load(place)
    made = api.audit(run, note=note)
    made.save(place)
    return made


def _repaired(run: RunRecord, parent: Path, labels: int, resume: bool) -> RunRecord | None:
    """Repair a run; None, and a note, where too short a training left nothing that keeps val."""
    from biasaudit import api
    from biasaudit.cli.progress import StageProgress
    from biasaudit.training.run_directory import WEIGHTS

    place = parent / f"{run.name}-repair{labels}"
    if resume and (place / WEIGHTS).is_file():
        earlier = api.load_run(place)
        if earlier.repair is not None and earlier.repair["repaired"] == str(run.path):
            return earlier
    try:
        with StageProgress(run.name) as progress:
            found = api.repair(run, parent=parent, progress=progress, pixel_labels=labels)
    except ConfigError as error:
        note(f"{run.name} stays unrepaired: {message_of(error)}")
        return None
    return cast("RunRecord", found)
