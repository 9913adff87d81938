"""Figures of localization as they stand beside a run, with their intervals."""

from __future__ import annotations

import numpy as np

from biasaudit.localization.metrics import LEVELS, Localization
from biasaudit.results import LocalizationFigures
from biasaudit.statistics import Interval, mean_interval, wilson_interval


def intervals_of(found: Localization) -> dict[str, Interval]:
    """Return the 95% intervals of the shares, by name: Wilson's, and the bootstrap's of a mean."""
    return {
        "max_box_acc_ci": _wilson(found.max_box_acc, found.n),
        "max_box_acc_v2_ci": _over_levels(found),
        "top_1_ci": _wilson(found.top_1, found.n),
    }


def figures_of(found: Localization, dataset: str, subset: str, name: str) -> LocalizationFigures:
    """Return figures with their intervals, as ``localization.json`` has them.

    Args:
        found: As it was measured.
        dataset: Name of the dataset.
        subset: What was reported.
        name: The class.
    """
    levels = {f"{level:g}": share for level, share in found.by_level.items()}
    return LocalizationFigures(
        dataset=dataset,
        subset=subset,
        object=name,
        n=found.n,
        n_val=found.n_val,
        max_box_acc=found.max_box_acc,
        max_box_acc_v2=found.max_box_acc_v2,
        by_level=levels,
        by_level_ci={level: _wilson(share, found.n) for level, share in levels.items()},
        threshold=found.threshold,
        threshold_v2=found.threshold_v2,
        px_ap=float(np.minimum(found.px_ap, 1.0)),  # a sum of rounded products; NaN stays
        top_1=found.top_1,
        **intervals_of(found),
    )


def _wilson(share: float, n: int) -> Interval:
    return wilson_interval(round(share * n), n)


def _over_levels(found: Localization) -> Interval:
    """Return the interval of a mean over levels, from the images that are right at each.

    A box that is right at one level is right at every lower one, and all levels share one
    threshold: so the counts say in how many images it is right at none, one, two or three.
    """
    counts = [round(found.by_level[level] * found.n) for level in sorted(LEVELS)]
    values = np.zeros(found.n)
    for count in counts:
        values[:count] += 1 / len(counts)
    return mean_interval(values)
