"""What may not change an overlap: the map's scale, turning the image, the order of images."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from biasaudit.evaluation.localization import LOCALIZATION_METRICS, attention_on, iou_curve

SHAPE = (3, 5, 6)
MAPS = npst.arrays("float64", SHAPE, elements=st.integers(0, 9).map(float)).map(torch.from_numpy)
REGIONS = npst.arrays("bool", SHAPE).map(torch.from_numpy)
METRICS = {
    **{name: LOCALIZATION_METRICS[name] for name in LOCALIZATION_METRICS},
    "attention_on": attention_on,
    "iou_curve": iou_curve,
}
metrics = pytest.mark.parametrize("name", list(METRICS))


def same(a, b):
    return torch.allclose(a, b, rtol=0, atol=1e-12, equal_nan=True)


@metrics
@settings(max_examples=40)
@given(maps=MAPS, regions=REGIONS, exponent=st.integers(-60, 60))
def test_the_scale_of_attention_changes_nothing(name, maps, regions, exponent):
    # A power of two, so that rounding cannot move a pixel over a threshold.
    assert same(METRICS[name](maps, regions), METRICS[name](maps * 2.0**exponent, regions))


@metrics
@settings(max_examples=40)
@given(maps=MAPS, regions=REGIONS, turn=st.integers(1, 3), axis=st.sampled_from([1, 2]))
def test_flips_and_turns_commute(name, maps, regions, turn, axis):
    def turned(x):
        return torch.rot90(x, turn, (1, 2)).flip(axis)

    assert same(METRICS[name](maps, regions), METRICS[name](turned(maps), turned(regions)))


@metrics
@settings(max_examples=40)
@given(maps=MAPS, regions=REGIONS, order=st.permutations(range(SHAPE[0])))
def test_images_do_not_know_each_other(name, maps, regions, order):
    order = list(order)
    assert same(METRICS[name](maps, regions)[order], METRICS[name](maps[order], regions[order]))


@metrics
@settings(max_examples=40)
@given(maps=MAPS, regions=REGIONS)
def test_values_are_nan_or_in_the_unit_interval(name, maps, regions):
    values = METRICS[name](maps, regions)
    measured = (maps.amax((1, 2)) > 0) & regions.any(2).any(1)
    assert torch.equal(torch.isnan(values.reshape(len(maps), -1)).all(1), ~measured)
    kept = values[measured]
    assert bool(((kept >= 0) & (kept <= 1 + 1e-12)).all())


@settings(max_examples=40)
@given(maps=MAPS, regions=REGIONS)
def test_energy_inside_and_outside_make_one(maps, regions):
    share = METRICS["energy_pointing_game"]
    both = regions.any(2).any(1) & (~regions).any(2).any(1) & (maps.amax((1, 2)) > 0)
    total = share(maps, regions) + share(maps, ~regions)
    assert torch.allclose(total[both], torch.ones(int(both.sum()), dtype=torch.float64))
