"""Counts, lift and groups by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from biasaudit.data.checks.cooccurrence import (
    GroupSize,
    every_pair,
    group_sizes,
    images_for_a_group,
    together,
)
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import DataError


def sample(number, labels, contexts):
    picture = np.zeros((2, 2, 3), dtype=np.uint8)
    return Sample(
        str(number), frozenset(labels.split()), frozenset(contexts.split()), lambda: picture
    )


SHOWN = [("boat", "water")] * 6 + [("boat", "")] * 2 + [("", "water")] * 2 + [("cow", "grass")] * 10
SAMPLES = [sample(number, *shown) for number, shown in enumerate(SHOWN)]
DATASET = Dataset(
    "shore",
    ("boat", "cow", "dog"),
    ("water", "grass"),
    {"train": SAMPLES, "val": SAMPLES[5:9]},
    object="boat",
    context="water",
)


def test_counts_and_lift():
    found = together(SAMPLES, "boat", "water")
    assert (found.both, found.object_only, found.context_only, found.neither) == (6, 2, 2, 10)
    assert found.lift == pytest.approx((6 / 20) / ((8 / 20) * (8 / 20)))
    assert found.to_dict()["lift"] == found.lift


def test_what_never_occurs_has_no_lift():
    found = together(SAMPLES, "dog", "water")
    assert math.isnan(found.lift)
    assert found.to_dict()["lift"] is None
    assert together(SAMPLES, "boat", "grass").lift == 0


def test_pairs_by_lift():
    pairs = [(pair.object, pair.context) for pair in every_pair(DATASET)]
    assert pairs[:2] == [("cow", "grass"), ("boat", "water")]
    assert set(pairs[-2:]) == {("dog", "water"), ("dog", "grass")}
    assert len(pairs) == 6


def test_another_object_may_be_the_context():
    assert together(SAMPLES, "boat", "cow").both == 0
    assert together(SAMPLES, "boat", "cow").context_only == 10


def test_groups_and_what_they_are_good_for():
    needed = images_for_a_group()
    assert group_sizes(DATASET, "boat", "water") == [
        GroupSize("boat-without-water", "val", 2, needed),
        GroupSize("water-without-boat", "val", 1, needed),
    ]
    verdicts = {n: GroupSize("c", "val", n, needed).verdict for n in (0, 1, needed - 1, needed)}
    assert list(verdicts.values()) == ["empty", "small", "small", "enough"]
    with pytest.raises(DataError, match="did you mean 'boat'"):
        group_sizes(DATASET, "baot", "water")


def test_the_number_needed_has_the_power():
    """By the binomial distribution: two-sided, 5%, .75 against .5."""
    n = images_for_a_group()
    counts = np.arange(n + 1)
    p_values = [stats.binomtest(int(k), n, 0.5).pvalue for k in counts]
    power = stats.binom.pmf(counts, n, 0.75)[np.array(p_values) <= 0.05].sum()
    assert power >= 0.8
    assert 20 < n < 60
