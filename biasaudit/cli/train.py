"""``biasaudit train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, out, quieten

RUNS = Path("runs")


def train(
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="NAME",
            help="baseline, gain, gain_ext, ...: see 'biasaudit list modes'. Default: baseline.",
        ),
    ] = None,
    pixel_labels: Annotated[
        int | None,
        typer.Option(
            "--pixel-labels",
            metavar="N",
            help="How many training images of the object lend their region. Chosen by seed; "
            "boxes stand in where masks run out, and the run says so.",
        ),
    ] = None,
    box_labels: Annotated[
        int | None,
        typer.Option(
            "--box-labels", metavar="N", help="How many more lend their bounding box only."
        ),
    ] = None,
    data: opt.Data = None,
    object_: opt.Object = None,
    context: opt.Context = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            help="See 'biasaudit list backbones'. Default: harbournet for harbour, mobilenet_v2 "
            "for datasets on disk.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="imagenet|none|PATH",
            help="Where training starts. harbournet starts from 'scenes', which the package "
            "carries; the others from 'imagenet'.",
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            "--image-size", metavar="PX", help="Side of the input. Default: the backbone's."
        ),
    ] = None,
    epochs: opt.Epochs = None,
    batch_size: opt.BatchSize = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="fp32 or bf16. Default: fp32.")
    ] = None,
    workers: opt.Workers = None,
    cache: opt.Cache = None,
    config: opt.Config = None,
    set_: opt.Set = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Run directory. Default: a new one in runs/."),
    ] = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train a classifier, guided or not, and leave a run directory.

    With nothing else said it trains the baseline on the embedded harbour scenes, in half a minute
    on a laptop. `biasaudit evaluate` then audits it.
    """
    quieten(quiet)
    from biasaudit.config import load_settings

    settings = load_settings(
        config,
        set_ or [],
        {
            "training.mode": mode,
            "data.pixel_labels": pixel_labels,
            "data.box_labels": box_labels,
            "data.name": data,
            "data.object": object_,
            "data.context": context,
            "model.backbone": backbone,
            "model.weights": weights,
            "data.image_size": image_size,
            "training.epochs": epochs,
            "training.batch_size": batch_size,
            "training.seed": seed,
            "training.device": device,
            "training.precision": precision,
            "training.workers": workers,
            "data.cache": cache,
        },
    )
    run = train_run(settings, out_dir)
    if json_:
        out.print_json(
            data={"run": str(run["path"]), "name": run["name"], "val_accuracy": run["val_accuracy"]}
        )
    else:
        out.print(f"{run['path']}", markup=False, soft_wrap=True)
        err.print(f"next: biasaudit evaluate --run {run['path']}", markup=False, soft_wrap=True)


def train_run(
    settings: Any, directory: Path | None, *, parent: Path = RUNS, lines: bool = True
) -> dict[str, Any]:
    """Train one run and write its directory.

    Args:
        settings: The settings, not yet complete.
        directory: The run directory; a new one in ``parent`` where None.
        parent: Where new ones are made.
        lines: Whether to print a line for every epoch.

    Returns:
        ``path``, ``name`` and ``val_accuracy`` of the run.
    """
    from biasaudit.cli.progress import TrainingProgress
    from biasaudit.training.loop import train as train_loop
    from biasaudit.training.plan import make_plan
    from biasaudit.training.run_directory import prepare, unused, write_run

    plan = make_plan(settings)
    path = prepare(directory or unused(parent, plan.name))
    for note in plan.notes:
        err.print(f"note: {note}", markup=False)
    try:
        with TrainingProgress(plan.name, lines=lines) as progress:
            trained = train_loop(plan, progress)
        write_run(path, plan, trained)
    except BaseException:
        if not any(path.iterdir()):
            path.rmdir()
        raise
    return {"path": path, "name": plan.name, "val_accuracy": trained.metrics[-1].val_accuracy}
