import pytest

from biasaudit.cli import tables
from biasaudit.report.format import (
    Estimate,
    clean,
    decimal,
    difference,
    figure,
    interval,
    percent,
    points,
    span,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.314, "31%"), (1.0, "100%"), (0.996, "99.6%"), (0.002, "0.2%"), (0.0, "0%"), (None, "–")],
)
def test_percent_never_rounds_to_certainty(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "whole", "two"),
    [
        (0.175, "18%", "0.18"),
        (0.165, "16%", "0.16"),
        (0.575, "58%", "0.58"),
        (0.285, "28%", "0.28"),
    ],
)
def test_a_half_is_rounded_alike_in_every_form(value, whole, two):
    assert (percent(value), decimal(value)) == (whole, two)
    assert points(value) == f"+{whole[:-1]}"
    assert tables.decimal(value) == two
    assert tables.decimal(value, (value, value)) == f"{two} [{two}, {two}]"


def test_figure_with_and_without_interval():
    assert figure(Estimate(0.314, 0.27, 0.36)) == "31% [27, 36]"
    assert figure(Estimate(0.314)) == "31%"
    assert figure(Estimate(0.58, 0.51, 0.65), "auroc") == "0.58 [0.51, 0.65]"
    assert figure(Estimate(None)) == "–"
    assert interval(Estimate(0.5)) == ""


def test_points_carry_their_sign():
    assert points(0.64) == "+64"
    assert points(-0.051) == "−5"
    assert points(-0.001) == points(0.0) == points(0.004) == "0"
    assert points(None) == "–"
    assert span(Estimate(0.2, -0.01, 0.456)) == "[−1, +46]"
    assert span(Estimate(0.2)) == ""
    assert decimal(None) == "–"


def test_above_and_below_need_the_whole_interval():
    low, high = Estimate(0.3, 0.2, 0.4), Estimate(0.6, 0.45, 0.7)
    assert low.below(high)
    assert high.above(low)
    assert low.below(0.5)
    assert not high.above(0.5)
    assert not Estimate(0.9).above(0.5)
    assert not high.above(None)
    assert not high.above(Estimate(0.1))


def test_difference_is_newcombes():
    # Newcombe 1998, Statist. Med. 17:873, table II, contrast (a): 56/70 against 48/80,
    # method 10: 0.0524 to 0.3339.
    first = Estimate.of(56 / 70, (0.69183, 0.87711), 70)
    second = Estimate.of(48 / 80, (0.49042, 0.70034), 80)
    gap = difference(first, second)
    assert gap.value == pytest.approx(0.2)
    assert gap.low == pytest.approx(0.0524, abs=2e-4)
    assert gap.high == pytest.approx(0.3339, abs=2e-4)


def test_difference_without_bounds_or_values():
    assert difference(Estimate(0.9), Estimate(0.5, 0.4, 0.6)) == Estimate(0.4)
    assert difference(Estimate(None), Estimate(0.5)).value is None


def test_clean_drops_direction_marks_and_keeps_letters():
    assert clean("a\u202eb\u2067c\x00\n") == "abc"
    assert clean("Böötë שלום 船") == "Böötë שלום 船"
    assert clean("\u202e") == "–"
    assert clean("n" * 50, 48) == "n" * 47 + "…"
    assert clean("n" * 48, 48) == "n" * 48
