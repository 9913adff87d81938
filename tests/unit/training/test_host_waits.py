"""How often a training step makes the host wait for the device.

Tensors of torch's ``meta`` device have shapes and no numbers: whoever reads one, or lets its
numbers decide a shape, fails. So a step that runs there waits nowhere but in ``FiniteChecks.read``.
"""

from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from biasaudit.config import load_settings
from biasaudit.data.loading.batches import Batch, Item, collate
from biasaudit.guidance.finite import FiniteChecks
from biasaudit.guidance.modes import MODES, active_terms
from biasaudit.models.backbones import BACKBONES
from biasaudit.training.frozen import FrozenOutputs
from biasaudit.training.guided import GuidedModel
from biasaudit.training.unread import read_losses

CLASSES, SIZE = 4, 32
DEVICE = torch.device("meta")


def batches():
    """Six images, one of them without a class and one with three, and two labelled ones."""
    present = [[0], [1], [], [2], [0, 1, 3], [3]]

    def item(number, classes, regions):
        labels = torch.tensor([float(c in classes) for c in range(CLASSES)])
        region = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        region[4:12, 8:20] = True
        image = torch.full((3, SIZE, SIZE), 40 * number, dtype=torch.uint8)
        return Item(number, image, labels, dict.fromkeys(regions, region))

    return (
        collate([item(number, classes, ()) for number, classes in enumerate(present)]),
        collate([item(0, [0, 1], (0, 1)), item(1, [2], (2,))]),
    )


class Copies(TorchDispatchMode):
    """Refuses what would wait on a GPU and does not fail on ``meta``: copies, if not on the side.

    An index that lies on the CPU is copied to the device, and the host waits for that.
    """

    sent = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        if func is torch.ops.aten._to_copy.default:
            to = kwargs.get("device")
            if to is not None and to.type == "meta" and args[0].device.type == "cpu":
                assert kwargs.get("non_blocking"), "a copy to the device that the host waits for"
                self.sent += 1
        elif func is torch.ops.aten.copy_.default:
            assert args[0].device == args[1].device, "a copy into a tensor of the device"
        elif any(one.device.type == "meta" for one in tensors):
            # a scalar of the CPU goes with the call
            stray = [one for one in tensors if one.device.type == "cpu" and one.ndim]
            assert not stray, f"{func}: the device is given a tensor of the CPU"
        return func(*args, **kwargs)


def waits_of(monkeypatch, mode, backbone="harbournet", *, alive=True, **changes):
    """Return how often the host waits in one step, forward, backward and with the optimiser."""
    waits = []

    def read(self, values):
        waits.append(len(values))
        self._noted.clear()
        return [float(alive)] * len(values)

    monkeypatch.setattr(FiniteChecks, "read", read)
    # autocast does not know the device; nothing here runs in lower precision
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    settings = load_settings(None, [f"training.mode={mode}"])
    terms = active_terms(settings)
    with DEVICE:
        classifier = BACKBONES[backbone].build(CLASSES)
    for name, value in changes.items():
        setattr(classifier, name, value)
    model = GuidedModel(classifier, terms).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batch, labelled = batches()
    with Copies() as copies:
        losses = model(batch.to(DEVICE), labelled.to(DEVICE), 100.0)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
    assert set(losses) == {"total", *(active.name for active in terms)}
    assert copies.sent >= 14, "a batch is seven tensors"
    assert all(p.grad is not None for p in classifier.parameters())
    return waits


@pytest.mark.parametrize("mode", [mode for mode in MODES if "mining" not in MODES[mode].terms])
def test_a_step_without_mining_waits_for_nothing(monkeypatch, mode):
    assert waits_of(monkeypatch, mode) == []


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("mode", ["gain", "gain_ext"])
def test_mining_waits_once_for_the_maps_that_are_not_all_zero(monkeypatch, mode, alive):
    """Seven classes in six images, and how many maps all processes have."""
    assert waits_of(monkeypatch, mode, alive=alive) == [8]


@pytest.mark.parametrize("mode", ["gain_ext", "counterfactual"])
def test_a_head_whose_maps_need_a_backward_pass_waits_no_more(monkeypatch, mode):
    waits = waits_of(monkeypatch, mode, "vgg16")
    assert len(waits) == (mode == "gain_ext")


def test_one_class_an_image_waits_no_more(monkeypatch):
    assert waits_of(monkeypatch, "baseline", softmax=True) == []


def test_the_losses_and_what_must_be_finite_are_one_read(monkeypatch):
    read = []
    tolist = torch.Tensor.tolist

    def counting(self):
        read.append(len(self))
        return tolist(self)

    terms = active_terms(load_settings(None, ["training.mode=gain_ext"]))
    model = GuidedModel(BACKBONES["harbournet"].build(CLASSES), terms).train()
    batch, labelled = batches()
    losses = model(batch, labelled, 100.0)
    monkeypatch.setattr(torch.Tensor, "tolist", counting)
    told = read_losses(losses, model.checks)
    # four losses; the map of L_e, and the losses of L_am and L_e, came after mining had read
    assert read == [4 + 3]
    assert told == {name: loss.item() for name, loss in losses.items()}


def test_what_a_batch_knows_on_the_host_goes_with_it():
    batch, labelled = batches()
    moved = labelled.to(DEVICE)
    assert isinstance(moved, Batch)
    assert moved.region_classes.device == DEVICE
    assert moved.host.region_classes.tolist() == [0, 1, 2]
    assert moved.to(DEVICE).host.region_rows.tolist() == [0, 0, 1]
    assert batch.host.labels is batch.labels


def test_what_frozen_layers_made_is_found_without_reading_the_batch():
    batch, _ = batches()
    kept = torch.arange(2 * 6 * 4.0).reshape(2, 6, 2, 2, 1)
    started = FrozenOutputs(kept).of(batch.to(DEVICE))
    assert started.device == DEVICE
    assert started.shape == (6, 1, 2, 2)
