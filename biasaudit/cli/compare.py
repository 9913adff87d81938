"""``biasaudit compare``."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import echo_json, err, out, print_table, quieten
from biasaudit.cli.writing import plain
from biasaudit.errors import ConfigError, RunError

if TYPE_CHECKING:
    import pandas as pd

    from biasaudit.results import Audit


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
    from biasaudit.analysis.harm import HARM_COLUMNS
    from biasaudit.analysis.paired_tables import COMPARED_COLUMNS
    from biasaudit.results import PER_IMAGE_COLUMNS, Columns, load_audits

    if html is not None:
        from biasaudit.cli.writing import check_target

        check_target(html, "--html")
    of_images = COMPARED_COLUMNS if html is None else PER_IMAGE_COLUMNS
    columns = Columns(of_images, COMPARED_COLUMNS, HARM_COLUMNS)
    sides = load_audits([first], columns), load_audits([second], columns)
    for path, side in zip((first, second), sides, strict=True):
        _check_side(path, side)
    if len(sides[0]) == len(sides[1]) == 1:
        _compare_two(sides[0][0], sides[1][0], split or [], html, json_)
    else:
        if html is not None:
            raise ConfigError("--html: shows two single runs", "name one run's folder on each side")
        _compare_seeds(sides, split or [], json_)


def _check_side(path: Path, audits: list[Audit]) -> None:
    from biasaudit.analysis.versus import table_of

    for audit in audits:
        table_of(audit)
    modes = {(audit.run.mode, audit.run.pixel_labels, audit.run.box_labels) for audit in audits}
    if len(modes) > 1:
        raise RunError(
            f"{path}: holds {len(audits)} runs of several modes "
            f"({', '.join(audit.name for audit in audits)})",
            "name one run's folder",
        )


def _compare_two(
    first: Audit, second: Audit, asked: list[str], html: Path | None, json_: bool
) -> None:
    from biasaudit import api
    from biasaudit.analysis import harm_sentence, worse_pairs
    from biasaudit.analysis.versus import rows_of
    from biasaudit.cli.comparing import (
        carried_line,
        changes_table,
        harm_lines,
        id_lines,
        pair_lines,
    )

    found = api.compare(first, second, splits=asked)
    worse = worse_pairs(first, second)
    harm = next(iter(found.values())).harm
    if html is not None:
        from biasaudit.cli.writing import write_text
        from biasaudit.report.comparison import render_comparison

        write_text(html, render_comparison(first, second, found), "--html")
        err.print(f"comparison: {html}", markup=False, soft_wrap=True)
    if json_:
        told = {
            "first": first.name,
            "second": second.name,
            "splits": {name: asdict(replace(one, harm=None)) for name, one in found.items()},
            "harm": None if harm is None else {**asdict(harm), "sentence": harm_sentence(harm)},
            "pairs_worse": worse,
        }
        echo_json(plain(told))
        return
    labels = _labels(first, second)
    for name, one in found.items():
        print_table(changes_table(name, one, labels))
        sizes = rows_of(first, name)["group"].astype(object).value_counts().to_dict()
        for line in (carried_line(one, sizes), *id_lines(one, labels)):
            out.print(line, markup=False, soft_wrap=True)
    for line in (*harm_lines(first, second, labels), *pair_lines(worse, labels[1])):
        out.print(line, markup=False, soft_wrap=True)


def _labels(first: Audit, second: Audit) -> tuple[str, str]:
    names = first.name, second.name
    if names[0] != names[1]:
        return names
    return f"{names[0]} ({Path(first.source).parent})", f"{names[1]} ({Path(second.source).parent})"


def _compare_seeds(sides: tuple[list[Audit], list[Audit]], asked: list[str], json_: bool) -> None:
    from biasaudit.analysis import compare_seeds
    from biasaudit.analysis.versus import rows_of, shared_splits
    from biasaudit.cli.comparing import seeds_table
    from biasaudit.statistics import holm

    names = shared_splits([*sides[0], *sides[1]], asked)
    firsts, seconds = (sorted(side, key=lambda view: view.run.seed) for side in sides)
    seeds = [[view.run.seed for view in side] for side in (firsts, seconds)]
    if seeds[0] != seeds[1]:
        raise RunError(
            f"the seeds differ: {seeds[0]} and {seeds[1]}", "compare the same seeds of two modes"
        )
    found = {
        name: {
            figure: compare_seeds(
                [rows_of(view, name) for view in firsts],
                [rows_of(view, name) for view in seconds],
                figure,
            )
            for figure in _figures(rows_of(firsts[0], name))
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
        echo_json(plain(told))
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
