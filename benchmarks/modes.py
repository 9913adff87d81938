r"""Train every mode over several seeds, audit it, and put the figures in one CSV.

The embedded scenes and the photographs that the tables of ``benchmarks/results`` show:

    python -m benchmarks.modes --out benchmarks/results/harbour.csv
    python -m benchmarks.modes --out benchmarks/results/biased_boat_photos.csv \
        --data ../shared/photos --backbone mobilenet_v2 --image-size 128 \
        --weights ../shared/weights/mobilenet_v2_imagenet.safetensors

A row that the CSV holds already is not computed again, so that a stopped benchmark goes on where
it was. With ``--runs DIR`` each run is kept in ``DIR/MODE-LABELS-SEED``, and one that is there
already is not trained again; ``others``, ``others_worse`` and ``others_better`` then count the
answers on images of other objects, all of them, and those that turned wrong and right against the
baseline of the same seed. ``MODE+MODULE`` trains with an attention module. ``--summary`` prints the
means over seeds of a finished CSV as a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import biasaudit as ba
from biasaudit.analysis.harm import class_harm
from biasaudit.config import load_settings
from biasaudit.results import Audit, Split
from biasaudit.training.run_directory import RunRecord

MODES = "baseline,gain,gain_ext:9,gain_ext:23,gain_ext:78"
KEY = ["variant", "mode", "pixel_labels", "seed"]
Figures = Callable[[RunRecord, Audit], dict[str, object]]


def main() -> None:
    """Run the grid, or summarise it."""
    arguments = parse(__doc__)
    if arguments.summary:
        print(summary(pd.read_csv(arguments.out)))
    else:
        run_grid(arguments, figures)


def run_grid(arguments: argparse.Namespace, figures_of: Figures) -> None:
    """Measure every mode and seed that the CSV does not hold yet; write after each.

    What a row was made by is its variant's name, not its settings: where a default changes, the
    rows that it touches must be taken out by hand.
    """
    wanted = [
        [arguments.variant, mode, labels, seed]
        for mode, labels in entries(arguments.modes)
        for seed in map(int, arguments.seeds.split(","))
    ]
    fill(
        arguments.out,
        KEY,
        wanted,
        lambda _, mode, labels, seed: measure(arguments, mode, labels, seed, figures_of),
    )


def entries(modes: str) -> list[tuple[str, int]]:
    """Return the modes and label budgets of ``baseline,gain_ext:78``."""
    parts = [entry.partition(":") for entry in modes.split(",")]
    return [(mode, int(labels or 0)) for mode, _, labels in parts]


def fill(
    out: Path,
    names: Sequence[str],
    wanted: Sequence[list[Any]],
    measure_of: Callable[..., dict[str, object]],
) -> None:
    """Measure what a CSV does not hold yet; write after each.

    Args:
        out: The CSV.
        names: Columns that tell its rows apart.
        wanted: Their values in each row that is to be there.
        measure_of: Called with such values; returns the other columns.
    """
    rows = pd.read_csv(out).to_dict("records") if out.is_file() else []
    for key in wanted:
        if any([row[name] for name in names] == key for row in rows):
            continue
        rows.append(dict(zip(names, key, strict=True)) | measure_of(*key))
        pd.DataFrame(rows).to_csv(out, index=False, float_format="%.4f")
        print(rows[-1], flush=True)


def parse(description: str) -> argparse.Namespace:
    """Read the command line of a benchmark of modes."""
    return options(description).parse_args()


def options(description: str) -> argparse.ArgumentParser:
    """Return the command line of a benchmark of modes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    parser.add_argument("--modes", default=MODES, help="mode or mode:labels, with commas")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--variant", default="default", help="how the CSV calls what --set does")
    parser.add_argument("--set", action="append", default=[], help="as of biasaudit train")
    run_options(parser)
    parser.add_argument("--summary", action="store_true", help="print the CSV's means instead")
    return parser


