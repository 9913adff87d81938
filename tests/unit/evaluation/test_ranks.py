"""The order of pixels, held against torch's own stable sort."""

import pytest
import torch

from biasaudit.evaluation.localization import pixel_average_precision
from biasaudit.evaluation.ranks import ordered_bits, places, sorted_rows


def values(dtype):
    """Many ties, both zeros, the smallest and the largest floats."""
    drawn = torch.rand(5, 300, generator=torch.Generator().manual_seed(0)).round(decimals=2)
    drawn = drawn.to(dtype)
    info = torch.finfo(dtype)
    drawn[0, :4] = torch.tensor([-0.0, info.tiny, info.max, float("inf")], dtype=dtype)
    return drawn


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("descending", [False, True])
def test_places_are_those_of_a_stable_sort(dtype, descending):
    drawn = values(dtype)
    expected = drawn.argsort(dim=1, descending=descending, stable=True)
    assert torch.equal(places(drawn, descending=descending), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_have_the_order_of_the_values(dtype):
    drawn = values(dtype)
    order = sorted_rows(ordered_bits(drawn)).view(dtype)
    assert torch.equal(order, drawn.sort(dim=1).values)
    assert ordered_bits(torch.tensor([[-0.0]], dtype=dtype)).item() == 0


def test_rows_are_sorted_alike_on_other_devices(monkeypatch):
    keys = torch.randint(0, 50, (3, 40), generator=torch.Generator().manual_seed(1))

    class Elsewhere(torch.Tensor):
        device = torch.device("meta")

    found = sorted_rows(keys.as_subclass(Elsewhere)).as_subclass(torch.Tensor)
    assert torch.equal(found, sorted_rows(keys))


def test_average_precision_of_many_ties_is_scikit_learns():
    from sklearn.metrics import average_precision_score

    maps = torch.rand(4, 20, 20, generator=torch.Generator().manual_seed(2)).round(decimals=1)
    regions = torch.rand(4, 20, 20, generator=torch.Generator().manual_seed(3)) < 0.3
    found = pixel_average_precision(maps, regions)
    for value, scores, inside in zip(found, maps, regions, strict=True):
        known = average_precision_score(inside.flatten().numpy(), scores.flatten().numpy())
        assert float(value) == pytest.approx(known, abs=1e-6)
