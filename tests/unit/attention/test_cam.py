"""Attention against closed forms, finite differences and captum."""

import pytest
import torch
from torch import nn
from torchvision import models as zoo

from biasaudit.attention.cam import METHODS, attention, pooled_linear_attention
from biasaudit.errors import ConfigError
from biasaudit.models.backbones import BACKBONES
from biasaudit.models.capture import CapturedLayer
from biasaudit.models.classifier import PooledLinear


def test_hand_computed_map():
    # two channels, 1×2 positions; s = mean(f_0)·3 + mean(f_1)·(-1), so w = (3/2, -1/2)
    features = torch.tensor([[[[2.0, 0.0]], [[2.0, 4.0]]]], dtype=torch.float64, requires_grad=True)
    scores = (features.mean(dim=(2, 3)) * torch.tensor([3.0, -1.0])).sum(dim=1, keepdim=True)
    maps = attention(features, scores, torch.tensor([0]))
    # 1.5·2 - .5·2 = 2 and 1.5·0 - .5·4 = -2
    assert maps.tolist() == [[[2.0, 0.0]]]
    signed = attention(features, scores, torch.tensor([0]), signed=True)
    assert signed.tolist() == [[[2.0, -2.0]]]


def test_hires_and_layer_cam_by_hand():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[[[2.0, -1.0]], [[-1.0, 3.0]]]], dtype=torch.float64)
    scores = (features * weights).sum(dim=(1, 2, 3))[:, None]
    # element-wise products: (2, -2) and (-3, 3)
    hires = attention(features, scores, torch.tensor([0]), method="hires_cam", signed=True)
    layer = attention(features, scores, torch.tensor([0]), method="layer_cam", signed=True)
    assert hires.tolist() == [[[-1.0, 1.0]]]
    assert layer.tolist() == [[[2.0, 3.0]]]


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_closed_form_equals_back_propagation(second_order, signed):
    torch.manual_seed(0)
    head = PooledLinear(5, 3).double()
    features = torch.randn(4, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    rows, classes = torch.tensor([0, 0, 2, 3, 0]), torch.tensor([1, 2, 0, 1, 0])
    settings = {"second_order": second_order, "signed": signed}
    by_gradient = attention(features, head(features), classes, rows, **settings)
    closed = pooled_linear_attention(features, head.linear.weight, classes, rows, **settings)
    torch.testing.assert_close(by_gradient, closed, rtol=0, atol=1e-14)
    wanted = (features, head.linear.weight) if second_order else (features,)
    for one, other in zip(
        torch.autograd.grad(by_gradient.square().sum(), wanted),
        torch.autograd.grad(closed.square().sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13)


def test_first_order_maps_give_the_weights_no_gradient():
    head = PooledLinear(5, 3).double()
    features = torch.randn(2, 5, 3, 3, dtype=torch.float64, requires_grad=True)
    maps = attention(features, head(features), torch.tensor([0, 1]))
    (gradient,) = torch.autograd.grad(maps.sum(), head.linear.weight, allow_unused=True)
    assert gradient is None


def test_several_classes_of_one_image_equal_one_at_a_time():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    features = torch.randn(3, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    rows, classes = torch.tensor([2, 0, 2, 1, 2]), torch.tensor([3, 1, 0, 2, 1])
    together = attention(features, net(features), classes, rows)
    for place, (row, c) in enumerate(zip(rows, classes, strict=True)):
        one = features[row : row + 1].detach().requires_grad_()
        alone = attention(one, net(one), c[None])
        torch.testing.assert_close(together[place], alone[0])


def test_no_pair_gives_no_map():
    features = torch.randn(2, 3, 4, 5, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    assert attention(features, features.mean(dim=(2, 3)), none, none).shape == (0, 4, 5)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("second_order", [False, True])
def test_gradients_by_finite_differences(method, second_order):
    """With second order on, the derivative of the maps is the true one; off, w is a constant."""
    torch.manual_seed(2)
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 2)).double()
    features = torch.rand(2, 2, 2, 2, dtype=torch.float64) + 0.5
    fixed = None
    if not second_order:
        start = features.clone().requires_grad_()
        fixed = torch.autograd.grad(net(start)[:, 1].sum(), start)[0]

    def maps(f):
        if fixed is not None:
            return METHODS[method](f, fixed)
        return attention(
            f, net(f), torch.tensor([1, 1]), method=method, second_order=True, signed=True
        )

    leaf = features.clone().requires_grad_()
    ours = attention(
        leaf, net(leaf), torch.tensor([1, 1]), method=method, second_order=second_order, signed=True
    )
    (gradient,) = torch.autograd.grad(ours.square().sum(), leaf)
    step = 1e-6
    for index in torch.cartesian_prod(*(torch.arange(2),) * 4):
        shift = torch.zeros_like(features)
        shift[tuple(index)] = step
        with torch.enable_grad():
            high = maps((features + shift).requires_grad_()).square().sum()
            low = maps((features - shift).requires_grad_()).square().sum()
        difference = float((high - low).detach()) / (2 * step)
        assert gradient[tuple(index)].item() == pytest.approx(difference, rel=1e-6, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer4"),
        ("vgg16", "features.29"),
        ("mobilenet_v2", "features"),
        ("densenet121", "features.denseblock4"),
    ],
)
def test_grad_cam_equals_captum(name, layer):
    from captum.attr import LayerGradCam

    torch.manual_seed(3)
    network = zoo.get_model(name, weights=None, num_classes=4).eval()
    for module in network.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False
    images = torch.rand(2, 3, 64, 64)
    classes = torch.tensor([1, 3])
    with CapturedLayer(network, layer) as captured:
        scores = network(images)
        ours = attention(captured.output, scores, classes)
    captum = LayerGradCam(network, network.get_submodule(layer))
    theirs = captum.attribute(images, target=classes, relu_attributions=True)[:, 0]
    scale = theirs.abs().max()
    assert scale > 0
    assert float(((ours - theirs).abs().max() / scale).detach()) < 1e-5


@pytest.mark.parametrize("name", list(BACKBONES))
def test_every_backbone_has_a_map(name):
    model = BACKBONES[name].build(3).eval()
    images = torch.rand(1, 3, 64, 64)
    output = model(images)
    assert output.scores.shape == (1, 3)
    maps = attention(output.features, output.scores, torch.tensor([2]))
    assert maps.shape == (1, *output.features.shape[2:])


def test_hook_is_given_back_when_the_body_raises():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())

    def fail():
        with CapturedLayer(network, "0") as layer:
            network(torch.rand(1, 3, 2, 2))
            assert layer.output.shape == (1, 4, 2, 2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not network[0]._forward_hooks


def test_unknown_layer_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'layer4'"):
        CapturedLayer(zoo.resnet18(weights=None), "layr4")


def test_unknown_method_is_refused():
    features = torch.rand(1, 2, 2, 2, requires_grad=True)
    with pytest.raises(ConfigError, match="grad_cam"):
        attention(features, features.mean(dim=(2, 3)), torch.tensor([0]), method="gradcam")
