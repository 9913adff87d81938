"""What became of each image's answer against the lead run: mended, broken, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from biasaudit.report.format import Estimate
from biasaudit.report.view import Audit, rows_of
from biasaudit.statistics import Paired, count_pairs, mean_paired_interval


@dataclass(frozen=True)
class Change:
    """One run against the lead run, on the images that both answered.

    Attributes:
        label: The run.
        mended: By group (or for the one pool of the headline), images that this run gets right
            and the lead run wrong.
        broken: Likewise, images that this run gets wrong and the lead run right.
        difference: Mean over the groups of the difference in accuracy, this run's less the lead
            run's. Its interval is for paired images, and so wide that the intervals of all runs
            compared hold together with 95% (Bonferroni).
    """

    label: str
    mended: tuple[int, ...]
    broken: tuple[int, ...]
    difference: Estimate

    @property
    def outcome(self) -> str:
        """What the interval shows: ``better``, ``worse`` or ``no difference shown``."""
        if self.difference.above(0.0):
            return "better"
        return "worse" if self.difference.below(0.0) else "no difference shown"


def changes_against(audit: Audit, lead: int) -> list[Change | None]:
    """Compare every run of an audit with the lead run, image by image.

    Args:
        audit: The audit.
        lead: Column of the run to compare with.

    Returns:
        One entry a column; None for the lead run itself, and where a run or the lead run has no
        per-image table or shares no image of some group.
    """
    answers = [_answers(column.view.per_image, audit) for column in audit.columns]
    compared = compared_sets(audit)
    counts = [
        None if place == lead else _counts(found, answers[lead], compared)
        for place, found in enumerate(answers)
    ]
    runs = sum(found is not None for found in counts)
    level = 1 - 0.05 / max(1, runs)
    return [
        None if found is None else _change(column.label, found, level)
        for column, found in zip(audit.columns, counts, strict=True)
    ]


def compared_sets(audit: Audit) -> tuple[str, ...]:
    """Return the image sets whose answers are compared: all groups, or the headline's pool."""
    return audit.groups or (() if audit.target is None else (audit.target,))


def _answers(table: pd.DataFrame | None, audit: Audit) -> pd.Series | None:
    """Return 1 for a right answer and 0 for a wrong one, by image set and id."""
    rows = rows_of(audit, table)
    return None if rows is None else rows["correct"]


def _counts(
    first: pd.Series | None, second: pd.Series | None, groups: Sequence[str]
) -> list[Paired] | None:
    if first is None or second is None:
        return None
    both = pd.concat([first, second], axis=1, join="inner", keys=["first", "second"])
    places = both.index.get_level_values("group")
    counts = [
        count_pairs(both["first"][places == group], both["second"][places == group])
        for group in groups
    ]
    return counts if counts and all(found.n for found in counts) else None


def _change(label: str, counts: Sequence[Paired], level: float) -> Change:
    mean = sum(found.difference for found in counts) / len(counts)
    n = sum(found.n for found in counts)
    return Change(
        label,
        tuple(found.first_only for found in counts),
        tuple(found.second_only for found in counts),
        Estimate.of(mean, mean_paired_interval(counts, level), n),
    )
