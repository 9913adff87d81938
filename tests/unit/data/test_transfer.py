"""How tensors go to a device: what a GPU would be asked for, noted without one."""

import pytest
import torch

from biasaudit.data.loading.batches import Item, collate
from biasaudit.data.loading.transfer import sent


@pytest.fixture
def asked(monkeypatch):
    """What tensors are asked for, in its order; nothing is moved."""
    calls = []

    def pinned(self):
        calls.append("pinned")
        return self.clone()

    def moved(self, device, non_blocking):
        calls.append((device.type, non_blocking))
        return self

    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(torch.Tensor, "to", moved)
    return calls


def test_a_copy_to_cuda_goes_by_pinned_memory_and_is_not_waited_for(asked):
    sent(torch.ones(2), "cuda")
    assert asked == ["pinned", ("cuda", True)]


def test_a_copy_to_mps_is_waited_for(asked):
    sent(torch.ones(2), torch.device("mps"))
    assert asked == [("mps", False)]


def test_nothing_is_copied_on_the_cpu():
    values = torch.ones(2)
    assert sent(values, "cpu") is values


def test_a_pinned_batch_is_the_batch_and_knows_what_it_knew(asked):
    region = torch.ones(4, 4, dtype=torch.bool)
    image = torch.zeros(3, 4, 4, dtype=torch.uint8)
    batch = collate([Item(7, image, torch.tensor([0.0, 1.0]), {1: region}, mirrored=True)])
    found = batch.pin_memory()
    assert asked == ["pinned"] * 7
    assert found.images is not batch.images
    assert torch.equal(found.regions, batch.regions)
    assert found.indices.tolist() == [7]
    assert found.host.labels is batch.labels
