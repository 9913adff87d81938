"""``biasaudit compare``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, out, print_table, quieten
from biasaudit.errors import ConfigError, RunError, near_names

if TYPE_CHECKING:
    import pandas as pd

    from biasaudit.report.load import RunView


def compare(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="FIRST",
            help="An evaluated run's folder or its results.json; or one results.json of several "
            "seeds of one mode.",
        ),
    ],
    second: Annotated[
        Path, typer.Argument(metavar="SECOND", help="What to hold against it, on the same images.")
    ],
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split", metavar="NAME", help="May be repeated. Default: all that both have."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Also write the comparison of two runs as one HTML file, with the images that "
            "changed.",
        ),
    ] = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Compare two evaluated runs image by image: better, worse, or no difference shown.

    Shows each figure's difference with its 95% interval for paired images and its p-value (exact
    McNemar for a group's accuracy), adjusted by Holm over the figures of a split, and names the
    images whose answer changed. Two files of several seeds are compared seed by seed: the mean
    difference, with the variance between seeds apart from that between images.
    """
    quieten(quiet)
    from biasaudit.report.load import load_runs

    sides = load_runs([first]), load_runs([second])
    for path, views in zip((first, second), sides, strict=True):
        _check_side(path, views)
    names = _splits(sides, split or [])
    if len(sides[0]) == len(sides[1]) == 1:
        _compare_two(sides[0][0], sides[1][0], names, html, json_)
    else:
        if html is not None:
            raise ConfigError("--html: shows two single runs", "name one run's folder on each side")
        _compare_seeds(sides, names, json_)


def _check_side(path: Path, views: list[RunView]) -> None:
    for view in views:
        if view.per_image is None:
            raise RunError(
                f"{path}: no per_image.csv of '{view.run.name}' beside its results",
                "evaluate the run again",
            )
    modes = {(view.run.mode, view.run.pixel_labels, view.run.box_labels) for view in views}
    if len(modes) > 1:
        raise RunError(
            f"{path}: holds {len(views)} runs of several modes "
            f"({', '.join(view.run.name for view in views)})",
            "name one run's folder",
        )


def _table(view: RunView) -> pd.DataFrame:
    if view.per_image is None:
        raise RunError(f"{view.source}: no per_image.csv beside it", "evaluate the run again")
    return view.per_image


def _splits(sides: tuple[list[RunView], list[RunView]], asked: list[str]) -> list[str]:
    """Return the splits to compare, those with groups first."""
    tables = [_table(view) for side in sides for view in side]
    known = [
        str(name)
        for name in tables[0]["split"].unique()
        if all((table["split"] == name).any() for table in tables)
    ]
    if not known:
        raise RunError("the two were evaluated on no split in common", "evaluate both alike")
    for name in asked:
        if name not in known:
            raise RunError(f"--split {name}: not evaluated in both", near_names(name, known))
    groups = {
        name: (tables[0].loc[tables[0]["split"] == name, "group"] != "").any() for name in known
    }
    return asked or sorted(known, key=lambda name: not groups[name])


def _rows(view: RunView, split: str) -> pd.DataFrame:
    table = _table(view)
    return table[table["split"] == split]


def _compare_two(
    first: RunView, second: RunView, names: list[str], html: Path | None, json_: bool
) -> None:
    from biasaudit.analysis import compare as compare_tables
    from biasaudit.cli.comparing import (
        carried_line,
        changes_table,
        id_lines,
        pair_lines,
        worse_pairs,
    )
    from biasaudit.results.plain import plain

    found = {name: compare_tables(_rows(first, name), _rows(second, name)) for name in names}
    worse = worse_pairs(Path(first.source).parent, Path(second.source).parent)
    if html is not None:
        from biasaudit.cli.writing import write_text
        from biasaudit.report.comparison_page import render_comparison

        write_text(html, render_comparison(first, second, found), "--html")
        err.print(f"comparison: {html}", markup=False, soft_wrap=True)
    if json_:
        told = {
            "first": first.run.name,
            "second": second.run.name,
            "splits": {name: asdict(one) for name, one in found.items()},
            "pairs_worse": worse,
        }
        typer.echo(json.dumps(plain(told), indent=2, ensure_ascii=False, allow_nan=False))
        return
    labels = _labels(first, second)
    for name, one in found.items():
        print_table(changes_table(name, one, labels))
        sizes = _rows(first, name)["group"].value_counts().to_dict()
        for line in (carried_line(one, sizes), *id_lines(one, labels)):
            out.print(line, markup=False, soft_wrap=True)
    for line in pair_lines(worse, labels[1]):
        out.print(line, markup=False, soft_wrap=True)


def _labels(first: RunView, second: RunView) -> tuple[str, str]:
    names = first.run.name, second.run.name
    if names[0] != names[1]:
        return names
    return f"{names[0]} ({Path(first.source).parent})", f"{names[1]} ({Path(second.source).parent})"


def _compare_seeds(
    sides: tuple[list[RunView], list[RunView]], names: list[str], json_: bool
) -> None:
    from biasaudit.analysis import compare_seeds
    from biasaudit.cli.comparing import seeds_table
    from biasaudit.results.plain import plain
    from biasaudit.statistics import holm

    firsts, seconds = (sorted(side, key=lambda view: view.run.seed) for side in sides)
    seeds = [[view.run.seed for view in side] for side in (firsts, seconds)]
    if seeds[0] != seeds[1]:
        raise RunError(
            f"the seeds differ: {seeds[0]} and {seeds[1]}", "compare the same seeds of two modes"
        )
    found = {
        name: {
            figure: compare_seeds(
                [_rows(view, name) for view in firsts],
                [_rows(view, name) for view in seconds],
                figure,
            )
            for figure in _figures(_rows(firsts[0], name))
        }
        for name in names
    }
    adjusted = {
        name: holm({figure: level.p_value for figure, level in one.items()})
        for name, one in found.items()
    }
    labels = firsts[0].run.mode, seconds[0].run.mode
    if json_:
        told = {
            "first": labels[0],
            "second": labels[1],
            "seeds": seeds[0],
            "splits": {
                name: {
                    figure: {**asdict(level), "p_adjusted": adjusted[name][figure]}
                    for figure, level in one.items()
                }
                for name, one in found.items()
            },
        }
        typer.echo(json.dumps(plain(told), indent=2, ensure_ascii=False, allow_nan=False))
        return
    for name, one in found.items():
        print_table(seeds_table(name, one, adjusted[name], labels))
    err.print("note: images stand for images like them, seeds for trainings like them")


def _figures(rows: pd.DataFrame) -> list[str]:
    """Return the figures that exist on these images."""
    from biasaudit.analysis import figures_of
    from biasaudit.statistics import value_of

    known = figures_of(rows)
    return [name for name, figure in known.items() if not math.isnan(value_of(figure, len(rows)))]
