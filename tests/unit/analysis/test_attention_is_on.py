"""The rule of the four quadrants, by hand."""

import numpy as np
import pytest

from biasaudit.analysis.attention_on import attention_is_known, attention_is_on


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


def test_unknown_without_a_map_or_a_region():
    known = attention_is_known([0.1, np.nan, 0.1], [0.1, 0.1, np.nan])
    assert known.tolist() == [True, False, False]


def test_the_enrichment_moves_the_rule_and_is_never_below_chance():
    assert attention_is_on([0.31], [0.1], enrichment=3.0).tolist() == [True]
    assert attention_is_on([0.29], [0.1], enrichment=3.0).tolist() == [False]
    with pytest.raises(ValueError, match="uniform"):
        attention_is_on([0.3], [0.1], enrichment=0.5)
