"""RFGA against the same written out in NumPy, and behind each backbone."""

import numpy as np
import pytest
import torch

import biasaudit as ba
from biasaudit.attention.cam import attention
from biasaudit.attention.classifier import classifier_attention
from biasaudit.errors import ConfigError, RunError
from biasaudit.models.attention_modules import ATTENTION_MODULES, PLACE, add_attention_module
from biasaudit.models.backbones import BACKBONES, build_classifier
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.models.rfga import FineGrainedAttention


def drawn(mixing, channels=4):
    """Return a module in evaluation mode whose statistics are drawn too."""
    torch.manual_seed(1)
    module = FineGrainedAttention(channels, mixing=mixing).double()
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            layer.weight.data.normal_()
            layer.bias.data.normal_()
    return module.eval()


def view(values, layers):
    """One view in NumPy: (N, G, L) values, kernel 3, batch norm, sigmoid."""
    convolution, norm, _ = layers
    kernel = convolution.weight.detach().numpy()
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1)))
    found = np.zeros_like(values)
    own = kernel.shape[1] == 1
    for channel in range(values.shape[1]):
        for place in range(values.shape[2]):
            seen = padded[:, :, place : place + 3]
            seen = seen[:, channel : channel + 1] if own else seen
            found[:, channel, place] = (seen * kernel[channel]).sum(axis=(1, 2))
    mean, variance, scale, shift = (
        part.detach().numpy()[None, :, None]
        for part in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    normed = (found - mean) / np.sqrt(variance + norm.eps) * scale + shift
    return 1 / (1 + np.exp(-normed))


@pytest.mark.parametrize("mixing", [False, True])
def test_against_numpy(mixing):
    module = drawn(mixing)
    features = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    x = features.numpy()
    channel = view(x.mean(axis=(2, 3))[:, None], module.channel)[:, 0]
    row = view(x.mean(axis=3), module.row)
    column = view(x.mean(axis=2), module.column)
    a = channel[:, :, None, None] + row[:, :, :, None] + column[:, :, None, :]
    np.testing.assert_allclose(module(features).detach().numpy(), x * (1 + a), rtol=1e-10)


def test_every_element_has_a_value_of_its_own():
    found = drawn(False).attention(torch.randn(1, 4, 5, 6, dtype=torch.float64))
    assert len(found.unique()) == found.numel()
    assert found.min() > 0
    assert found.max() < 3


def test_gradients_are_those_of_finite_differences():
    features = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(drawn(False, 2), features)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_behind_each_backbone(name):
    torch.manual_seed(0)
    model = build_classifier(name, 3, "none", 0, attention_module="rfga").eval()
    before = BACKBONES[name].build(3)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        shape = model(images).features.shape
        assert shape == before.eval()(images).features.shape
    assert [n for n, _ in model.body.named_children()][-1] == PLACE
    own = set(model.state_dict()) - set(before.state_dict())
    assert own
    assert all(key.startswith(f"body.{PLACE}.") for key in own)


def test_maps_of_the_closed_form_are_those_of_back_propagation():
    torch.manual_seed(0)
    model = build_classifier("harbournet", 3, "none", 0, attention_module="rfga").eval()
    output = model(torch.rand(2, 3, 64, 64))
    classes = torch.tensor([0, 2])
    expected = attention(output.features, output.scores, classes)
    torch.testing.assert_close(classifier_attention(model, output, classes), expected)


def test_the_module_trains_where_the_stages_are_frozen():
    model = build_classifier("harbournet", 3, "scenes", 1, attention_module="rfga").train()
    module = getattr(model.body, PLACE)
    assert module.training
    assert all(p.requires_grad for p in module.parameters())


def test_a_run_keeps_its_module(tmp_path):
    data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    run = ba.train(data, epochs=1, attention_module="rfga", out=tmp_path / "run")
    assert run.mode == "baseline-rfga"
    again = ba.load_run(run.path)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(again.load_model()(images), run.load_model()(images))
    audited = ba.audit(again, data).run
    assert (audited.mode, audited.settings["model"]["attention_module"]) == (
        "baseline-rfga",
        "rfga",
    )
    plain = ba.train(data, epochs=1)
    assert plain.mode == "baseline"
    assert not any(PLACE in key for key in plain.load_model().state_dict())


def test_a_name_that_does_not_exist(tmp_path):
    data = ba.load_dataset("harbour", options={"train": 8, "val": 4, "group": 2})
    with pytest.raises(ConfigError, match="unknown attention module 'rgfa'") as error:
        ba.train(data, attention_module="rgfa", out=tmp_path / "run")
    assert "did you mean 'rfga'" in error.value.hint
    assert not (tmp_path / "run").exists()
    run = ba.train(data, epochs=1, attention_module="rfga", out=tmp_path / "run")
    config = run.path / "config.json"
    config.write_text(config.read_text().replace('"rfga"', '"rgfa"'))
    with pytest.raises(RunError, match="unknown attention module"):
        ba.load_run(run.path)


def test_a_body_that_is_no_sequence():
    class Odd(torch.nn.Module):
        def forward(self, images):
            return images

    with pytest.raises(ConfigError, match="no plain sequence"):
        add_attention_module(Classifier(Odd(), PooledLinear(3, 2)), "rfga")


def test_the_table():
    assert list(ATTENTION_MODULES) == ["rfga", "rfga_mixing"]
