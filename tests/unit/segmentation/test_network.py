"""Dilation against the strided network itself, and DeepLab's shapes."""

import pytest
import torch
import torchvision

from biasaudit.models.backbones import BACKBONES
from biasaudit.segmentation.network import RECIPES, build_network, last_layer, recipe_of, set_stride


@pytest.mark.parametrize(
    ("name", "stride"), [("mobilenet_v2", 16), ("mobilenet_v2", 8), ("resnet18", 8)]
)
def test_a_dilated_network_gives_the_strided_one_between_its_pixels(name, stride):
    torch.manual_seed(0)
    body = BACKBONES[name].build(3).body.eval().double()
    image = torch.randn(1, 3, 96, 96, dtype=torch.float64)
    with torch.no_grad():
        strided = body(image)
        set_stride(body, stride)
        dilated = body(image)
    step = 32 // stride
    assert dilated.shape[2:] == (96 // stride, 96 // stride)
    torch.testing.assert_close(dilated[..., ::step, ::step], strided, atol=1e-9, rtol=1e-9)


def test_resnet_50_as_torchvision_dilates_it():
    torch.manual_seed(0)
    body = BACKBONES["resnet50"].build(3).body.eval()
    theirs = torchvision.models.resnet50(replace_stride_with_dilation=[False, True, True]).eval()
    own = {key.removeprefix("body."): value for key, value in body.state_dict().items()}
    theirs.load_state_dict(own, strict=False)
    set_stride(body, 8)
    body, theirs = body.double(), theirs.double()
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    found = {}
    theirs.layer4.register_forward_hook(lambda *given: found.update(out=given[2]))
    with torch.no_grad():
        theirs(image)
        torch.testing.assert_close(body(image), found["out"], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["harbournet", "mobilenet_v2", "resnet18"])
def test_maps_have_the_stride_of_the_recipe(name):
    recipe = recipe_of(name)
    network = build_network(name, 4, "none", 0, "train", recipe).eval()
    side = recipe.image_size
    with torch.no_grad():
        scores = network(torch.zeros(1, 3, side, side)).scores
    assert scores.shape == (1, 5, side // recipe.stride, side // recipe.stride)
    assert last_layer(network).out_channels == 5


@pytest.mark.slow
def test_vgg_16_is_deeplab_large_fov():
    torch.manual_seed(0)
    network = build_network("vgg16", 20, "none", 0, "train", RECIPES["vgg16"]).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 321, 321)).scores.shape == (1, 21, 41, 41)
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    fc6, fc7, last = convolutions[-3:]
    assert (fc6.dilation, fc6.kernel_size, fc6.out_channels) == ((12, 12), (3, 3), 1024)
    assert (fc7.kernel_size, last.out_channels) == ((1, 1), 21)
    assert {layer.dilation for layer in convolutions[10:13]} == {(2, 2)}


@pytest.mark.slow
def test_fc6_begins_with_vgg_16s_own(monkeypatch, tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    theirs = torchvision.models.vgg16(weights=None).state_dict()
    save_file(theirs, tmp_path / "vgg16.safetensors")
    weights = str(tmp_path / "vgg16.safetensors")
    network = build_network("vgg16", 2, weights, 0, "train", RECIPES["vgg16"])
    fc6 = next(layer for layer in network.head if isinstance(layer, torch.nn.Conv2d))
    full = theirs["classifier.0.weight"].view(4096, 512, 7, 7)
    assert fc6.weight[5, 7, 2, 1] == full[20, 7, 6, 3]
    assert fc6.bias[5] == theirs["classifier.0.bias"][20]
