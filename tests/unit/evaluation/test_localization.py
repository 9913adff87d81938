"""Overlap metrics on 4x4 maps worked out by hand, and against scikit-learn and numpy loops."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, jaccard_score

from biasaudit.evaluation.localization import (
    CURVE_FRACTIONS,
    LOCALIZATION_METRICS,
    area_fraction,
    attention_on,
    energy_pointing_game,
    iou_at,
    iou_curve,
    pixel_average_precision,
    pointing_game,
)

MAP = torch.tensor(
    [[[0.0, 0, 0, 0], [0, 4, 2, 0], [0, 2, 1, 0], [0, 0, 0, 1]]], dtype=torch.float64
)
REGION = torch.tensor([[[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]]).bool()
"""3 of 16 pixels, which hold 4 + 2 + 1 of the map's 10."""

RNG = np.random.default_rng(5)
MAPS = torch.from_numpy(np.round(RNG.random((12, 9, 7)), 1))
REGIONS = torch.from_numpy(RNG.random((12, 9, 7)) < 0.3)


def test_shares_of_energy_by_hand():
    assert energy_pointing_game(MAP, REGION).item() == pytest.approx(0.7)
    assert attention_on(MAP, ~REGION).item() == pytest.approx(0.3)
    assert area_fraction(REGION).item() == 3 / 16


def test_iou_by_hand():
    # Above 20% of 4: the pixels of 4, 2, 2, 1, 1; three of them are the region.
    assert iou_at(MAP, REGION).item() == pytest.approx(3 / 5)
    # From half the maximum: 4, 2, 2; two of them inside, the region has a third.
    assert iou_at(MAP, REGION, 0.5).item() == pytest.approx(2 / 4)
    assert iou_at(MAP, REGION, 1.0).item() == pytest.approx(1 / 3)


def test_the_iou_curve_starts_at_the_area_fraction():
    curve = iou_curve(MAP, REGION)
    assert curve.shape == (1, len(CURVE_FRACTIONS))
    assert curve[0, 0].item() == 3 / 16
    assert curve[0, 4].item() == iou_at(MAP, REGION, 0.2).item()
    assert curve[0, -1].item() == pytest.approx(1 / 3)


def test_pointing_game_by_hand():
    assert pointing_game(MAP, REGION).item() == 1.0
    assert pointing_game(MAP, ~REGION).item() == 0.0
    # A uniform map has its maximum everywhere.
    assert pointing_game(torch.ones(1, 4, 4), REGION).item() == pytest.approx(3 / 16)


def test_average_precision_by_hand():
    # Thresholds: 4 (1 of 1 found), 2 (2 of 3), 1 (3 of 5): steps of 1/3 in recall.
    assert pixel_average_precision(MAP, REGION).item() == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_average_precision_is_scikit_learns():
    ours = pixel_average_precision(MAPS, REGIONS)
    for value, amap, region in zip(ours, MAPS, REGIONS, strict=True):
        oracle = average_precision_score(region.ravel().numpy(), amap.ravel().numpy())
        assert value.item() == pytest.approx(oracle, abs=1e-12)


def test_iou_is_scikit_learns_jaccard_score():
    ours = iou_at(MAPS, REGIONS, 0.5)
    for value, amap, region in zip(ours, MAPS, REGIONS, strict=True):
        above = (amap >= 0.5 * amap.max()).ravel().numpy()
        assert value.item() == pytest.approx(jaccard_score(region.ravel().numpy(), above))


def test_energy_and_pointing_are_those_of_a_numpy_loop():
    energy, pointing = energy_pointing_game(MAPS, REGIONS), pointing_game(MAPS, REGIONS)
    for i, (amap, region) in enumerate(zip(MAPS.numpy(), REGIONS.numpy(), strict=True)):
        assert energy[i].item() == pytest.approx(np.average(region, weights=amap))
        at_peak = [region[p] for p in np.ndindex(amap.shape) if amap[p] == amap.max()]
        assert pointing[i].item() == pytest.approx(np.mean(at_peak))


@pytest.mark.parametrize("name", list(LOCALIZATION_METRICS))
def test_what_cannot_be_measured_is_nan_and_spares_its_neighbours(name):
    maps = torch.cat([MAP, MAP, torch.zeros_like(MAP), MAP])
    regions = torch.cat([REGION, torch.zeros_like(REGION), REGION, REGION])
    maps[3, 0, 0] = torch.nan
    values = LOCALIZATION_METRICS[name](maps, regions)
    assert values[0] == LOCALIZATION_METRICS[name](MAP, REGION)[0]
    assert torch.isnan(values[1:]).all()


def test_area_fraction_of_an_empty_region_is_nan():
    assert torch.isnan(area_fraction(torch.zeros(2, 3, 3, dtype=torch.bool))).all()


def test_half_precision_is_added_up_in_single():
    maps = torch.ones(1, 200, 200, dtype=torch.float16)
    regions = torch.zeros(1, 200, 200, dtype=torch.bool)
    regions[:, :50] = True
    assert energy_pointing_game(maps, regions).item() == 0.25


def test_no_images_give_no_values():
    none = torch.zeros(0, 4, 4)
    for name in LOCALIZATION_METRICS:
        assert LOCALIZATION_METRICS[name](none, none.bool()).shape == (0,)


@pytest.mark.parametrize(
    ("maps", "regions", "word"),
    [
        (torch.ones(1, 4, 4), torch.ones(1, 4, 5).bool(), "alike"),
        (torch.ones(4, 4), torch.ones(4, 4).bool(), "alike"),
        (torch.ones(1, 4, 4), torch.ones(1, 4, 4), "bool"),
        (torch.ones(1, 4, 4).int(), torch.ones(1, 4, 4).bool(), "float"),
        (-torch.ones(1, 4, 4), torch.ones(1, 4, 4).bool(), "negative"),
        (torch.ones(1, 0, 4), torch.ones(1, 0, 4).bool(), "pixels"),
    ],
)
def test_what_does_not_fit_is_refused(maps, regions, word):
    with pytest.raises(ValueError, match=word):
        energy_pointing_game(maps, regions)


def test_a_threshold_is_a_fraction():
    with pytest.raises(ValueError, match="fraction"):
        iou_at(MAP, REGION, 20.0)


def test_area_fraction_refuses_what_is_no_region():
    with pytest.raises(ValueError, match="bool"):
        area_fraction(torch.ones(1, 4, 4))
