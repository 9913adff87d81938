"""``biasaudit evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasaudit import processes
from biasaudit.cli import options as opt
from biasaudit.cli.console import err, json_line, note, one_line, out, print_table, quieten
from biasaudit.cli.progress import CountProgress
from biasaudit.cli.train import RUNS
from biasaudit.cli.verb import if_stopped, written_before
from biasaudit.errors import ConfigError, RunError

if TYPE_CHECKING:
    from biasaudit.results import Audit


def evaluate(
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="biased-OBJECT, or a subset. May be repeated; val is always measured. "
            "Default: biased-OBJECT of the audited object; without a context, every test subset.",
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
    object_: opt.Objects = None,
    context: opt.Contexts = None,
    device: opt.OwnDevice = None,
    batch_size: opt.BatchSize = None,
    workers: opt.Workers = None,
    cache: opt.Cache = None,
    on_error: opt.OnError = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to write the results; tables then call one run by this folder's name. "
            "Default: the run's own directory. Several runs also give one results.json together "
            "there.",
        ),
    ] = None,
    model: opt.Model = None,
    state: opt.State = None,
    classes: opt.Classes = None,
    layer: opt.Layer = None,
    normalise: opt.Normalise = "imagenet",
    scores: opt.Scores = "auto",
    image_size: opt.ImageSize = 224,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="What reports call the model of --model. Default: the name of its state file.",
        ),
    ] = None,
    faithfulness: Annotated[
        bool,
        typer.Option(
            "--faithfulness",
            help="Also erase what the attention marks, and see how far the score falls.",
        ),
    ] = False,
    all_pairs: Annotated[
        bool,
        typer.Option(
            "--all-pairs",
            help="Also audit every other object-context pair of the dataset, and name those that "
            "got worse than in the first run.",
        ),
    ] = False,
    maps: Annotated[
        bool,
        typer.Option("--maps", help="Also write the attention map of every image to maps.npz."),
    ] = False,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="GROUP.METRIC=X",
            help="Exit with code 1 where a figure is lower, as in "
            "boat-without-water.accuracy=0.8; the group may be 'overall' or 'val'. May be "
            "repeated.",
        ),
    ] = None,
    max_gap: Annotated[
        str | None,
        typer.Option(
            "--max-gap",
            metavar="X",
            help="Exit with code 1 where the context moves the share of yes answers by more than "
            "this, 0 to 1, or the model is not shown to know the object.",
        ),
    ] = None,
    gate_on: Annotated[
        str,
        typer.Option(
            "--gate-on",
            metavar="estimate|lower",
            help="What is held against the limits: the estimate, or the less favourable bound of "
            "its 95% interval.",
        ),
    ] = "estimate",
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the gates as JUnit XML for a CI."),
    ] = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Audit trained runs on counterfactual splits.

    Prints accuracy with 95% intervals on each group, AUROC, how much of the attention falls on the
    object, and the verdict; writes results.json, per_image.csv and gallery.npz.
    """
    quieten(quiet)
    from biasaudit import api
    from biasaudit.cli.gating import check_gates, parse_gates, with_gates
    from biasaudit.results import RESULTS_FILE, Results, refuse_newer, try_folder
    from biasaudit.training.run_directory import newest_run, unused

    gates = parse_gates(fail_under or [], max_gap, gate_on, junit)
    models: list[tuple[Any, Path]] = []
    if model is not None:
        if run:
            raise ConfigError("--model and --run", "evaluate them one after the other")
        if name is not None and set(name) & set("/\\"):
            raise ConfigError(f"--name {name}: holds a slash", "a name without one")
        loaded = api.load_model(
            model,
            state,
            classes=classes or "",
            layer=layer,
            normalise=normalise,
            scores=scores,
            image_size=image_size,
            name=name,
        )
        note(f"attention layer: {loaded.network.layer}")
        for line in loaded.notes:
            note(line)
        models.append((loaded, out_dir or unused(RUNS, loaded.name)))
    else:
        _refuse_without_model(state=state, classes=classes, layer=layer, name=name)
        paths = run or [newest_run(RUNS)]
        for path in paths:
            target = path if out_dir is None else out_dir / path.name if len(paths) > 1 else out_dir
            models.append((api.load_run(path), target))
    for _, target in models:
        try_folder(target)
        refuse_newer(target / RESULTS_FILE)
    if out_dir is not None:
        refuse_newer(out_dir / RESULTS_FILE)
    dataset = api.load_dataset(data, on_error=on_error or "stop") if data else None
    audits: list[Audit] = []
    for found, target in models:
        left = written_before([audit.name for audit in audits])
        with if_stopped(left), CountProgress(found.name) as progress:
            audits.append(
                api.audit(
                    found,
                    dataset,
                    splits=split or (),
                    object=object_,
                    context=context,
                    faithfulness=faithfulness,
                    all_pairs=all_pairs,
                    maps=maps,
                    device=device,
                    batch_size=batch_size,
                    workers=0 if workers is None else workers,
                    cache=cache,
                    on_error=on_error,
                    note=note,
                    progress=progress,
                )
            )
        if not processes.first():
            continue
        if out_dir is not None and len(models) == 1 and name is None:
            audits[-1] = _called(audits[-1], out_dir)
        audits[-1] = _saved(with_gates(gates, audits[-1]), target)
    if not processes.first():
        return
    if out_dir is not None and len(audits) > 1:
        write_results(out_dir, audits)
    results = Results(runs=[audit.run for audit in audits])
    if json_:
        typer.echo(json_line(results.to_json()), nl=False)
    else:
        _show(audits, [target for _, target in models], all_pairs)
    kept = check_gates(gates, results)
    for gate in kept:
        if not (quiet and gate.passed):
            typer.echo(one_line(gate.line), err=True)
    if not all(gate.passed for gate in kept):
        raise typer.Exit(1)