def run_options(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`trained` reads: the data and the network of a benchmark's runs."""
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs")
    for name in ("data", "backbone", "weights"):
        parser.add_argument(f"--{name}", help="as of biasaudit train")
    parser.add_argument("--image-size", type=int, help="as of biasaudit train")


def measure(
    arguments: argparse.Namespace, mode: str, labels: int, seed: int, figures_of: Figures
) -> dict[str, object]:
    """Train and audit one run; return its figures."""
    run, seconds = trained(arguments, mode, labels, seed, arguments.set)
    audit = ba.audit(run)
    others = {}
    if arguments.runs is not None and mode != "baseline":
        others = other_objects(ba.audit(trained(arguments, "baseline", 0, seed)[0]), audit)
    return {**figures_of(run, audit), **others, "train_seconds": seconds}


def other_objects(baseline: Audit, audit: Audit) -> dict[str, object]:
    """Count answers on images of other objects, and those that are not the baseline's."""
    found = class_harm(baseline, audit)
    if found is None:
        return {}
    pooled = found.pooled
    return {"others": pooled.n, "others_worse": pooled.worse, "others_better": pooled.better}


def trained(
    arguments: argparse.Namespace,
    mode: str,
    labels: int,
    seed: int,
    assignments: Sequence[str] = (),
) -> tuple[RunRecord, float]:
    """Train one run by :func:`run_options`, or read the one that is kept.

    Args:
        arguments: Of the command line.
        mode: ``MODE`` or ``MODE+MODULE``, an attention module.
        labels: Pixel labels.
        seed: 0 or more.
        assignments: Further settings of the training, ``key=value``.

    Returns:
        The run, and the seconds of the training; NaN where it was kept.
    """
    place = None if arguments.runs is None else arguments.runs / f"{mode}-{labels}-{seed}"
    if place is not None and (place / "weights.safetensors").is_file():
        return ba.load_run(place), np.nan
    name, _, module = mode.partition("+")
    settings = load_settings(
        None,
        assignments,
        {
            "training.mode": name,
            "training.seed": seed,
            "data.pixel_labels": labels,
            "data.name": arguments.data,
            "data.image_size": arguments.image_size,
            "model.backbone": arguments.backbone,
            "model.weights": arguments.weights,
            "model.attention_module": module or None,
        },
    )
    data = ba.load_dataset(settings.data.name, options=settings.data.options)
    start = time.perf_counter()
    run = ba.train(data, settings=settings, out=place)
    return run, round(time.perf_counter() - start, 1)


def figures(run: RunRecord, audit: Audit) -> dict[str, object]:
    """Return the figures of an audited run as one flat row."""
    val, biased = audit.run.splits["val"].overall, audit.split
    forms = run.labels.counts_by_form()
    row: dict[str, object] = {
        "masks": forms.get("mask", 0),
        "boxes": forms.get("box", 0) + forms.get("outline", 0),
        "val": val.accuracy,
        "val_at_operating_point": val.accuracy_at_operating_point,
        "val_energy": val.attention.energy_pointing_game,
        "val_iou": val.attention.iou,
    }
    for group, result in biased.groups.items():
        row[group] = result.accuracy
        row |= bounds(group, result.accuracy_ci)
        row[f"{group}_at_operating_point"] = result.accuracy_at_operating_point
        row |= bounds(f"{group}_at_operating_point", result.accuracy_at_operating_point_ci)
    row |= overall(biased)
    return row


def overall(split: Split) -> dict[str, object]:
    """Return the figures of both groups together."""
    both, first = split.overall, next(iter(split.groups.values()))
    return {
        "overall": both.accuracy,
        **bounds("overall", both.accuracy_ci),
        "overall_at_operating_point": both.accuracy_at_operating_point,
        **bounds("overall_at_operating_point", both.accuracy_at_operating_point_ci),
        "auroc": both.auroc,
        **bounds("auroc", both.auroc_ci),
        "energy": first.attention.energy_pointing_game,
        **bounds("energy", first.attention.energy_pointing_game_ci),
        "area_fraction": first.attention.area_fraction,
    }


def bounds(name: str, interval: tuple[float, float] | None) -> dict[str, object]:
    """Return the two ends of an interval as columns."""
    low, high = interval or (np.nan, np.nan)
    return {f"{name}_low": low, f"{name}_high": high}


def summary(table: pd.DataFrame, shown: Sequence[str] = ()) -> str:
    """Return means over seeds, with the standard deviation between seeds, in Markdown.

    Args:
        table: Rows as :func:`run_grid` writes them.
        shown: Columns; those of the counterfactual groups where none are named.
    """
    groups = [
        c
        for c in table
        if "-without-" in c and not c.endswith(("_low", "_high", "_at_operating_point"))
    ]
    usual = [
        "val",
        "val_energy",
        *groups,
        "overall",
        "overall_at_operating_point",
        "auroc",
        "energy",
    ]
    shown = [column for column in shown or usual if column in table]
    return means(table, ("mode", "labels"), shown)


def means(table: pd.DataFrame, by: Sequence[str], shown: Sequence[str]) -> str:
    """Return means over seeds, with the standard deviation between seeds, in Markdown.

    Args:
        table: A row a seed; ``labels`` is its ``pixel_labels`` where it has no such column, and a
            ``variant`` other than the default is told with the mode.
        by: The columns that a line of the table stands for.
        shown: The columns whose means are told; those that the table lacks are left out.
    """
    told = table.rename(columns={"pixel_labels": "labels"})
    if "variant" in told:
        other = told["variant"] != "default"
        told["mode"] = told["mode"].where(~other, told["mode"] + ", " + told["variant"])
    columns = [name for name in shown if name in told]
    lines = [
        "| " + " | ".join([*by, "seeds", *columns]) + " |",
        "|---" * (len(by) + 1 + len(columns)) + "|",
    ]
    for names, rows in told.groupby(list(by), sort=False, dropna=False):
        cells = [str(name) for name in names] + [str(len(rows))]
        cells += [f"{rows[c].mean():.3f} ± {rows[c].std(ddof=1):.3f}" for c in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
