"""The four quadrants of a small table, by hand."""

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.quadrants import four_quadrants, quadrant_of

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
    quadrants = four_quadrants(TABLE)
    boats = quadrants["boat-without-water"]
    assert boats.right_on == ("a", "e")
    assert boats.right_off == ("b",)
    assert boats.wrong_on == ("c",)
    assert boats.wrong_off == ("d",)
    assert boats.unmeasured == ("f",)
    assert quadrants["water-without-boat"].unmeasured == ("g", "h")
    assert sum(sum(c.counts.values()) for c in quadrants.values()) == len(TABLE)


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
    assert four_quadrants(shuffled)["boat-without-water"].counts == (
        four_quadrants(TABLE)["boat-without-water"].counts
    )
