"""Eq. 3 and 4 by hand."""

import math

import pytest
import torch

from biasaudit.attention.mask import erase, scale_maps, soft_mask, upsample_maps


def test_each_map_is_scaled_by_its_own_maximum():
    maps = torch.tensor([[[0.0, 2.0]], [[1.0, 10.0]], [[0.0, 0.0]]], dtype=torch.float64)
    assert scale_maps(maps).tolist() == [[[0.0, 1.0]], [[0.1, 1.0]], [[0.0, 0.0]]]
    assert scale_maps(maps, "minmax").tolist() == [[[0.0, 1.0]], [[0.0, 1.0]], [[0.0, 0.0]]]
    assert scale_maps(maps, "none") is maps
    with pytest.raises(ValueError, match="scaling"):
        scale_maps(maps, "batch")


def test_gradient_flows_through_the_maximum():
    maps = torch.tensor([[[1.0, 4.0]]], dtype=torch.float64, requires_grad=True)
    scale_maps(maps)[0, 0, 0].backward()
    # d(a/m)/da = 1/m, d(a/m)/dm = -a/m²
    assert maps.grad.tolist() == [[[0.25, -1 / 16]]]


def test_all_zero_map_has_no_nan_gradient():
    maps = torch.zeros(1, 2, 2, requires_grad=True)
    scale_maps(maps).sum().backward()
    assert torch.isfinite(maps.grad).all()


def test_soft_mask_by_hand():
    values = soft_mask(torch.tensor([0.0, 0.5, 0.8], dtype=torch.float64), 0.5, 10.0)
    expected = [1 / (1 + math.exp(5)), 0.5, 1 / (1 + math.exp(-3))]
    assert values.tolist() == pytest.approx(expected, abs=1e-15)


def test_erase_is_equation_3_and_fills():
    images = torch.full((1, 3, 1, 2), 0.8, dtype=torch.float64)
    mask = torch.tensor([[[0.25, 1.0]]], dtype=torch.float64)
    assert erase(images, mask)[0, 0].flatten().tolist() == pytest.approx([0.6, 0.0])
    fill = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64).view(1, 3, 1, 1)
    assert erase(images, mask, fill)[0, :, 0, 1].tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert erase(images, mask, fill)[0, 0, 0, 0].item() == pytest.approx(0.7)


def test_filling_with_the_mean_is_equation_3_on_normalised_images():
    torch.manual_seed(0)
    images, mask = torch.rand(2, 3, 4, 4), torch.rand(2, 4, 4)
    mean, std = torch.rand(1, 3, 1, 1), torch.rand(1, 3, 1, 1) + 0.1
    ours = (erase(images, mask, mean) - mean) / std
    torch.testing.assert_close(ours, erase((images - mean) / std, mask))


def test_upsampling_is_not_corner_aligned():
    maps = torch.tensor([[[0.0, 1.0]]], dtype=torch.float64)
    # pixel centres of the four columns lie at -1/4, 1/4, 3/4, 5/4 of the two
    assert upsample_maps(maps, (1, 4)).tolist() == [[[0.0, 0.25, 0.75, 1.0]]]
