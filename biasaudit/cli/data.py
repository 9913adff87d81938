"""``biasaudit data``: look at a dataset before anything is trained on it."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from biasaudit.cli import data_contexts
from biasaudit.cli import options as opt
from biasaudit.cli.console import echo_json, err, out, print_table, quieten
from biasaudit.cli.verb import GOES_ON, Verb, Verbs, if_stopped
from biasaudit.cli.writing import write_bytes, write_text
from biasaudit.errors import ConfigError, near_names

if TYPE_CHECKING:
    from biasaudit.data.checks.check import Check

FAULTY = 2
_SHOWN = 12

app = typer.Typer(
    help="Look at a dataset: check it, preview it, list what to annotate, tag contexts, fetch it.",
    no_args_is_help=True,
    cls=Verbs,
)

app.command("init", cls=Verb)(data_contexts.init)
app.command("contexts", cls=Verb)(data_contexts.contexts)


@app.command("check", cls=Verb)
def check(
    data: opt.Data = None,
    object_: opt.Object = None,
    context: opt.Context = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show every pair of an object and a context.")
    ] = False,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Read a dataset once, list its faults, and say what its groups can show.

    Every image and mask is decoded. The exit code is 2 if there is a fault.
    """
    quieten(quiet)
    from biasaudit.cli.progress import progress_bar
    from biasaudit.data.checks.check import check_dataset

    with progress_bar() as bar:
        task = bar.add_task("reading", total=None)
        found = check_dataset(
            data or "harbour",
            object_,
            context,
            begin=lambda total: bar.update(task, total=total),
            step=lambda: bar.advance(task),
        )
    if json_:
        echo_json(found.to_dict())
    else:
        _print_check(found, every)
    if found.faults:
        raise typer.Exit(FAULTY)


@app.command("preview", cls=Verb)
def preview(
    data: opt.Data = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="biased-OBJECT, edited-OBJECT, a declared split or a subset. Default: "
            "biased-OBJECT of the object; edited-OBJECT where a group of that is empty.",
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="Show this group only.")
    ] = None,
    object_: opt.Object = None,
    context: opt.Context = None,
    count: Annotated[
        int, typer.Option("--count", min=1, help="Images of each group, the first ones.")
    ] = 24,
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the picture (PNG).")
    ] = Path("preview.png"),
    quiet: opt.Quiet = False,
) -> None:
    """Draw a contact sheet of a split's images, with their regions tinted.

    An edited image stands beside the one that it was made from.
    """
    quieten(quiet)
    from biasaudit.data.catalogue import load_dataset
    from biasaudit.data.checks.preview import Sheet, contact_sheet
    from biasaudit.data.splits.resolve import resolve_split, split_names, usual_splits

    if out_file.suffix.lower() != ".png":
        raise ConfigError(f"--out {out_file}: not a .png file")
    dataset = load_dataset(data or "harbour")
    audited = object_ or dataset.object
    usual = usual_splits(dataset, audited, context) if audited else ()
    name = split or (usual or split_names(dataset))[0]
    found = resolve_split(dataset, name, object_, context)
    if found.note:
        err.print(f"note: {found.name}: {found.note}", markup=False, soft_wrap=True)
    partners = {s.id: s for samples in dataset.subsets.values() for s in samples}
    sheet = contact_sheet(found, group, partners, Sheet(count=count))
    png = io.BytesIO()
    sheet.save(png, format="PNG")
    write_bytes(out_file, png.getvalue(), "--out")
    _line(str(out_file))


@app.command("labels", cls=Verb)
def labels(
    pixel_labels: Annotated[
        int, typer.Option("--pixel-labels", metavar="N", min=1, help="How many images.")
    ],
    data: opt.Data = None,
    object_: opt.Object = None,
    seed: opt.Seed = None,
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the list (CSV).")
    ] = Path("labels.csv"),
    quiet: opt.Quiet = False,
) -> None:
    """List the training images whose region N pixel labels stand for, to hand to annotators.

    They are the images that 'train --pixel-labels N' takes with the same seed. Those that have a
    mask already come first, then those with a box, then those without either; a shorter list lies
    within a longer one, and every source of images has its share.
    """
    quieten(quiet)
    from biasaudit.data.annotation.label_list import as_csv, label_list, told
    from biasaudit.data.catalogue import load_dataset

    dataset = load_dataset(data or "harbour")
    objects = (object_,) if object_ else dataset.guided or (dataset.object,)
    rows = []
    for name in objects:
        if name is None:
            raise ConfigError(f"{dataset.root}: names no object", "add --object")
        found = label_list(
            dataset.subset("train"), dataset.check_object(name), pixel_labels, seed or 0
        )
        err.print(f"note: {told(found)}", markup=False, soft_wrap=True)
        rows += found
    write_text(out_file, as_csv(rows), "--out")
    _line(str(out_file))


