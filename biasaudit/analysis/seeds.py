"""Comparisons of more than two runs: several seeds of two modes, several pairs of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from biasaudit.analysis.compare import accuracy_p, outcome_of
from biasaudit.analysis.paired_tables import (
    align,
    clusters_of,
    figures_of,
    groups_of,
    measured_in_both,
)
from biasaudit.errors import RunError
from biasaudit.statistics import (
    Figure,
    SeedLevels,
    count_pairs,
    difference_of,
    holm,
    mean_over_seeds,
)


def compare_seeds(
    firsts: Sequence[pd.DataFrame], seconds: Sequence[pd.DataFrame], figure: str, *, seed: int = 0
) -> SeedLevels:
    """Compare two modes over several seeds: second less first, with both kinds of variance.

    Args:
        firsts: Per-image rows of one split, one table a seed.
        seconds: The same seeds of the other mode, in the same order.
        figure: A name that :func:`figures_of` knows, such as "overall.auroc".
        seed: Of the bootstrap.

    Raises:
        RunError: The runs were not audited on the same images, or lack the figure.
        ValueError: The numbers of seeds differ, or there is none.
    """
    differences: list[Figure] = []
    reference = None
    for first, second in zip(firsts, seconds, strict=True):
        reference = first if reference is None else reference
        first, second = measured_in_both(*(align(reference, table)[1] for table in (first, second)))
        known = figures_of(first)
        if figure not in known:
            raise RunError(f"the runs have no figure '{figure}'", f"known: {', '.join(known)}")
        differences.append(difference_of(figures_of(second)[figure], known[figure]))
    if reference is None:
        raise ValueError("no seed is given")
    images = align(reference, reference)[0]
    return mean_over_seeds(
        differences,
        images["group"],
        seed=seed,
        clusters=clusters_of(images),
        bounds=(-1.0, 1.0),
    )


def worsened(pairs: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> dict[str, float]:
    """Name the object-context pairs whose biased split got worse (a swapped shortcut).

    Args:
        pairs: For each pair, such as "boat/water", the biased split's rows before and after.

    Returns:
        By pair, the change of the overall accuracy, a negative number, where it is shown to fall
        (Holm over all pairs), the worst first.

    Raises:
        RunError: A pair was not audited on the same images twice.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, (before, after) in pairs.items():
        before, after = align(before, after)
        rows = [before["group"] == group for group in groups_of(before)]
        counts = [count_pairs(after.loc[r, "correct"], before.loc[r, "correct"]) for r in rows]
        difference = sum(count.difference for count in counts) / len(counts)
        found[name] = (difference, accuracy_p(counts))
    adjusted = holm({name: p for name, (_, p) in found.items()})
    worse = {
        name: change
        for name, (change, _) in found.items()
        if outcome_of(change, adjusted[name]) == "worse"
    }
    return dict(sorted(worse.items(), key=lambda item: item[1]))
