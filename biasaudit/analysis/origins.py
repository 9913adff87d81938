"""Which images an audit rests on: subsets, sources, groups, and a digest of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from biasaudit.analysis.verdict_text import group_names
from biasaudit.results import Verdict

UNKNOWN = "unknown"
"""Stands for the group of images whose context nobody annotated."""
_IDENTITY = ["split", "group", "id", "label", "context", "subset", "source", "pair"]


@dataclass(frozen=True)
class Origin:
    """The images of one subset and one source.

    Attributes:
        subset: Its name.
        source: As the dataset names it; empty where it does not.
        counts: Images by group; an image that has no known context counts as :data:`UNKNOWN`.
        compared: Whether they enter the effect.
    """

    subset: str
    source: str
    counts: dict[str, int]
    compared: bool

    @property
    def name(self) -> str:
        """Subset and source, as a verdict's strata are called."""
        return f"{self.subset} / {self.source}" if self.source else self.subset


def origins_of(table: pd.DataFrame, object: str, context: str, verdict: Verdict) -> list[Origin]:
    """Return the images as they are, by subset and source.

    Args:
        table: The per-image rows of every split that asks about this object and context.
        object: The audited object.
        context: Its suspected context.
        verdict: Names the strata that entered.
    """
    rows = table[table["pair"].fillna("") == ""].drop_duplicates(["subset", "id"])
    there, shown = rows["label"] == 1, rows["context"] == 1
    names = list(group_names(object, context)[:3])
    cases = [there & shown, there & ~shown, ~there & shown]
    group = np.where(rows["context"].isna(), UNKNOWN, np.select(cases, names, "neither"))
    found = []
    keys = [rows["subset"], rows["source"].fillna("")]
    for (subset, source), part in pd.Series(group, rows.index).groupby(keys, observed=True):
        counts = {str(name): int(n) for name, n in part.value_counts(sort=False).items()}
        one = Origin(str(subset), str(source), counts, compared=False)
        found.append(replace(one, compared=one.name in verdict.strata))
    return found


def images_digest(table: pd.DataFrame) -> str:
    """Return the SHA-256 of the audited images' ids, labels, contexts, subsets and sources.

    The same images with the same annotations give the same digest, whatever the model said.

    Args:
        table: A per-image table.
    """
    rows = table.reindex(columns=_IDENTITY).astype(object)
    rows = rows.where(rows.notna(), "")
    lines = sorted("\t".join(_text(value) for value in row) for row in rows.to_numpy().tolist())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
