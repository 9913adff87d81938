"""Paired answers: against sums of binomial terms, Newcombe's published example, worked values."""

import math

import pytest

from biasaudit.statistics import (
    Paired,
    count_pairs,
    flip_rates,
    mcnemar,
    mean_paired_interval,
    paired_interval,
    wilson_interval,
)


def test_pairs_are_counted_by_hand():
    pairs = count_pairs([1, 1, 0, 0, 1], [1, 0, 1, 0, 0])
    assert pairs == Paired(both=1, first_only=2, second_only=1, neither=1)
    assert pairs.n == 5
    assert pairs.difference == pytest.approx(1 / 5)


def test_pairs_of_different_length_are_refused():
    with pytest.raises(ValueError, match="3 answers of the first model and 2"):
        count_pairs([1, 0, 1], [1, 0])


@pytest.mark.parametrize(("b", "c"), [(0, 5), (1, 6), (3, 3), (10, 2), (40, 25), (1, 0)])
def test_mcnemar_is_the_doubled_binomial_tail(b, c):
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert mcnemar(Paired(7, b, c, 4)) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


def test_mcnemar_of_models_that_never_differ():
    assert mcnemar(Paired(9, 0, 0, 3)) == 1.0
    assert math.isnan(mcnemar(Paired(0, 0, 0, 0)))


def test_21_against_24_of_50_is_nothing():
    # 42% against 48%, differing on 9 images.
    assert mcnemar(Paired(18, 3, 6, 23)) == pytest.approx(0.5078125)


def test_paired_interval_is_newcombes_published_one():
    # Newcombe (1998), paired data, table III, 36 / 12 / 2 / 0 of 50, method 10.
    assert paired_interval(Paired(36, 12, 2, 0)) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_paired_interval_of_models_that_never_differ_keeps_a_width():
    low, high = paired_interval(Paired(20, 0, 0, 0))
    # Uncorrelated, for want of a margin: the Wilson arms of 20 of 20 on either side.
    assert high == pytest.approx(1 - wilson_interval(20, 20)[0])
    assert low == -high


def test_agreement_narrows_the_paired_interval():
    agree = paired_interval(Paired(40, 5, 1, 40))
    differ = paired_interval(Paired(24, 21, 17, 24))
    assert agree[1] - agree[0] < differ[1] - differ[0]


def test_mean_of_one_group_is_that_group():
    pairs = Paired(36, 12, 2, 0)
    assert mean_paired_interval([pairs]) == pytest.approx(paired_interval(pairs))
    low, high = mean_paired_interval([pairs, pairs])
    assert (low, high) == pytest.approx(
        (
            0.2 - (0.2 - paired_interval(pairs)[0]) / math.sqrt(2),
            0.2 + (paired_interval(pairs)[1] - 0.2) / math.sqrt(2),
        )
    )


@pytest.mark.parametrize(
    "groups", [[], [Paired(0, 0, 0, 0)], [Paired(1, 2, 3, 4), Paired(0, 0, 0, 0)]]
)
def test_an_empty_group_leaves_no_interval(groups):
    assert all(math.isnan(v) for v in mean_paired_interval(groups))


def test_paired_counts_add_up():
    assert Paired(1, 2, 3, 4) + Paired(10, 20, 30, 40) == Paired(11, 22, 33, 44)


def test_flips_go_both_ways():
    no, yes = flip_rates([1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 1, 0])
    assert (no.turned, no.n, no.rate) == (3, 4, 0.75)
    assert (yes.turned, yes.n, yes.rate) == (1, 2, 0.5)
    assert no.interval == wilson_interval(3, 4)


def test_flips_without_a_yes_have_no_rate():
    no, _ = flip_rates([0, 0], [1, 0])
    assert no.n == 0
    assert math.isnan(no.rate)
    assert math.isnan(no.interval[0])
