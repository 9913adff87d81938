"""The four quadrants of a small table, by hand."""

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.quadrants import attention_is_on, quadrant_of, quadrants_of
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
        "right-no-map",
        "right-no-region",
        "wrong-no-region",
    ]
    counts = quadrants_of(TABLE)
    assert counts["boat-without-water"] == Quadrants(
        right_on=2, right_off=1, wrong_on=1, wrong_off=1, right_no_map=1
    )
    assert counts["water-without-boat"] == Quadrants(right_no_region=1, wrong_no_region=1)


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


@pytest.mark.parametrize(
    ("energy", "area", "on"),
    [
        (0.2, 0.1, True),
        (0.19, 0.1, False),
        (0.5, 0.4, True),
        (0.49, 0.4, False),
        (0.0, 0.0, True),
        (np.nan, 0.1, False),
        (0.9, np.nan, False),
    ],
)
def test_on_is_twice_the_share_of_an_even_map_or_one_half(energy, area, on):
    assert attention_is_on([energy], [area]).tolist() == [on]


def test_the_enrichment_moves_the_rule_and_is_never_below_chance():
    assert attention_is_on([0.31], [0.1], enrichment=3.0).tolist() == [True]
    assert attention_is_on([0.29], [0.1], enrichment=3.0).tolist() == [False]
    with pytest.raises(ValueError, match="uniform"):
        attention_is_on([0.3], [0.1], enrichment=0.5)


@pytest.mark.parametrize(
    ("correct", "energy", "area", "name"),
    [
        (1, 0.5, 0.4, "right-on"),
        (1, 0.49, 0.4, "right-off"),
        (0, 0.9, 0.1, "wrong-on"),
        (0, 0.0, 0.1, "wrong-off"),
        (1, np.nan, 0.1, "right-no-map"),
        (0, np.nan, 0.1, "wrong-no-map"),
        (0, np.nan, np.nan, "wrong-no-region"),
        (1, 0.3, np.nan, "right-no-region"),
    ],
)
def test_a_region_without_a_map_is_not_a_missing_region(correct, energy, area, name):
    row = {"correct": [correct], "energy_pointing_game": [energy], "area_fraction": [area]}
    assert quadrant_of(pd.DataFrame(row)).tolist() == [name]
