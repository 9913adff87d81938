"""The audit of one model on the splits of one dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from biasaudit.data.sample import Dataset
from biasaudit.data.splits import Split as SplitSpec
from biasaudit.data.splits import resolve_split
from biasaudit.evaluation.cells import summarise
from biasaudit.evaluation.one_pass import Pass, Subject, one_pass
from biasaudit.results import PER_IMAGE_COLUMNS, Gallery, Split

GALLERY_PER_CELL = 200
"""Pictures kept of each cell: enough to choose the worst from, bounded whatever the dataset."""


@dataclass(frozen=True)
class Audit:
    """What an audit gives.

    Attributes:
        splits: Figures by split name.
        per_image: One row an image and split.
        gallery: Pictures of the cells' images.
    """

    splits: dict[str, Split]
    per_image: pd.DataFrame
    gallery: Gallery | None


def plan_splits(
    dataset: Dataset, names: Sequence[str], object_: str, context: str | None
) -> list[SplitSpec]:
    """Return the splits to audit, each once.

    Raises:
        BiasAuditError: Unknown split, or one with an empty cell.
    """
    return [resolve_split(dataset, name, object_, context) for name in dict.fromkeys(names)]


def audit(
    subject: Subject,
    splits: Sequence[SplitSpec],
    tell: Callable[[int], None] = lambda _: None,
) -> Audit:
    """Audit a model: one pass over each split, then its figures.

    Args:
        subject: The classifier under audit.
        splits: What :func:`plan_splits` gave.
        tell: Called with the number of images just done.
    """
    figures: dict[str, Split] = {}
    tables: list[pd.DataFrame] = []
    galleries: list[Gallery] = []
    for split in splits:
        rows = []
        for cell, samples in split.groups.items():
            done = one_pass(
                subject,
                split.object,
                samples,
                gallery=GALLERY_PER_CELL if split.cells else 0,
                tell=tell,
            )
            rows.append(_labelled(done, split.name, cell))
            galleries += [done.gallery] if done.gallery is not None else []
        table = pd.concat(rows, ignore_index=True)
        figures[split.name] = summarise(table, split.answers)
        tables.append(table)
    return Audit(
        figures, pd.concat(tables, ignore_index=True), _joined(galleries) if galleries else None
    )


def _labelled(done: Pass, split: str, cell: str) -> pd.DataFrame:
    return done.table.assign(split=split, cell=cell)[list(PER_IMAGE_COLUMNS)]


def _joined(parts: Sequence[Gallery]) -> Gallery:
    return Gallery(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("ids", "images", "maps", "regions")
        )
    )
