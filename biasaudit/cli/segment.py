"""``biasaudit segment``: masks from image-level labels and a run's attention."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from biasaudit.cli import options as opt
from biasaudit.cli.console import echo_json, err, note, out, print_table, quieten
from biasaudit.cli.sources import told
from biasaudit.cli.train import RUNS
from biasaudit.cli.verb import Verb, Verbs, if_stopped
from biasaudit.errors import ConfigError, RunError, named_field

if TYPE_CHECKING:
    from biasaudit.segmentation.evaluate import SegmentationResult

app = typer.Typer(
    help="Segment images by their labels and a run's attention: train, evaluate, export, cues.",
    no_args_is_help=True,
    cls=Verbs,
)

Run = Annotated[
    Path | None, typer.Option("--run", metavar="DIR", help="Run directory. Default: the newest.")
]
Drawer = Annotated[
    Path | None,
    typer.Option(
        "--run", metavar="DIR", help="Folder that 'segment train' wrote. Default: the newest."
    ),
]
Subset = Annotated[
    str, typer.Option("--subset", metavar="NAME", help="Which images: train, val or test.")
]
NoCrf = Annotated[
    bool, typer.Option("--no-crf", help="Leave the dense CRF out: the network's own masks.")
]
Threshold = Annotated[
    float | None, typer.Option("--threshold", metavar="X", help=told("segment.threshold"))
]
Background = Annotated[
    float | None, typer.Option("--background", metavar="X", help=told("segment.background"))
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting of the segmentation network, such as segment.iterations=2000 "
        "(docs/settings.md has the others). May be repeated.",
    ),
]


@app.command("train", cls=Verb)
def train(
    run: Run = None,
    data: opt.OwnData = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="NAME|PATH", help=told("segment.weights")),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help=told("segment.seed"))
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help=told("segment.device"))
    ] = None,
    regions: Annotated[
        bool, typer.Option("--regions", show_default=False, help=told("segment.regions"))
    ] = False,
    threshold: Threshold = None,
    background: Background = None,
    set_: Assignments = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="An empty folder. Default: a new one in runs/."),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Train a segmentation network from image-level labels and a run's attention (SEC).

    No region is read, unless --regions asks for those that the run itself was trained with.
    """
    quieten(quiet)
    options = {
        "weights": weights,
        "seed": seed,
        "device": device,
        "regions": regions or None,
        "threshold": threshold,
        "background": background,
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings = segment_assignments(set_) | given
    import biasaudit as api
    from biasaudit.cli.progress import CountProgress
    from biasaudit.training.run_directory import newest_run

    model = api.load_run(run or newest_run(RUNS))
    with CountProgress(f"{model.name}: steps") as progress:
        made = api.train_segmenter(
            model,
            api.load_dataset(data) if data else None,
            out=out_dir,
            parent=None if out_dir else RUNS,
            progress=lambda done, total, loss: progress(done, total),
            **settings,
        )
    out.print(f"{made.path}", markup=False, soft_wrap=True)
    err.print(f"next: biasaudit segment evaluate --run {made.path}", markup=False, soft_wrap=True)


@app.command("evaluate", cls=Verb)
def evaluate(
    run: Drawer = None,
    data: opt.OwnData = None,
    subset: Subset = "val",
    no_crf: NoCrf = False,
    device: opt.OwnDevice = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Measure masks by intersection over union, with and without the dense CRF.

    Images that show a class without its region are left out, and counted. The figures and a few
    pictures stay in the segmenter's folder, as evaluation.json and .npz, and 'report' shows them.
    """
    quieten(quiet)
    import biasaudit as api
    from biasaudit.cli.progress import CountProgress

    folder = run or _newest()
    drawer = api.load_segmenter(folder)
    before = _measured_with_crf(folder) if no_crf else set()
    with CountProgress(drawer.name) as progress:
        found = api.evaluate_segmenter(
            drawer,
            api.load_dataset(data) if data else None,
            subset=subset,
            crf=not no_crf,
            device=device,
            save=True,
            progress=progress,
        )
    if before and before - _measured_with_crf(folder):
        note(
            f"replaced: the earlier figures of {subset} with the CRF; "
            "evaluate without --no-crf to have both"
        )
    if json_:
        echo_json(found.to_dict())
    else:
        print_table(_table(found))


@app.command("export", cls=Verb)
def export(
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder for the files.")],
    run: Drawer = None,
    data: opt.OwnData = None,
    subset: Subset = "train",
    no_crf: NoCrf = False,
    device: opt.OwnDevice = None,
    quiet: opt.Quiet = False,
) -> None:
    """Write the masks of a subset as indexed PNG files and one COCO file."""
    quieten(quiet)
    import biasaudit as api

    _export(api.load_segmenter(run or _newest()), out_dir, data, subset, device, crf=not no_crf)


@app.command("cues", cls=Verb)
def cues(
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder for the files.")],
    run: Run = None,
    data: opt.OwnData = None,
    subset: Subset = "train",
    threshold: Threshold = None,
    background: Background = None,
    device: opt.OwnDevice = None,
    quiet: opt.Quiet = False,
) -> None:
    """Write what a run's attention marks of each class as PNG and COCO files, to be corrected."""
    quieten(quiet)
    import biasaudit as api
    from biasaudit.training.run_directory import newest_run

    model = api.load_run(run or newest_run(RUNS))
    given = {"threshold": threshold, "background": background}
    _export(model, out_dir, data, subset, device, **given)


def _export(
    source: Any, folder: Path, data: str | None, subset: str, device: str | None, **how: Any
) -> None:
    import biasaudit as api
    from biasaudit.cli.progress import CountProgress

    left = "masks are missing; run the same command again"
    with if_stopped(left), CountProgress(source.name) as progress:
        file = api.export_masks(
            source,
            folder,
            api.load_dataset(data) if data else None,
            subset=subset,
            device=device,
            progress=progress,
            **how,
        )
    out.print(str(file), markup=False, soft_wrap=True)


def _newest() -> Path:
    from biasaudit.segmentation.segmenter import newest_segmenter

    return newest_segmenter(RUNS)


def _measured_with_crf(folder: Path) -> set[tuple[str, ...]]:
    """Return the datasets and subsets that a segmenter's folder has figures with the CRF of."""
    from biasaudit.results import read_segmentation

    try:
        figures = read_segmentation(folder).record.figures
    except RunError:  # not measured, or not with these weights
        return set()
    return {one.measured_on for one in figures if one.with_crf is not None}


def segment_assignments(assignments: list[str] | None) -> dict[str, Any]:
    """Return ``segment.key=value`` assignments as settings.

    Raises:
        ConfigError: One is of another form, or of another section.
    """
    from biasaudit.inputs.documents import toml_value

    found: dict[str, Any] = {}
    for text in assignments or ():
        key, equals, raw = text.partition("=")
        section, _, name = key.strip().rpartition(".")
        if not equals or not name or section not in ("", "segment"):
            raise ConfigError(
                f"{named_field('set', text)}: not of the form segment.key=value",
                "write for example segment.iterations=2000",
            )
        try:
            found[name] = toml_value(raw.strip())
        except ValueError:
            found[name] = raw.strip()
    return found


def _table(found: SegmentationResult) -> Table:
    from biasaudit.report.format import images_told

    left = f", {found.n_without_masks} without masks left out" * (found.n_without_masks > 0)
    table = Table(
        title=f"{found.name}: IoU on {found.subset} ({images_told(found.n)}{left})",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    ways = [("network", found.without_crf)]
    ways += [("with CRF", found.with_crf)] if found.with_crf is not None else []
    table.add_column("class")
    for name, _ in ways:
        table.add_column(name, justify="right")
    for name in found.without_crf.iou:
        table.add_row(name, *(_number(scores.iou[name]) for _, scores in ways))
    table.add_row("mean", *(_number(scores.mean_iou) for _, scores in ways))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
