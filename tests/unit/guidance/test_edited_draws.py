"""How far pasted objects are scaled and moved: the spread of many draws."""

import math

import pytest
import torch
from torch import nn

from biasaudit.data.loading.batches import Batch
from biasaudit.guidance.edited import EditedOptions, edited_images
from biasaudit.guidance.step import Step

SIZE, COUNT = 32, 300


def pasted(size=8, **options):
    """Area in px and middle (right, down) in px of white squares pasted on black, each (COUNT,)."""
    start = (SIZE - size) // 2
    square = torch.zeros(SIZE, SIZE)
    square[start : start + size, start : start + size] = 1.0
    labelled = Batch(
        images=torch.ones(1, 3, SIZE, SIZE),
        labels=torch.ones(1, 1),
        regions=square.expand(COUNT, SIZE, SIZE),
        region_rows=torch.zeros(COUNT, dtype=torch.long),
        region_classes=torch.zeros(COUNT, dtype=torch.long),
        indices=torch.zeros(1, dtype=torch.long),
        mirrored=torch.zeros(1, dtype=torch.bool),
    )
    none = torch.zeros(0, dtype=torch.long)
    ground = Batch(
        images=torch.zeros(1, 3, SIZE, SIZE),
        labels=torch.zeros(1, 1),
        regions=torch.zeros(0, SIZE, SIZE),
        region_rows=none,
        region_classes=none,
        indices=torch.zeros(1, dtype=torch.long),
        mirrored=torch.zeros(1, dtype=torch.bool),
    )
    step = Step(nn.Identity(), ground, labelled, torch.Generator().manual_seed(0))
    still = {"scale": 1.0, "shift": 0.0, "least_area": 0.0, **options}
    seen = edited_images(step, EditedOptions(**still)).images[:COUNT, 0].double()
    area = seen.sum(dim=(1, 2))
    axis = torch.arange(SIZE).double() + 0.5 - SIZE / 2
    right = (seen.sum(dim=1) * axis).sum(dim=1) / area
    down = (seen.sum(dim=2) * axis).sum(dim=1) / area
    return area, torch.stack([right, down])


def test_without_scale_and_shift_an_object_stays_as_it_is():
    area, middle = pasted()
    assert area.tolist() == pytest.approx([64.0] * COUNT, rel=1e-4)
    assert float(middle.abs().max()) < 1e-4


def test_objects_are_scaled_between_the_inverse_and_the_factor_alike_often():
    area, middle = pasted(scale=2.0)
    # a factor f of size is f² of area; log2 f is uniform on (-1, 1)
    factors = (area / 64).log2() / 2
    assert -1.05 < float(factors.min()) < -0.95
    assert 0.95 < float(factors.max()) < 1.05
    assert abs(float(factors.mean())) < 4 / math.sqrt(3 * COUNT)
    assert float(factors.std()) == pytest.approx(1 / math.sqrt(3), rel=0.1)
    assert float(middle.abs().max()) < 1e-3


def test_objects_are_moved_to_all_four_sides_as_far_as_the_shift():
    area, middle = pasted(shift=0.25)
    assert area.tolist() == pytest.approx([64.0] * COUNT, rel=1e-3)
    reach = 0.25 * SIZE
    for way in middle:
        assert -reach - 1e-3 < float(way.min()) < -0.95 * reach
        assert 0.95 * reach < float(way.max()) < reach + 1e-3
        assert abs(float(way.mean())) < 4 * reach / math.sqrt(3 * COUNT)
    assert abs(float(torch.corrcoef(middle)[0, 1])) < 4 / math.sqrt(COUNT)


def test_the_least_area_is_a_share_of_the_picture():
    small, _ = pasted(size=4, least_area=0.25)
    assert small.tolist() == pytest.approx([SIZE**2 / 4] * COUNT, rel=0.05)
    large, _ = pasted(size=20, least_area=0.25)
    assert large.tolist() == pytest.approx([400.0] * COUNT, rel=1e-3)