def _called(audit: Audit, folder: Path) -> Audit:
    """Return an audit under the name of the folder that the user asked for."""
    name = folder.name if folder.name not in ("", "..") else audit.name
    return replace(audit, run=audit.run.model_copy(update={"name": name}))


def _saved(audit: Audit, target: Path) -> Audit:
    """Write an audit beside what an earlier one left there, and return both together."""
    from biasaudit.analysis.earlier import added_to

    added = added_to(target, audit)
    added.audit.save(target)
    err.print(f"results: {target}", markup=False, soft_wrap=True)
    if added.kept:
        note(f"kept from before: {', '.join(added.kept)}")
    if added.replaced:
        note(f"replaced: {added.replaced}")
    return added.audit


def _refuse_without_model(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"--{name}: there is no --model", "a run brings its own")


def _show(audits: Sequence[Audit], targets: Sequence[Path], all_pairs: bool) -> None:
    from biasaudit.analysis import worse_pairs
    from biasaudit.cli.comparing import harm_lines, pair_lines
    from biasaudit.cli.conclusions import conclusion_lines, conclusion_notes
    from biasaudit.cli.tables import results_table

    runs = [audit.run for audit in audits]
    print_table(results_table(runs))
    for line in conclusion_notes(runs):
        note(line)
    for run in runs:
        for line in conclusion_lines(run):
            out.print(line, markup=False, soft_wrap=True)
    if all_pairs:
        for audit in audits:
            count = 0 if audit.pairs is None else audit.pairs["split"].nunique()
            note(f"{audit.name}: {count} other object-context pairs audited")
        for audit in audits[1:]:
            for line in pair_lines(worse_pairs(audits[0], audit), audit.name):
                out.print(line, markup=False, soft_wrap=True)
    for audit in audits[1:]:
        for line in harm_lines(audits[0], audit, (audits[0].name, audit.name)):
            out.print(line, markup=False, soft_wrap=True)
    err.print(f"next: biasaudit report {' '.join(map(str, targets))}", markup=False, soft_wrap=True)


def write_results(directory: Path, audits: Sequence[Audit]) -> None:
    """Write the figures of several audits into one file; runs of other names in it stay."""
    from biasaudit.results import (
        RESULTS_FILE,
        Results,
        read_results,
        write_atomic,
        write_or_move,
    )

    names = {audit.run.name for audit in audits}
    try:
        there = read_results(directory).runs if (directory / RESULTS_FILE).is_file() else []
    except RunError as error:
        note(f"replaced: {directory / RESULTS_FILE}, which could not be read ({error.message})")
        there = []
    kept = [run for run in there if run.name not in names]
    if kept:
        note(f"kept from before: {', '.join(run.name for run in kept)}")
    results = Results(runs=[*kept, *(audit.run for audit in audits)])

    def write(place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        write_atomic(place / RESULTS_FILE, results.to_json().encode())

    write_or_move(directory, RESULTS_FILE, write)
