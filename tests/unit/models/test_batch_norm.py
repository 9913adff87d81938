"""Passes that leave no trace."""

import pytest
import torch
from torch import nn

from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.harbournet import harbournet


def state(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_nothing_is_disturbed(statistics):
    model = harbournet(4).train()
    model(torch.rand(8, 3, 64, 64))
    before, modes = state(model), [m.training for m in model.modules()]
    draws = torch.random.get_rng_state()
    with untouched_batch_norm(model, statistics):
        model(torch.rand(8, 3, 64, 64, generator=torch.Generator()))
    assert torch.equal(draws, torch.random.get_rng_state())
    assert [m.training for m in model.modules()] == modes
    after = state(model)
    assert all(torch.equal(before[k], after[k]) for k in before)
    model(torch.rand(8, 3, 64, 64))
    assert not torch.equal(after["body.0.1.running_mean"], model.body[0][1].running_mean)


def test_flags_are_given_back_when_the_body_raises():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3)).train()
    model[1].eval()
    with pytest.raises(ZeroDivisionError), untouched_batch_norm(model, "batch"):
        raise ZeroDivisionError
    assert [layer.training for layer in model] == [True, False]
    assert all(layer.track_running_stats for layer in model)


def test_statistics_are_what_the_pass_is_normalised_by():
    layer = nn.BatchNorm2d(1).train()
    values = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    with untouched_batch_norm(layer, "running"):
        assert layer(values).flatten().tolist() == pytest.approx([1.0, 3.0], rel=1e-4)
    with untouched_batch_norm(layer, "batch"):
        assert layer(values).flatten().tolist() == pytest.approx([-1.0, 1.0], rel=1e-4)
    with pytest.raises(ValueError, match="statistics"), untouched_batch_norm(layer, "none"):
        pass
