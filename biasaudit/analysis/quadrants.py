"""The four quadrants: right or wrong answer, times attention on or off the object.

"Right for the wrong reason" is a right answer with the attention off the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from biasaudit.analysis.attention_on import ENRICHMENT, attention_is_known, attention_is_on

RIGHT_ON = "right-on"
RIGHT_OFF = "right-off"
WRONG_ON = "wrong-on"
WRONG_OFF = "wrong-off"
UNMEASURED = "unmeasured"


@dataclass(frozen=True)
class Quadrants:
    """The four quadrants of one group, as ids of its images.

    Attributes:
        right_on: Right answer, attention on the object.
        right_off: Right for the wrong reason.
        wrong_on: Wrong although the attention is on the object.
        wrong_off: Wrong, attention elsewhere.
        unmeasured: Images without a region of the object or with an all-zero map; every image of
            a group that lacks the object is one.
    """

    right_on: tuple[str, ...]
    right_off: tuple[str, ...]
    wrong_on: tuple[str, ...]
    wrong_off: tuple[str, ...]
    unmeasured: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many images stand in each quadrant."""
        return {
            "right_on": len(self.right_on),
            "right_off": len(self.right_off),
            "wrong_on": len(self.wrong_on),
            "wrong_off": len(self.wrong_off),
            "unmeasured": len(self.unmeasured),
        }


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


def four_quadrants(table: pd.DataFrame, enrichment: float = ENRICHMENT) -> dict[str, Quadrants]:
    """Return the four quadrants of each group, the groups in the order of the table.

    Args:
        table: Per-image rows of one split.
        enrichment: As for :func:`quadrant_of`.
    """
    quadrants = quadrant_of(table, enrichment)
    return {
        str(group): Quadrants(
            *(
                tuple(table.loc[rows.index[quadrants[rows.index] == quadrant], "id"])
                for quadrant in (RIGHT_ON, RIGHT_OFF, WRONG_ON, WRONG_OFF, UNMEASURED)
            )
        )
        for group, rows in table.groupby("group", sort=False)
    }
