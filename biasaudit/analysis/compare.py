"""Two runs on the same images: better, worse, or no difference shown; and which images changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from scipy import optimize

from biasaudit.analysis.harm import ClassHarm
from biasaudit.analysis.paired_tables import (
    align,
    clusters_of,
    figures_of,
    groups_of,
    measured_in_both,
)
from biasaudit.statistics import (
    Interval,
    Paired,
    bootstrap_each,
    count_pairs,
    difference_of,
    holm,
    least_shown,
    mcnemar,
    mean_paired_interval,
    paired_interval,
    value_of,
)

ALPHA = 0.05

Outcome = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True)
class Change:
    """One figure in two runs.

    Attributes:
        figure: Its name as results.json has it, such as "boat-without-water.accuracy".
        first: In the first run; NaN where it does not exist.
        second: In the second run.
        difference: Second less first.
        interval: Of the difference, at 95%, for this figure alone.
        p_value: Of "no difference", for this figure alone: exact McNemar for a group's accuracy,
            the interval's own for a mean of groups that share no image, the bootstrap's for
            everything else.
        p_adjusted: By Holm, over all figures of the comparison.
        outcome: "better" or "worse" (for the second run) where the adjusted p-value is at most
            0.05.
    """

    figure: str
    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float
    p_adjusted: float
    outcome: Outcome


@dataclass(frozen=True)
class Comparison:
    """Two runs on one split.

    Attributes:
        changes: One a figure, the overall accuracy first.
        mended: Ids of the images that the second run alone gets right, by group.
        broken: Ids of those that the first run alone gets right, by group.
        n: Images.
        least: The smallest difference in accuracy that a group's images can ever show (exact
            McNemar at 5%, before Holm), by group; NaN where they can show none.
        harm: What became of the images of other objects; None where it was not measured.
    """

    changes: tuple[Change, ...]
    mended: Mapping[str, tuple[str, ...]]
    broken: Mapping[str, tuple[str, ...]]
    n: int
    least: Mapping[str, float]
    harm: ClassHarm | None = None

    @property
    def outcome(self) -> Outcome:
        """What became of the overall accuracy."""
        return self.changes[0].outcome


def compare(first: pd.DataFrame, second: pd.DataFrame, *, seed: int = 0) -> Comparison:
    """Compare two runs on one split, image by image.

    Args:
        first: Per-image rows of one split, columns as in ``results.PER_IMAGE_COLUMNS``.
        second: The same images in another run.
        seed: Of the bootstrap.

    Returns:
        Changes of the overall accuracy (the mean of the groups' where there are some), each group's
        accuracy, the worst group's, the AUROC and the attention's energy pointing game (over the
        images that both runs have a map of).

    Raises:
        RunError: The runs were not audited on the same images.
    """
    first, second = measured_in_both(*align(first, second))
    pairs = {
        group: count_pairs(
            first.loc[first["group"] == group, "correct"],
            second.loc[second["group"] == group, "correct"],
        )
        for group in groups_of(first)
    }
    drafts = _accuracy_changes(pairs) | _resampled_changes(first, second, seed)
    adjusted = holm({name: draft[4] for name, draft in drafts.items()})
    changes = [
        Change(name, *draft, adjusted[name], outcome_of(draft[2], adjusted[name]))
        for name, draft in drafts.items()
    ]
    return Comparison(
        tuple(changes),
        _ids(first, (second["correct"] == 1) & (first["correct"] != 1)),
        _ids(first, (first["correct"] == 1) & (second["correct"] != 1)),
        len(first),
        {group: least_shown(count.n) for group, count in pairs.items()},
    )


_Draft = tuple[float, float, float, Interval, float]
"""First, second, difference, interval, p-value."""


def _accuracy_changes(pairs: Mapping[str, Paired]) -> dict[str, _Draft]:
    """Return the changes of the overall accuracy and of each group's."""
    # Counted with the second run first, so that a positive difference is a gain.
    turned = {
        name: Paired(p.both, p.second_only, p.first_only, p.neither) for name, p in pairs.items()
    }
    counts = list(turned.values())
    rates = [_rates(count) for count in counts]
    first, second = (sum(side) / len(counts) for side in zip(*rates, strict=True))
    drafts = {
        "overall.accuracy": (
            first,
            second,
            second - first,
            mean_paired_interval(counts),
            accuracy_p(counts),
        )
    }
    if len(turned) > 1:
        for name, count in turned.items():
            drafts[f"{name}.accuracy"] = (
                *_rates(count),
                count.difference,
                paired_interval(count),
                mcnemar(count),
            )
    return drafts


def _rates(turned: Paired) -> tuple[float, float]:
    """Return the first and the second run's accuracy from counts with the second run first."""
    return (turned.both + turned.second_only) / turned.n, (
        turned.both + turned.first_only
    ) / turned.n


def accuracy_p(counts: Sequence[Paired]) -> float:
    """Return the p-value of "no difference in the mean of the groups' accuracies"."""
    if len(counts) == 1:
        return mcnemar(counts[0])
    return _p_of_interval(lambda level: mean_paired_interval(counts, level))


def _resampled_changes(first: pd.DataFrame, second: pd.DataFrame, seed: int) -> dict[str, _Draft]:
    """Return the changes that have no closed form, by the paired stratified bootstrap.

    Versions of one edited image are drawn together; the mean of groups that share images in this
    way has no closed form either.
    """
    ours, theirs, clusters = figures_of(first), figures_of(second), clusters_of(first)
    names = ["worst.accuracy", "overall.auroc", "overall.energy_pointing_game"]
    if clusters is not None:
        names.insert(0, "overall.accuracy")
    names = [name for name in names if name in ours]
    resampled = bootstrap_each(
        {name: difference_of(theirs[name], ours[name]) for name in names},
        first["group"],
        seed=seed,
        clusters=clusters,
    )
    drafts: dict[str, _Draft] = {}
    for name, found in resampled.items():
        before, after = (value_of(figures[name], len(first)) for figures in (ours, theirs))
        if not math.isnan(found.estimate):
            drafts[name] = (before, after, found.estimate, found.interval, found.p_value)
    return drafts


def _p_of_interval(interval_at: Callable[[float], Interval]) -> float:
    """Return 1 less the level at which the interval just reaches zero."""

    def nearest(level: float) -> float:
        low, high = interval_at(level)
        return max(low, -high)

    if nearest(1e-6) <= 0:
        return 1.0
    if nearest(1 - 1e-9) > 0:
        return 1e-9
    return 1.0 - float(optimize.brentq(nearest, 1e-6, 1 - 1e-9, xtol=1e-12))


def outcome_of(difference: float, p_adjusted: float) -> Outcome:
    """Return what a difference with this adjusted p-value (or NaN) shows."""
    if math.isnan(p_adjusted) or p_adjusted > ALPHA:
        return "no difference shown"
    return "better" if difference > 0 else "worse"


def _ids(table: pd.DataFrame, rows: pd.Series) -> dict[str, tuple[str, ...]]:
    return {
        group: tuple(table.loc[rows & (table["group"] == group), "id"])
        for group in groups_of(table)
    }
