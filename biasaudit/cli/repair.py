"""``biasaudit repair``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biasaudit import processes
from biasaudit.cli import options as opt
from biasaudit.cli.console import err, out, quieten
from biasaudit.cli.segment import Assignments, segment_assignments
from biasaudit.cli.sources import told
from biasaudit.cli.train import RUNS
from biasaudit.errors import ConfigError

if TYPE_CHECKING:
    from biasaudit.models.external import LoadedModel


JSON_KEYS = ("val", "edits", "foregrounds", "labels_by_form", "chosen")
"""Of the record of a repair."""


def repair(
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Run directory. Default: the newest."),
    ] = None,
    pixel_labels: Annotated[
        int,
        typer.Option(
            "--pixel-labels",
            metavar="N",
            show_default=False,
            help=told("repair.pixel_labels", "Boxes stand in where masks run out."),
        ),
    ] = 78,
    box_labels: Annotated[
        int,
        typer.Option(
            "--box-labels", metavar="N", show_default=False, help=told("repair.box_labels")
        ),
    ] = 0,
    max_val_loss: Annotated[
        float,
        typer.Option(
            "--max-val-loss",
            metavar="X",
            min=0.0,
            max=1.0,
            show_default=False,
            help=told("repair.max_val_loss"),
        ),
    ] = 0.02,
    regions: Annotated[
        str | None,
        typer.Option(
            "--regions",
            metavar="NAMES",
            help="Classes whose regions are the object, with commas, where images without it show "
            "such a thing too: malignant,benign. Each gets as many labels.",
        ),
    ] = None,
    context_labels: Annotated[
        str | None,
        typer.Option(
            "--context-labels",
            metavar="NAMES",
            help="Contexts whose labels of all training images are read, with commas.",
        ),
    ] = None,
    foregrounds: Annotated[
        str,
        typer.Option(
            "--foregrounds",
            metavar="HOW",
            show_default=False,
            help=told("repair.foregrounds"),
        ),
    ] = "labelled",
    set_: Assignments = None,
    data: opt.OwnData = None,
    object_: opt.Object = None,
    model: opt.Model = None,
    state: opt.State = None,
    classes: opt.Classes = None,
    layer: opt.Layer = None,
    normalise: opt.Normalise = "imagenet",
    scores: opt.Scores = "auto",
    image_size: opt.ImageSize = 224,
    seed: opt.Seed = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="An empty folder. Default: a new one in runs/."),
    ] = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Repair a trained model by its last layer alone.

    The row of the audited class is refitted on training images and on edits of the labelled ones:
    the object pasted elsewhere, the object taken out. No other number of the network changes, so
    the scores of all other classes stay as they are. What is chosen is chosen on training images,
    their edits and val. `biasaudit evaluate` then audits the repaired model like any other.
    """
    quieten(quiet)
    from biasaudit import api
    from biasaudit.cli.progress import StageProgress
    from biasaudit.training.repair.record import summary_of
    from biasaudit.training.run_directory import RunRecord, newest_run

    if model is not None and run is not None:
        raise ConfigError("--model and --run", "repair them one after the other")
    subject = (
        api.load_run(run or newest_run(RUNS))
        if model is None
        else api.load_model(
            model,
            state,
            classes=classes or "",
            layer=layer,
            normalise=normalise,
            scores=scores,
            image_size=image_size,
        )
    )
    with StageProgress(subject.name) as progress:
        repaired = api.repair(
            subject,
            api.load_dataset(data) if data else None,
            object=object_,
            out=out_dir,
            parent=None if out_dir else RUNS,
            progress=progress,
            pixel_labels=pixel_labels,
            box_labels=box_labels,
            max_val_loss=max_val_loss,
            regions=_names(regions),
            context_labels=_names(context_labels),
            foregrounds=foregrounds,
            segment=segment_assignments(set_),
            seed=seed,
        )
    if not processes.first():
        return
    record = repaired.repair or {}
    place = repaired.path if isinstance(repaired, RunRecord) else _folder_of(repaired)
    if json_:
        said = {key: record[key] for key in JSON_KEYS if key in record}
        out.print_json(data={"run": str(place), "name": repaired.name, **said})
        return
    out.print(f"{place}", markup=False, soft_wrap=True)
    err.print(summary_of(record), markup=False, soft_wrap=True)
    if isinstance(repaired, RunRecord):
        given = [("--run", record["repaired"]), ("--run", place)]
    else:
        given = [
            ("--model", model),
            ("--state", repaired.external.state),
            ("--classes", classes),
            ("--layer", layer),
            ("--normalise", normalise if normalise != "imagenet" else None),
            ("--scores", scores if scores != "auto" else None),
            ("--image-size", image_size if image_size != 224 else None),
        ]
    given += [("--data", data), ("--object", object_)]
    words = [word for flag, value in given if value is not None for word in (flag, str(value))]
    err.print(
        f"next: {shlex.join(['biasaudit', 'evaluate', *words])}", markup=False, soft_wrap=True
    )


def _names(listed: str | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(n for name in listed.split(",") if (n := name.strip()))


def _folder_of(model: LoadedModel) -> Path | None:
    return model.external.state.parent if model.external.state else None
