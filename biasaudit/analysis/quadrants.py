"""The four quadrants: right or wrong answer, times attention on or off the object.

"Right for the wrong reason" is a right answer with the attention off the object.
"""

from __future__ import annotations

import pandas as pd

from biasaudit.analysis.attention_on import ENRICHMENT, attention_is_known, attention_is_on
from biasaudit.results import Quadrants

RIGHT_ON = "right-on"
RIGHT_OFF = "right-off"
WRONG_ON = "wrong-on"
WRONG_OFF = "wrong-off"
UNMEASURED = "unmeasured"


def quadrant_of(table: pd.DataFrame, enrichment: float = ENRICHMENT) -> pd.Series:
    """Return the quadrant of each image.

    Args:
        table: Per-image rows with ``correct``, ``energy_pointing_game`` and ``area_fraction``.
        enrichment: As for :func:`biasaudit.analysis.attention_on.attention_is_on`.

    Returns:
        One of "right-on", "right-off", "wrong-on", "wrong-off", "unmeasured" a row.

    Raises:
        ValueError: The enrichment is below 1.
    """
    energy, area = table["energy_pointing_game"], table["area_fraction"]
    on = attention_is_on(energy, area, enrichment)
    right = table["correct"] == 1
    quadrants = pd.Series(WRONG_OFF, index=table.index, name="quadrant", dtype=object)
    quadrants[right & on] = RIGHT_ON
    quadrants[right & ~on] = RIGHT_OFF
    quadrants[~right & on] = WRONG_ON
    quadrants[~attention_is_known(energy, area)] = UNMEASURED
    return quadrants


def quadrants_of(table: pd.DataFrame, enrichment: float = ENRICHMENT) -> dict[str, Quadrants]:
    """Count the quadrants of each group, the groups in the order of the table.

    Args:
        table: Per-image rows of one split.
        enrichment: As for :func:`quadrant_of`.
    """
    quadrants = quadrant_of(table, enrichment)
    return {
        str(group): Quadrants(
            **{
                name.replace("-", "_"): int((quadrants[rows.index] == name).sum())
                for name in (RIGHT_ON, RIGHT_OFF, WRONG_ON, WRONG_OFF, UNMEASURED)
            }
        )
        for group, rows in table.groupby("group", sort=False)
    }