@app.command("fetch", cls=Verb)
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to fetch: voc2012.")],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to. Default: $BIASAUDIT_DATA, else ~/.cache/biasaudit; there --data finds "
            "it by its name.",
        ),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Download a public dataset, check its sum and unpack it.

    A download that broke off goes on where it ended. Needs twice the archive's 2 GB.
    """
    quieten(quiet)
    from biasaudit.cli.progress import progress_bar
    from biasaudit.data import download as fetching

    if name not in fetching.FETCHABLE:
        raise ConfigError(
            f"data fetch {name}: cannot be fetched", near_names(name, fetching.FETCHABLE)
        )
    target = folder or fetching.default_folder(name)
    with if_stopped(GOES_ON), progress_bar() as bar:
        task = bar.add_task(f"{name}, bytes", total=None)
        file = fetching.fetch(
            fetching.download_of(name),
            target,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    _line(str(file))
    data = name if folder is None else str(folder)
    err.print(f"next: biasaudit data check --data {data}", markup=False, soft_wrap=True)


def _print_check(found: Check, every: bool) -> None:
    counts = " / ".join(f"{subset} {n}" for subset, n in found.images.items())
    _line(f"{found.dataset}: {counts} images" if counts else f"{found.dataset}: cannot be read")
    count = len(found.faults)
    _line("no faults" if not count else "1 fault" if count == 1 else f"{count} faults")
    for fault in found.faults:
        hint = f"; {fault.hint}" if fault.hint else ""
        _line(f"  {fault.kind}: {fault.file}: {fault.message}{hint}")
    if found.classes:
        _line("")
        print_table(_counts_table("images of each class", found.classes))
        largest = [f"{n:.1f} in {name}" for name, n in found.imbalance.items() if n]
        if largest:
            _line(f"largest class for one image of the smallest: {', '.join(largest)}")
    if found.unknown:
        _line("")
        print_table(_counts_table("images that nobody annotated for", found.unknown))
        _line("next: 'biasaudit data contexts' makes a sheet and a table to tag them")
    if found.pairs:
        _line("")
        print_table(_pairs_table(found, every))
        if not every and len(found.pairs) > _SHOWN:
            _line(f"{len(found.pairs) - _SHOWN} more pairs: --all")
    for group in found.groups:
        lacking = group.alignment == "aligned" and not group.n
        words = _NO_ALIGNED if lacking else _GROUP[group.verdict]
        told = words.format(needed=group.needed, more=group.needed - group.n)
        _line(f"{group.group} (from {group.subset}): {group.n} images{told}")


_NO_ALIGNED = (
    ": none, so what tells the groups apart may be more than the context; the verdict then rests "
    "on edited pairs, if there are any"
)
_GROUP = {
    "empty": ": empty, so nothing can be measured; {needed} images would do",
    "small": ", small: to tell a classifier that is right 3 times in 4 from a coin takes "
    "{needed}, {more} more",
    "enough": "",
}


def _counts_table(title: str, counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Return numbers of images by name and subset."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for subset in next(iter(counts.values())):
        table.add_column(subset, justify="right")
    for name, of in counts.items():
        table.add_row(name, *map(str, of.values()))
    return table


def _pairs_table(found: Check, every: bool) -> Table:
    """Return objects and contexts in the training images; the audited pair stands first."""
    audited = {group.group for group in found.groups}
    pairs = sorted(found.pairs, key=lambda p: f"{p.object}-without-{p.context}" not in audited)
    table = Table(title="training images", title_justify="left", box=None, pad_edge=False)
    for name in ("object", "context"):
        table.add_column(name)
    for name in ("both", "object only", "context only", "neither", "unknown", "lift"):
        table.add_column(name, justify="right")
    for pair in pairs if every else pairs[:_SHOWN]:
        lift = "-" if math.isnan(pair.lift) else f"{pair.lift:.2f}"
        counts = (pair.both, pair.object_only, pair.context_only, pair.neither, pair.unknown)
        table.add_row(pair.object, pair.context, *map(str, counts), lift)
    return table


def _line(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)
