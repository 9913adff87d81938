"""Figures of localization as they stand beside a run, with their intervals."""

from __future__ import annotations

import numpy as np

from biasaudit.localization.metrics import Localization, share_interval
from biasaudit.results import LocalizationFigures


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
        by_level_ci={level: share_interval(share, found.n) for level, share in levels.items()},
        threshold=found.threshold,
        threshold_v2=found.threshold_v2,
        px_ap=float(np.minimum(found.px_ap, 1.0)),  # a sum of rounded products; NaN stays
        top_1=found.top_1,
        **found.intervals,
    )
