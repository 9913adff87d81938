"""``biasaudit data init`` and ``data contexts``: from a folder of images to a dataset to audit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, note, out, quieten
from biasaudit.cli.writing import write_text
from biasaudit.errors import ConfigError, DataError

TABLE, PAGE = "contexts.csv", "contexts.html"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds the images, in one folder a class.")
    ],
    object_: Annotated[
        str | None,
        typer.Option("--object", metavar="CLASS", help="Object to audit. Default: the first."),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="NAME", help="Its suspected context. Default: none."),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Write the dataset.toml of a folder of images that lie in one folder a class.

    Where there is no subset val, 15% of the training images of every class are held back.
    """
    quieten(quiet)
    from biasaudit.data.formats.describe import describe_folder
    from biasaudit.data.formats.toml_file import DATASET_FILE

    text = describe_folder(folder, object_, context)
    write_text(folder / DATASET_FILE, text, "FOLDER")
    out.print(text, end="", markup=False, soft_wrap=True)
    err.print(f"written: {folder / DATASET_FILE}", markup=False, soft_wrap=True)
    err.print(f"next: biasaudit train --data {folder}", markup=False, soft_wrap=True)


def contexts(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="A folder that holds a dataset.toml."),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="NAME", help="What to tag. May be repeated."),
    ] = None,
    subset: Annotated[
        list[str] | None,
        typer.Option("--subset", metavar="NAME", help="May be repeated. Default: all but train."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            metavar="N",
            min=1,
            help="Images of each class of each subset at most, drawn by seed. Default: all.",
        ),
    ] = None,
    seed: opt.Seed = None,
    tags: Annotated[
        Path | None,
        typer.Option(
            "--tags", metavar="FILE", help="Take a tagged table back into the dataset instead."
        ),
    ] = None,
    out_dir: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help=f"Where to write {PAGE} and {TABLE}."),
    ] = Path(),
    quiet: opt.Quiet = False,
) -> None:
    """Tag the contexts of images: write a sheet and a table, or take the table back.

    The sheet opens in a browser and gives the tagged table by its button; the table has one column
    a context (1 there, 0 not, nothing where nobody looked). With --tags it is copied beside
    dataset.toml, which from then on reads it.
    """
    quieten(quiet)
    if data is None:
        raise ConfigError("--data: names no folder", "contexts are tagged for datasets on disk")
    if tags is not None:
        _take_back(data, tags, context or [])
        return
    from biasaudit.data.catalogue import load_dataset
    from biasaudit.data.checks.context_sheet import as_csv, as_page, images_to_tag

    dataset = load_dataset(str(data))
    names = context or list(dataset.contexts)
    if not names:
        raise ConfigError("--context: names none, and the dataset has none", "add --context NAME")
    for name in names:
        if name in dataset.classes:
            raise DataError(f"--context {name}: is an object class, labelled on every image")
    subsets = subset or [name for name in dataset.subsets if name != "train"]
    rows = images_to_tag(dataset, subsets, names, count, seed or 0)
    write_text(out_dir / PAGE, as_page(dataset.name, rows, names), "--out")
    write_text(out_dir / TABLE, as_csv(rows, names), "--out")
    for file in (PAGE, TABLE):
        out.print(str(out_dir / file), markup=False, soft_wrap=True)
    note(f"{len(rows)} images of {', '.join(subsets)}")
    err.print(
        f"next: tag, then biasaudit data contexts --data {data} --tags {out_dir / TABLE}",
        markup=False,
        soft_wrap=True,
    )


def _take_back(data: Path, tags: Path, contexts: list[str]) -> None:
    """Copy the table beside ``dataset.toml``, once every row of it has been read."""
    from biasaudit.data.catalogue import load_dataset
    from biasaudit.data.checks.faults import refuse
    from biasaudit.data.formats.describe import with_keys
    from biasaudit.data.formats.tags import read_tags, tagged
    from biasaudit.data.formats.toml_file import DATASET_FILE

    file = data / DATASET_FILE if data.is_dir() else data
    dataset = load_dataset(str(data))
    if not tags.is_file():
        raise DataError(f"--tags {tags}: no such file")
    ids = [sample.id for samples in dataset.subsets.values() for sample in samples]
    found, names = read_tags(tags, ids, refuse)
    tagged(dataset, found, names, tags)
    if len(contexts) > 1:
        raise ConfigError("--context: with --tags it names the one to audit", "name one")
    keys = {"tags": TABLE}
    if contexts:
        if contexts[0] not in names:
            raise DataError(f"{tags}: no column '{contexts[0]}'")
        keys["context"] = contexts[0]
    elif dataset.context is None and names:
        keys["context"] = names[0]
    target = file.parent / TABLE
    if target.resolve() != tags.resolve():
        shutil.copyfile(tags, target)
    write_text(file, with_keys(file.read_text(encoding="utf-8"), **keys), "--data")
    counts = [f"{name} {sum(name in row for row in found.values())}" for name in names]
    out.print(f"{target}", markup=False, soft_wrap=True)
    note(f"tagged: {', '.join(counts)} of {len(ids)} images")
    err.print(f"next: biasaudit data check --data {data}", markup=False, soft_wrap=True)
