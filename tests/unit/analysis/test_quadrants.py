"""The four quadrants of a small table, by hand."""

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.quadrants import quadrant_of, quadrants_of
from biasaudit.results import Quadrants

TABLE = pd.DataFrame(
    {
        "group": ["boat-without-water"] * 6 + ["water-without-boat"] * 2,
        "id": list("abcdefgh"),
        "correct": [1, 1, 0, 0, 1, 1, 1, 0],
        "energy_pointing_game": [0.4, 0.19, 0.2, 0.0, 0.6, np.nan, np.nan, np.nan],
        "area_fraction": [0.1, 0.1, 0.1, 0.1, 0.5, 0.1, np.nan, np.nan],
    }
)


def test_each_image_stands_in_one_quadrant():
    assert quadrant_of(TABLE).tolist() == [
        "right-on",
        "right-off",
        "wrong-on",
        "wrong-off",
        "right-on",
        *["unmeasured"] * 3,
    ]
    counts = quadrants_of(TABLE)
    assert counts["boat-without-water"] == Quadrants(
        right_on=2, right_off=1, wrong_on=1, wrong_off=1, unmeasured=1
    )
    assert counts["water-without-boat"] == Quadrants(unmeasured=2)


def test_the_enrichment_decides():
    assert quadrant_of(TABLE, 1.5)[1] == "right-on"
    assert quadrant_of(TABLE, 5.0)[0] == "right-off"
    # However large the object: most of the attention is enough.
    assert quadrant_of(TABLE, 5.0)[4] == "right-on"


def test_chance_is_never_on_the_object():
    with pytest.raises(ValueError, match="uniform"):
        quadrant_of(TABLE, 0.9)


def test_the_order_of_rows_changes_no_quadrant():
    shuffled = TABLE.sample(frac=1, random_state=1)
    assert quadrant_of(shuffled).sort_index().equals(quadrant_of(TABLE))
    assert (
        quadrants_of(shuffled)["boat-without-water"] == (quadrants_of(TABLE)["boat-without-water"])
    )
