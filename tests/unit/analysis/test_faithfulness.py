"""Faithfulness from rows written by hand."""

import pandas as pd
import pytest

from biasaudit.analysis.faithfulness import faithfulness_of

NAN = float("nan")


def rows(n, attention, random, region=NAN, context=NAN):
    """``n`` images of probability .9, alike but for a little in the excess."""
    return pd.DataFrame(
        {
            "probability": 0.9,
            "without_attention": [attention + 0.001 * (i % 2) for i in range(n)],
            "without_random": random,
            "without_region": region,
            "without_context": context,
        }
    )


def test_falls_by_hand():
    found = faithfulness_of(rows(30, 0.2, 0.8, 0.5, 0.7))
    assert found.fall_attention == pytest.approx(0.7 - 0.0005)
    assert found.fall_random == pytest.approx(0.1)
    assert found.fall_region == pytest.approx(0.4)
    assert found.fall_context == pytest.approx(0.2)
    assert found.excess == pytest.approx(0.6 - 0.0005)
    assert found.decides
    assert (found.n, found.n_regions) == (30, 30)


def test_attention_that_was_moved_decides_nothing():
    found = faithfulness_of(rows(30, 0.9, 0.7))
    assert not found.decides
    assert found.n_regions == 0
    assert found.fall_region is None


def test_images_that_were_not_erased_do_not_count():
    table = pd.concat([rows(10, 0.2, 0.8), pd.DataFrame({"probability": [NAN] * 5})])
    assert faithfulness_of(table).n == 10
    assert faithfulness_of(table.iloc[10:]) is None
    assert faithfulness_of(pd.DataFrame({"id": ["a"]})) is None


def test_the_area_of_a_curve_by_hand():
    """Trapezoids: .125 * .75 + .125 * .25 for the falling curve, over a width of 1."""
    shares = (0.0, 0.125, 0.25, 0.5, 1.0)
    table = rows(2, 0.2, 0.8)
    for share, down, up in zip(shares, (1, 0.5, 0, 0, 0), (0, 0.5, 1, 1, 1), strict=True):
        table[f"deletion_{share}"], table[f"insertion_{share}"] = float(down), float(up)
    found = faithfulness_of(table)
    assert found.deletion_area == pytest.approx(0.125)
    assert found.insertion_area == pytest.approx(0.875)
    assert found.deletion_curve == [1.0, 0.5, 0.0, 0.0, 0.0]
