"""``biasaudit power``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import err, json_line, out
from biasaudit.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

    from biasaudit.data.sample import Dataset
    from biasaudit.data.splits.split import Split
    from biasaudit.statistics.effect_power import Planned


@dataclass(frozen=True)
class Found:
    """What images can show.

    Attributes:
        groups: Images in each group.
        runs: Smallest difference in accuracy that two runs on the same images show, by conflicting
            group and for the mean of these; None where none is large enough.
        effect: Smallest effect of the context that the verdict shows; None where none is, as where
            no subset and source has all four groups.
        runs_need: Images a group that show the wanted difference of two runs; None for too many.
        effect_needs: Images in each of the four groups that show an effect of that size; None
            likewise, or where the expected accuracy leaves no room for it.
    """

    groups: Mapping[str, int]
    runs: Mapping[str, float | None]
    effect: float | None
    runs_need: int | None
    effect_needs: int | None


@dataclass(frozen=True)
class Sizes:
    """What there is to measure on.

    Attributes:
        title: What it is called.
        groups: Images in each group.
        conflicting: The groups that two runs are compared on.
        planned: The groups that the verdict's effect rests on, by subset and source.
    """

    title: str
    groups: Mapping[str, int]
    conflicting: tuple[str, ...]
    planned: Sequence[Planned]


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
            help="No dataset: a group of so many images. Once for each conflicting group; the "
            "aligned ones are taken to be as large.",
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

    Two questions: is one run better than another on the same images (exact McNemar), and does the
    context move the answers (the verdict's effect, within subset and source)? Two runs at a level
    of 5%, the verdict at its own of 2.5%.
    """
    if images and (split or data):
        raise ConfigError("--images: takes the place of a dataset", "leave --split and --data")
    sizes = _given(images) if images else _sizes(split, data, object_, context)
    found = _find(sizes, difference, accuracy, disagreement, wanted)
    if json_:
        asked = {"difference": difference, "accuracy": accuracy, "disagreement": disagreement}
        typer.echo(json_line(json.dumps({**asked, "power": wanted, **asdict(found)}, indent=2)))
        return
    for line in _lines(sizes.title, found, difference, accuracy, disagreement, wanted):
        out.print(line, markup=False, soft_wrap=True)


def _given(images: Sequence[int]) -> Sizes:
    from biasaudit.statistics.effect_power import Planned

    groups = {f"group {i}": n for i, n in enumerate(images, start=1)}
    first, second = images[0], images[1] if len(images) > 1 else images[0]
    planned = [Planned(first, first, 1), Planned(second, second, 0)]
    return Sizes("groups of the sizes given", groups, tuple(groups), planned)


def _sizes(split: str | None, data: str | None, object_: str | None, context: str | None) -> Sizes:
    from biasaudit.analysis.effect import planned_of
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
    return Sizes(
        f"{found.name} of {dataset.name}",
        {name: len(samples) for name, samples in found.groups.items() if found.alignment(name)},
        tuple(found.conflicting),
        planned_of(_rows(dataset, found)),
    )


def _rows(dataset: Dataset, split: Split) -> DataFrame:
    """Return the images as they are that a verdict on the split would rest on, val's too."""
    import pandas as pd

    from biasaudit.data.sample import context_shown

    rows = [
        (
            split.subset,
            sample.source,
            sample.pair or "",
            split.answers[name],
            float(split.shown[name]),
        )
        for name, samples in split.groups.items()
        for sample in samples
    ]
    if split.subset != "val":
        rows += [
            (
                "val",
                sample.source,
                "",
                split.object in sample.labels,
                context_shown(sample, split.context, dataset.classes),
            )
            for sample in dataset.subset("val")
        ]
    table = pd.DataFrame(rows, columns=["subset", "source", "pair", "label", "context"])
    return table.astype({"label": int, "context": float})


def _find(
    sizes: Sizes, difference: float, accuracy: float, disagreement: float, wanted: float
) -> Found:
    from biasaudit.analysis.rule import size_of
    from biasaudit.analysis.verdict import LEVEL
    from biasaudit.statistics import detectable, images_needed, power_paired
    from biasaudit.statistics.effect_power import Planned, least_effect, power_effect

    def runs(n: int, size: float) -> float:
        return power_paired(n, size, max(size, disagreement))

    def effect(n: int) -> float:
        planned = [Planned(n, n, answer) for answer in (1, 0)]
        return power_effect(planned, difference, accuracy, accuracy, size_of(LEVEL))

    groups = {name: sizes.groups[name] for name in sizes.conflicting}
    tried = {**groups, "overall": _as_one(groups)} if len(groups) > 1 else groups
    shown = {name: detectable(partial(runs, n), 1.0, wanted) for name, n in tried.items()}
    return Found(
        dict(sizes.groups),
        {name: _known(value) for name, value in shown.items()},
        _known(least_effect(sizes.planned, accuracy, accuracy, size_of(LEVEL), wanted)),
        images_needed(lambda n: runs(n, difference), wanted),
        images_needed(effect, wanted) if difference <= accuracy else None,
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
    width = max(len(name) for name in found.runs)
    return [
        f"{title}: {sizes} images",
        "",
        f"The smallest difference that is shown {100 * wanted:.0f} times in 100:",
        f"  two runs on the same images (exactly one right on {100 * disagreement:.0f}% of them)",
        *(f"    {name:<{width}}  {points(value)}" for name, value in found.runs.items()),
        f"  the context's effect, the verdict ({100 * accuracy:.0f}% right where it helps)",
        f"    {'effect':<{width}}  {points(found.effect)}",
        "",
        f"To show {100 * difference:.0f} points:",
        f"  two runs on the same images: {count(found.runs_need, 'the group')}",
        "  the context's effect: "
        + count(found.effect_needs, "each of the four groups", difference <= accuracy),
    ]
