"""Several comparisons declared together."""

from __future__ import annotations

import math
from collections.abc import Mapping


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return Holm's (1979) adjusted p-values, in the order given.

    Rejecting where the adjusted value is at most alpha keeps the chance of any false rejection
    among all of them at alpha, whatever their dependence.

    Args:
        p_values: One a declared comparison, in [0, 1]. A NaN (it could not be made) stays NaN and
            does not count.

    Raises:
        ValueError: A value lies outside [0, 1].
    """
    made = {name: p for name, p in p_values.items() if not math.isnan(p)}
    if any(not 0.0 <= p <= 1.0 for p in made.values()):
        raise ValueError(f"p-values lie in [0, 1]: {made}")
    adjusted = dict(p_values)
    reached = 0.0
    for rank, name in enumerate(sorted(made, key=lambda name: made[name])):
        reached = max(reached, min(1.0, (len(made) - rank) * made[name]))
        adjusted[name] = reached
    return adjusted
