"""Layers differentiated twice: torch's own values and gradients, to rounding."""

import pytest
import torch
from torch import nn

from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.rfga import FineGrainedAttention
from biasaudit.models.twice import TwiceDifferentiable


def network(convolution):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(4, 8, 3, **convolution),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.Conv2d(8, 4, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(3),
    ).double()
    net(torch.rand(3, 4, 9, 9).double())
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return net


def gradients(net, statistics, twice):
    """A loss of the input's gradient and of the scores, differentiated for weights and images."""
    net.zero_grad()
    images = torch.rand(3, 4, 9, 9, generator=torch.Generator().manual_seed(1)).double()
    images.requires_grad_()
    with untouched_batch_norm(net, statistics), twice:
        scores = net(images)
    with twice.inputs_alone():
        (below,) = torch.autograd.grad(scores.square().sum(), images, create_graph=True)
    (below.square() * torch.arange(9)).sum().add(scores.exp().sum()).backward()
    return scores, below, images.grad, [weight.grad for weight in net.parameters()]


class Torchs(TwiceDifferentiable):
    """The oracle: torch's own layers."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("statistics", ["batch", "running"])
@pytest.mark.parametrize(
    "convolution",
    [
        {"padding": 1},
        {"padding": (1, 0), "stride": 2, "bias": False},
        {"groups": 4, "stride": (1, 2)},
        {"padding": "same", "dilation": 2, "groups": 2},
        {"padding": 2, "dilation": 2},
    ],
)
def test_gradients_of_gradients_are_torchs_own(convolution, statistics):
    net = network(convolution)
    expected = gradients(net, statistics, Torchs())
    expected = (*expected[:3], [gradient.clone() for gradient in expected[3]])
    for found, known in zip(
        gradients(net, statistics, TwiceDifferentiable()), expected, strict=True
    ):
        torch.testing.assert_close(found, known, rtol=1e-9, atol=1e-12)


def test_a_batch_norm_that_moves_its_statistics_moves_them_as_torch_does():
    images = torch.rand(3, 4, 5, 5)
    layers = [nn.BatchNorm2d(4) for _ in range(2)]
    layers[0](images)
    with TwiceDifferentiable():
        layers[1](images)
    assert torch.equal(layers[0].running_mean, layers[1].running_mean)
    assert float(layers[1].running_mean.abs().min()) > 0


def test_the_gradient_of_weights_is_left_out_while_only_inputs_are_asked_for():
    weight = torch.rand(2, 1, 3, 3, requires_grad=True)
    images = torch.rand(1, 1, 5, 5, requires_grad=True)
    twice = TwiceDifferentiable()
    with twice:
        made = nn.functional.conv2d(images, weight).sum()
    with twice.inputs_alone():
        found = torch.autograd.grad(made, (images, weight), retain_graph=True, allow_unused=True)
    assert found[0] is not None
    assert found[1] is None
    assert torch.autograd.grad(made, weight)[0] is not None


def test_under_autocast_torchs_own_layers_run():
    layer = nn.Conv2d(1, 2, 3)
    images = torch.rand(1, 1, 5, 5, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16), TwiceDifferentiable():
        made = layer(images)
    assert made.dtype == torch.bfloat16
    assert "ConvolutionBackward0" in made.grad_fn.name()


@pytest.mark.parametrize("mixing", [False, True])
def test_layers_of_rows_have_torchs_own_too(mixing):
    """RFGA normalises means over the rows and the columns of its maps."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(4, 6, 3), FineGrainedAttention(6, mixing=mixing), nn.Flatten(), nn.LazyLinear(3)
    )
    net = net.double()
    net(torch.rand(3, 4, 9, 9).double())
    expected = gradients(net, "batch", Torchs())
    expected = (*expected[:3], [gradient.clone() for gradient in expected[3]])
    found = gradients(net, "batch", TwiceDifferentiable())
    for one, known in zip(found, expected, strict=True):
        torch.testing.assert_close(one, known, rtol=1e-9, atol=1e-12)
