"""``biasaudit train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, note, out, quieten
from biasaudit.cli.sources import told
from biasaudit.errors import ConfigError, named_field

if TYPE_CHECKING:
    from biasaudit.config import Settings
    from biasaudit.training.run_directory import RunRecord

RUNS = Path("runs")


def train(
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="NAME",
            help=told("training.mode"),
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            metavar="sigmoid|softmax",
            help=told("training.loss"),
        ),
    ] = None,
    pixel_labels: Annotated[
        int | None,
        typer.Option(
            "--pixel-labels",
            metavar="N",
            help=told("data.pixel_labels"),
        ),
    ] = None,
    box_labels: Annotated[
        int | None,
        typer.Option("--box-labels", metavar="N", help=told("data.box_labels")),
    ] = None,
    data: opt.Data = None,
    object_: opt.Objects = None,
    context: opt.Contexts = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            help=told("model.backbone"),
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="imagenet|none|PATH",
            help=told("model.weights"),
        ),
    ] = None,
    attention_module: Annotated[
        str | None,
        typer.Option("--attention-module", metavar="NAME", help=told("model.attention_module")),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", metavar="PX", help=told("data.image_size")),
    ] = None,
    epochs: opt.Epochs = None,
    batch_size: Annotated[
        str | None,
        typer.Option("--batch-size", metavar="N|auto", help=told("training.batch_size")),
    ] = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="NAME", help=told("training.precision"))
    ] = None,
    workers: opt.Workers = None,
    cache: opt.Cache = None,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="none|csv|tensorboard", help=told("training.log")),
    ] = None,
    on_error: opt.OnError = None,
    config: opt.Config = None,
    set_: opt.Set = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Run directory, which names the run. Default: a new one in runs/.",
        ),
    ] = None,
    resume: opt.Resume = False,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train a classifier, guided or not, and leave a run directory.

    With nothing else said it trains the baseline on the embedded harbour scenes, in half a minute
    on a laptop. `biasaudit evaluate` then audits it.

    Stopped by Ctrl-C or killed, it goes on with `--resume --out DIR`, which takes the settings
    from the run directory; `--resume` alone goes on with the last training of the same settings.
    """
    quieten(quiet)
    from biasaudit.config import load_settings

    begun = _kept_settings(out_dir) if resume and out_dir else None
    settings = load_settings(
        config or begun,
        set_ or [],
        {
            "training.mode": mode,
            "training.loss": loss,
            "data.pixel_labels": pixel_labels,
            "data.box_labels": box_labels,
            "data.name": data,
            "data.object": _one("object", object_),
            "data.context": _one("context", context),
            "model.backbone": backbone,
            "model.weights": weights,
            "model.attention_module": attention_module,
            "data.image_size": image_size,
            "training.epochs": epochs,
            "training.batch_size": batch_size,
            "training.seed": seed,
            "training.device": device,
            "training.precision": precision,
            "training.workers": workers,
            "training.log": log,
            "data.cache": cache,
            "data.on_error": on_error,
        },
    )
    if resume and out_dir and begun is None:
        note(f"{out_dir}: no training was begun there, so a new one begins")
    run = train_run(settings, out_dir, resume=resume)
    if json_:
        out.print_json(
            data={"run": str(run.path), "name": run.name, "val_accuracy": run.val_accuracy}
        )
    else:
        out.print(f"{run.path}", markup=False, soft_wrap=True)
        err.print(f"next: biasaudit evaluate --run {run.path}", markup=False, soft_wrap=True)


def _kept_settings(folder: Path) -> Path | None:
    """Return the settings of the training that a folder holds, None where it holds none."""
    from biasaudit.training.resumable import kept_settings

    return kept_settings(folder)


def _one(field: str, names: list[str] | None) -> str | None:
    """Return the one name that was given; a training has one object and one context."""
    if names and len(names) > 1:
        raise ConfigError(
            f"{named_field(field)}: given {len(names)} times, and a training has one",
            "'biasaudit evaluate' takes several",
        )
    return names[0] if names else None


def train_run(
    settings: Settings,
    directory: Path | None,
    *,
    parent: Path = RUNS,
    lines: bool = True,
    resume: bool = False,
) -> RunRecord:
    """Train one run into its directory.

    Args:
        settings: The settings, not yet complete.
        directory: The run directory; a new one in ``parent`` where None.
        parent: Where new ones are made.
        lines: Whether to print a line for every epoch.
        resume: Go on with a training that stopped there.
    """
    from biasaudit import api
    from biasaudit.cli.progress import TrainingProgress

    data = settings.data
    dataset = api.load_dataset(data.name, options=data.options, on_error=data.on_error)
    with TrainingProgress(settings.training.mode, lines=lines) as progress:
        return api.train(
            dataset,
            settings=settings,
            out=directory,
            parent=None if directory else parent,
            resume=resume,
            note=note,
            progress=progress,
        )
