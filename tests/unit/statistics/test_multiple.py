"""Holm's adjustment, by hand."""

import math

import pytest

from biasaudit.statistics import holm


def test_holm_by_hand():
    # Sorted: .01 * 4, .02 * 3, .03 * 2, .5 * 1, each at least its forerunner.
    adjusted = holm({"a": 0.03, "b": 0.01, "c": 0.5, "d": 0.02})
    assert adjusted == pytest.approx({"a": 0.06, "b": 0.04, "c": 0.5, "d": 0.06})
    assert list(adjusted) == ["a", "b", "c", "d"]


def test_no_value_exceeds_one_or_falls_below_its_forerunner():
    assert holm({"a": 0.4, "b": 0.7}) == {"a": 0.8, "b": 0.8}
    assert holm({"a": 0.9, "b": 0.9}) == {"a": 1.0, "b": 1.0}


def test_a_comparison_that_was_not_made_does_not_count():
    adjusted = holm({"a": 0.02, "b": math.nan})
    assert adjusted["a"] == 0.02
    assert math.isnan(adjusted["b"])


def test_impossible_values_are_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm({"a": 1.2})
