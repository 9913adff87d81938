"""``biasaudit power``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, out
from biasaudit.errors import ConfigError

if TYPE_CHECKING:
    from biasaudit.data.sample import Dataset


@dataclass(frozen=True)
class Found:
    """What images can show.

    Attributes:
        groups: Images in each group.
        aligned: Images in each aligned group; empty where they are not known.
        runs: Smallest difference in accuracy that two runs on the same images show, by group and
            for the mean of the groups; None where none is large enough.
        gap: Smallest gap between aligned and conflicting images that is shown; None likewise.
        runs_need: Images a group that show the wanted difference of two runs; None for too many.
        gap_needs: Images in each of the four groups that show a gap of that size; None likewise,
            or where the expected accuracy leaves no room for it.
    """

    groups: Mapping[str, int]
    aligned: Mapping[str, int]
    runs: Mapping[str, float | None]
    gap: float | None
    runs_need: int | None
    gap_needs: int | None


def power(
    split: Annotated[
        str | None,
        typer.Option(
            "--split", metavar="NAME", help="A split with groups. Default: biased-OBJECT."
        ),
    ] = None,
    data: opt.Data = None,
    object_: opt.Object = None,
    context: opt.Context = None,
    images: Annotated[
        list[int] | None,
        typer.Option(
            "--images",
            metavar="N",
            min=1,
            help="No dataset: a group of so many images. Once for each group.",
        ),
    ] = None,
    difference: Annotated[
        float,
        typer.Option(
            "--difference", min=0.005, max=0.99, help="The difference in accuracy that you want."
        ),
    ] = 0.1,
    accuracy: Annotated[
        float,
        typer.Option(
            "--accuracy", min=0.5, max=1.0, help="Expected accuracy where the context helps."
        ),
    ] = 0.9,
    disagreement: Annotated[
        float,
        typer.Option(
            "--disagreement",
            min=0.0,
            max=1.0,
            help="Share of images on which exactly one of two runs is expected to be right.",
        ),
    ] = 0.2,
    wanted: Annotated[
        float,
        typer.Option("--power", min=0.5, max=0.999, help="Chance that the difference is shown."),
    ] = 0.8,
    json_: opt.Json = False,
) -> None:
    """Say what difference a split could show, and how many images a wanted one needs.

    Two questions: is one run better than another on the same images (exact McNemar), and is a run
    worse where the context misleads than where it helps (the verdict's gap)? At a level of 5%.
    """
    if images:
        if split or data:
            raise ConfigError("--images: takes the place of a dataset", "leave --split and --data")
        groups = {f"group {i}": n for i, n in enumerate(images, start=1)}
        title, aligned = "groups of the sizes given", dict(groups)
    else:
        title, groups, aligned = _sizes(split, data, object_, context)
    found = _find(groups, aligned, difference, accuracy, disagreement, wanted)
    if json_:
        asked = {"difference": difference, "accuracy": accuracy, "disagreement": disagreement}
        typer.echo(json.dumps({**asked, "power": wanted, **asdict(found)}, indent=2))
        return
    for line in _lines(title, found, difference, accuracy, disagreement, wanted):
        out.print(line, markup=False, soft_wrap=True)


def _sizes(
    split: str | None, data: str | None, object_: str | None, context: str | None
) -> tuple[str, dict[str, int], dict[str, int]]:
    from biasaudit.data.catalogue import load_dataset
    from biasaudit.data.splits.resolve import resolve_split

    dataset = load_dataset(data or "harbour")
    audited = object_ or dataset.object
    if split is None and audited is None:
        raise ConfigError(f"{dataset.root}: names no object of its own", "give --object")
    found = resolve_split(dataset, split or f"biased-{audited}", object_, context)
    if not found.groups or found.context is None:
        raise ConfigError(
            f"--split {found.name}: has no groups", "name a split such as biased-boat"
        )
    if found.note:
        err.print(f"note: {found.name}: {found.note}", markup=False, soft_wrap=True)
    aligned = _aligned(dataset, found.object, found.context)
    title = f"{found.name} of {dataset.name}"
    return title, {name: len(samples) for name, samples in found.groups.items()}, aligned


def _aligned(dataset: Dataset, object_: str, context: str) -> dict[str, int]:
    """Return the sizes of the aligned groups, as the verdict draws them."""
    import pandas as pd

    from biasaudit.analysis.conclude import ALIGNED_FROM, aligned_groups
    from biasaudit.data.sample import context_shown

    samples = dataset.subset(ALIGNED_FROM)
    rows = pd.DataFrame(
        {
            "label": [int(object_ in s.labels) for s in samples],
            "context": [context_shown(s, context, dataset.classes) for s in samples],
        }
    )
    groups, notes = aligned_groups(rows, object_, context)
    for note in notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    return {name: len(found) for name, found in groups.items()}


def _find(
    groups: Mapping[str, int],
    aligned: Mapping[str, int],
    difference: float,
    accuracy: float,
    disagreement: float,
    wanted: float,
) -> Found:
    from biasaudit.statistics import detectable, images_needed, power_paired, power_two

    def runs(n: int, size: float) -> float:
        return power_paired(n, size, max(size, disagreement))

    def gap(first: int, second: int, size: float) -> float:
        return power_two(first, second, accuracy, accuracy - size)

    conflicting, helping = _as_one(groups), _as_one(aligned)
    sizes = {**groups, "overall": conflicting} if len(groups) > 1 else groups
    shown = {name: detectable(partial(runs, n), 1.0, wanted) for name, n in sizes.items()}
    smallest = detectable(lambda d: gap(helping, conflicting, d), accuracy, wanted)
    return Found(
        dict(groups),
        dict(aligned),
        {name: _known(value) for name, value in shown.items()},
        _known(smallest),
        images_needed(lambda n: runs(n, difference), wanted),
        images_needed(lambda n: gap(2 * n, 2 * n, difference), wanted)
        if difference <= accuracy
        else None,
    )


def _as_one(groups: Mapping[str, int]) -> int:
    """Return the size of one group whose rate varies as the mean of these groups' rates does."""
    if not groups or not all(groups.values()):
        return 0
    return round(len(groups) ** 2 / sum(1 / n for n in groups.values()))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _lines(
    title: str, found: Found, difference: float, accuracy: float, disagreement: float, wanted: float
) -> list[str]:
    def points(value: float | None) -> str:
        return "none, however large" if value is None else f"{100 * value:.1f} points"

    def count(value: int | None, of: str, possible: bool = True) -> str:
        if not possible:
            return f"impossible from an accuracy of {100 * accuracy:.0f}%"
        return "more than 100,000 images" if value is None else f"{value} images in {of}"

    sizes = ", ".join(f"{name} {n}" for name, n in found.groups.items())
    beside = ", ".join(f"{name} {n}" for name, n in found.aligned.items())
    width = max(len(name) for name in found.runs)
    return [
        f"{title}: {sizes} images; aligned: {beside}",
        "",
        f"The smallest difference that is shown {100 * wanted:.0f} times in 100, at a level of 5%:",
        f"  two runs on the same images (exactly one right on {100 * disagreement:.0f}% of them)",
        *(f"    {name:<{width}}  {points(value)}" for name, value in found.runs.items()),
        f"  aligned against conflicting images ({100 * accuracy:.0f}% right on the aligned ones)",
        f"    {'gap':<{width}}  {points(found.gap)}",
        "",
        f"To show {100 * difference:.0f} points:",
        f"  two runs on the same images: {count(found.runs_need, 'the group')}",
        "  aligned against conflicting images: "
        + count(found.gap_needs, "each of the four groups", difference <= accuracy),
    ]
