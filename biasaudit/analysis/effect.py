"""From per-image rows to the effect of the context within subset and source, and what was left out.

Only images as they are count here, none of the edited versions. An image counts where its context
is known and, where any image names its source, its source too. See
:mod:`biasaudit.statistics.stratified` for the effect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from biasaudit.results import Shift
from biasaudit.statistics.contrasts import count_contrasts
from biasaudit.statistics.effect_power import Planned
from biasaudit.statistics.permutation import clustered_p_value
from biasaudit.statistics.rates import Count, gap_interval, rate
from biasaudit.statistics.stratified import StratifiedEffect, stratified_effect

CLUSTER = "cluster"
"""Optional column: images of one value (photographs of one scene) count as one image."""


@dataclass(frozen=True)
class Groups:
    """The right answers and images of the four groups of an object and a context.

    Attributes:
        with_context: The object with the context (bias-aligned).
        without_context: The object without it (bias-conflicting).
        context_alone: The context without the object (bias-conflicting).
        neither: Neither of them (bias-aligned).
    """

    with_context: Count
    without_context: Count
    context_alone: Count
    neither: Count

    @property
    def counts(self) -> list[Count]:
        """The four, in the order above."""
        return [self.with_context, self.without_context, self.context_alone, self.neither]


@dataclass(frozen=True)
class Measured:
    """The effect of the context on the images as they are.

    Attributes:
        found: The effect with interval and p-value.
        groups: The four groups of the images that entered.
        everywhere: The four groups of all images as they are, of whatever subset and source.
        strata: Names of the strata that entered.
        left_out: Number of images by the reason for which they did not enter.
        by_subset: The four groups of each subset, of the images that entered; a group may be
            empty.
    """

    found: StratifiedEffect
    groups: Groups
    everywhere: Groups
    strata: tuple[str, ...]
    left_out: Mapping[str, int]
    by_subset: Mapping[str, Groups] = field(default_factory=dict)


def measure_effect(rows: pd.DataFrame, level: float = 0.95) -> Measured:
    """Measure the effect of the context on the share of yes answers.

    Args:
        rows: One row an image: ``label``, ``decision``, ``context`` (1, 0, NaN for unknown),
            ``subset``; where there are such, ``source`` (empty: unknown), ``pair`` (id of the
            original of an edited image, else empty) and ``cluster``.
        level: Confidence level, in (0, 1).

    Returns:
        An effect of NaN where an answer has no subset and source with both values of the context.

    Raises:
        ValueError: The level is impossible, or a decision or label is neither 0 nor 1.
    """
    kept, left_out = usable_rows(rows)
    names = strata_of(kept)
    clusters = kept.get(CLUSTER)
    columns = (kept["decision"], kept["context"], kept["label"], names.tolist())
    found = stratified_effect(count_contrasts(*columns, clusters), level)
    entered = {(one.stratum, one.answer) for one in found.used}
    keys = zip(names, kept["label"].astype(int), strict=True)
    mask = np.array([key in entered for key in keys], dtype=bool)
    inside = kept[mask]
    if len(kept) > len(inside):
        left_out["the subset and source hold one value of the context only"] = len(kept) - len(
            inside
        )
    if clusters is not None and not math.isnan(found.effect) and math.isnan(found.p_value):
        found = _clustered(found, inside, names[mask])
    strata = tuple(sorted({stratum for stratum, _ in entered}))
    by_subset = {
        str(name): count_groups(part)
        for name, part in inside.groupby("subset", sort=True, observed=True)
    }
    return Measured(found, count_groups(inside), count_groups(kept), strata, left_out, by_subset)


def usable_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the unedited images whose context and source are known, and how many are left out."""
    kept = rows[rows["pair"].fillna("") == ""] if "pair" in rows else rows
    left_out = {}
    known = kept["context"].notna()
    if not known.all():
        left_out["context unknown"] = int((~known).sum())
    kept = kept[known]
    if "source" in kept and (named := kept["source"].fillna("") != "").any() and not named.all():
        left_out["source unknown"] = int((~named).sum())
        kept = kept[named]
    return kept, left_out


def planned_of(rows: pd.DataFrame) -> list[Planned]:
    """Return the sizes of the groups that would enter the effect, for its power.

    Args:
        rows: As for :func:`measure_effect`, decisions aside.
    """
    kept, _ = usable_rows(rows)
    shown = kept["context"] == 1
    return [
        Planned(int(shown[part.index].sum()), int((~shown[part.index]).sum()), int(answer))
        for (_, answer), part in kept.groupby([strata_of(kept), "label"], observed=True)
    ]


def strata_of(rows: pd.DataFrame) -> pd.Series:
    """Return the name of each row's stratum: its subset, and its source where it has one."""
    names = rows["subset"].astype(object)
    if "source" not in rows or not (named := rows["source"].fillna("") != "").any():
        return names
    return names.where(~named, names + " / " + rows["source"].astype(object))


def count_groups(rows: pd.DataFrame) -> Groups:
    """Count right answers and images of the four groups; the context of each row is known."""
    labels, contexts = rows["label"].to_numpy(), rows["context"].to_numpy()
    right = rows["decision"].to_numpy() == labels

    def count(label: int, context: int) -> Count:
        here = (labels == label) & (contexts == context)
        return int(right[here].sum()), int(here.sum())

    return Groups(count(1, 1), count(1, 0), count(0, 1), count(0, 0))


def measure_shift(
    rows: pd.DataFrame, reference: str = "val", audited: str = "test", level: float = 0.95
) -> Shift | None:
    """Compare accuracy on the bias-aligned groups of two subsets.

    There the context points to the right answer, so that a bias by the context cannot tell them
    apart: what differs is the images.

    Args:
        rows: As for :func:`measure_effect`.
        reference: The subset that is like the training images.
        audited: The subset of the bias-conflicting groups.
        level: Confidence level, in (0, 1).

    Returns:
        None where one of the four groups is empty.
    """
    kept = rows[rows["pair"].fillna("") == ""] if "pair" in rows else rows
    sides = []
    for name in (reference, audited):
        groups = count_groups(kept[(kept["subset"] == name) & kept["context"].notna()])
        sides.append([groups.with_context, groups.neither])
    if any(n == 0 for side in sides for _, n in side):
        return None
    first, second = (sum(rate(k, n) for k, n in side) / 2 for side in sides)
    return Shift(
        reference=first,
        audited=second,
        difference=second - first,
        difference_ci=gap_interval(sides[1], sides[0], level),
    )


def _clustered(found: StratifiedEffect, rows: pd.DataFrame, strata: pd.Series) -> StratifiedEffect:
    """Return the effect with p-values that permute whole clusters."""

    def p_value(part: pd.DataFrame) -> float:
        columns = (part["decision"], part["context"], part["label"])
        return clustered_p_value(*columns, strata.loc[part.index].tolist(), part[CLUSTER])

    by_answer = {
        value: replace(one, p_value=p_value(rows[rows["label"] == value]))
        for value, one in found.by_answer.items()
    }
    return replace(found, p_value=p_value(rows), by_answer=by_answer)
