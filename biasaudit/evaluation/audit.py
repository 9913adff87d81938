"""The audit of one model on the splits of one dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.analysis.conclude import ALIGNED_FROM, conclude
from biasaudit.analysis.flip_rates import flips_of
from biasaudit.analysis.groups import summarise
from biasaudit.analysis.quadrants import quadrant_of
from biasaudit.data.sample import Dataset
from biasaudit.data.splits.resolve import Split as SplitSpec
from biasaudit.data.splits.resolve import resolve_split
from biasaudit.evaluation.operating_point import operating_points
from biasaudit.evaluation.predict import Pass, Subject, one_pass
from biasaudit.results import PER_IMAGE_COLUMNS, Gallery, Split
from biasaudit.results.plain import plain
from biasaudit.statistics import OperatingPoint

GALLERY_PER_GROUP = 200
"""Pictures kept of each group: enough to choose the worst from, bounded whatever the dataset."""


@dataclass(frozen=True)
class Audit:
    """What an audit gives.

    Attributes:
        splits: Figures by split name.
        per_image: One row an image and split.
        gallery: Pictures of the images that :func:`pictured_splits` names.
        maps: (N, h, w) attention of every row of the table, where it was asked for.
        operating_points: By audited object; an object without val images to fit it on has none.
    """

    splits: dict[str, Split]
    per_image: pd.DataFrame
    gallery: Gallery | None
    maps: NDArray[np.float32] | None
    operating_points: Mapping[str, OperatingPoint]


def plan_splits(
    dataset: Dataset, names: Sequence[str], object_: str, context: str | None
) -> list[SplitSpec]:
    """Return the splits to audit, each once.

    Raises:
        BiasAuditError: Unknown split, or one with an empty group.
    """
    return [resolve_split(dataset, name, object_, context) for name in dict.fromkeys(names)]


def audit(
    subject: Subject,
    splits: Sequence[SplitSpec],
    tell: Callable[[int], None] = lambda _: None,
    *,
    keep_maps: bool = False,
) -> Audit:
    """Audit a model: one pass over each split, then its figures, quadrants and verdict.

    Args:
        subject: The classifier under audit.
        splits: What :func:`plan_splits` gave. The aligned images of the verdict are those of the
            pool ``val`` among them.
        tell: Called with the number of images just done.
        keep_maps: Keep the attention map of every image.
    """
    context = next((split.context for split in splits if split.context), None)
    tables: dict[str, pd.DataFrame] = {}
    galleries: list[Gallery] = []
    maps: list[NDArray[np.float32]] = []
    pictured = pictured_splits(splits)
    for split in splits:
        rows = []
        for group, samples in split.image_sets.items():
            done = one_pass(
                subject,
                split.object,
                samples,
                context=split.context or context,
                gallery=GALLERY_PER_GROUP if split.name in pictured else 0,
                keep_maps=keep_maps,
                tell=tell,
            )
            rows.append(_labelled(done, split, group))
            galleries += [done.gallery] if done.gallery is not None else []
            maps += [done.maps] if done.maps is not None else []
        tables[split.name] = pd.concat(rows, ignore_index=True)
    points = operating_points(subject, splits, tables)
    for split in splits:
        if split.object in points:
            table = tables[split.name]
            table["decision_at_operating_point"] = points[split.object].decision(table["score"])
    return Audit(
        {split.name: figures_of_split(split, tables, context) for split in splits},
        pd.concat(tables.values(), ignore_index=True),
        _joined(galleries) if galleries else None,
        np.concatenate(maps) if maps else None,
        points,
    )


def pictured_splits(splits: Sequence[SplitSpec]) -> set[str]:
    """Return the names of the splits whose pictures a report shows.

    Args:
        splits: What is audited.

    Returns:
        Those with groups; without any, all but ``val``, or ``val`` where there is no other.
    """
    with_groups = {split.name for split in splits if split.groups}
    others = {split.name for split in splits if split.name != ALIGNED_FROM}
    return with_groups or others or {ALIGNED_FROM}


def figures_of_split(
    split: SplitSpec, tables: Mapping[str, pd.DataFrame], context: str | None
) -> Split:
    """Return a split's figures; where it has groups, with their quadrants and the verdict.

    Args:
        split: What was measured.
        tables: Per-image rows of every split by its name.
        context: The context that the pools' rows speak of.
    """
    found = summarise(tables[split.name], split.answers)
    if not split.groups or split.context is None:
        return found
    aligned = tables.get(ALIGNED_FROM) if split.context == context else None
    extra = conclude(tables[split.name], aligned, split.object, split.context)
    originals = [table[table["pair"] == ""] for table in tables.values()]
    flips = flips_of(tables[split.name], pd.concat(originals, ignore_index=True))
    extra |= {"flips": plain(flips)} if flips else {}
    return Split(overall=found.overall, groups=found.groups, **extra)


def _labelled(done: Pass, split: SplitSpec, group: str) -> pd.DataFrame:
    """Return the rows with their split and group; a group says whether the context is there."""
    table = done.table.assign(split=split.name, group=group, decision_at_operating_point=np.nan)
    table["quadrant"] = quadrant_of(table)
    if group in split.answers:
        table["context"] = 0.0 if split.answers[group] else 1.0
    return table[list(PER_IMAGE_COLUMNS)]


def _joined(parts: Sequence[Gallery]) -> Gallery:
    return Gallery(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("ids", "images", "maps", "regions")
        )
    )
