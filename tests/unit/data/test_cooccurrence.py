"""Counts, lift and groups by hand."""

import math
from dataclasses import replace

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
    assert (found.both, found.object_only, found.context_only, found.neither) == (6, 0, 2, 10)
    assert found.unknown == 2
    assert found.lift == pytest.approx((6 / 18) / ((6 / 18) * (8 / 18)))
    assert found.to_dict()["lift"] == found.lift


def test_images_that_nobody_annotated_are_not_without_the_context():
    bare = [sample(n, "boat", "") for n in range(300)]
    found = together([*SAMPLES, *bare], "boat", "water")
    assert (found.object_only, found.unknown) == (0, 302)
    no = replace(bare[0], annotated=frozenset({"water"}))
    assert together([no], "boat", "water").object_only == 1


def test_what_never_occurs_has_no_lift():
    found = together(SAMPLES, "dog", "water")
    assert math.isnan(found.lift)
    assert found.to_dict()["lift"] is None
    assert together(SAMPLES, "boat", "grass").lift == 0


def test_pairs_by_lift():
    pairs = [(pair.object, pair.context) for pair in every_pair(DATASET)]
    assert set(pairs[:2]) == {("cow", "grass"), ("boat", "water")}
    assert set(pairs[-2:]) == {("dog", "water"), ("dog", "grass")}
    assert len(pairs) == 6


def test_another_object_may_be_the_context():
    found = together(SAMPLES, "boat", "cow", DATASET.classes)
    assert (found.both, found.context_only, found.unknown) == (0, 10, 0)


def test_groups_and_what_they_are_good_for():
    needed = images_for_a_group()
    assert group_sizes(DATASET, "boat", "water") == [
        GroupSize("boat-without-water", "conflicting", "val", 0, needed),
        GroupSize("water-without-boat", "conflicting", "val", 1, needed),
        GroupSize("boat-with-water", "aligned", "val", 1, needed),
        GroupSize("neither", "aligned", "val", 0, needed),
    ]
    verdicts = {
        n: GroupSize("c", "aligned", "val", n, needed).verdict for n in (0, 1, needed - 1, needed)
    }
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
