"""Networks without a convolution at the end: the layer whose patches bear on the score."""

import pytest
import torch
import torchvision.models
from torch import nn

from biasaudit.attention.classifier import classifier_attention
from biasaudit.errors import ConfigError
from biasaudit.models.tokens import Grid, grid_of
from biasaudit.models.whole_network import WholeNetwork, attention_layer

NO_CHANGE = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class Block(nn.Module):
    """One head of attention and a layer of neurons, each behind a norm, as in a ViT."""

    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mlp = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens):
        query, key, value = self.qkv(self.norm1(tokens)).chunk(3, dim=-1)
        weight = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(dim=-1)
        tokens = tokens + weight @ value
        return tokens + self.mlp(self.norm2(tokens)).relu()


class Patches(nn.Module):
    """A small vision transformer: 4x4 patches of 8 px, a class token or an average at the end."""

    def __init__(self, extra=1, classes=3, width=12):
        super().__init__()
        self.embed = nn.Conv2d(3, width, 8, stride=8)
        self.extra = extra
        self.first = nn.Parameter(torch.randn(1, max(extra, 1), width))
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, images):
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        if self.extra:
            first = self.first.expand(len(tokens), -1, -1)
            tokens = torch.cat([first, tokens], dim=1)
        tokens = self.norm(self.blocks(tokens))
        return self.head(tokens[:, 0] if self.extra else tokens.mean(dim=1))


@pytest.mark.parametrize(
    ("shape", "patches", "grid"),
    [
        ((2, 197, 8), (14, 14), Grid(14, 14, 1)),
        ((2, 196, 8), None, Grid(14, 14, 0)),
        ((2, 261, 8), None, Grid(16, 16, 5)),
        ((1, 13, 8), (3, 4), Grid(3, 4, 1)),
        ((2, 7, 7, 96), None, Grid(7, 7, None)),
        ((2, 96, 7, 7), None, None),
        ((2, 64, 64, 64), None, None),
        ((2, 1, 8), None, None),
        ((2, 8), None, None),
    ],
)
def test_how_tokens_lie(shape, patches, grid):
    assert grid_of(torch.zeros(shape), patches) == grid


@pytest.mark.parametrize("grid", [Grid(2, 3, 1), Grid(2, 3, 0), Grid(2, 3, None)])
def test_a_map_and_its_tokens_are_the_same(grid):
    shape = (2, 2, 3, 4) if grid.extra is None else (2, grid.extra + 6, 4)
    output = torch.randn(shape)
    features = grid.to_map(output)
    assert features.shape == (2, 4, 2, 3)
    assert torch.equal(grid.to_output(features, output), output)
    row = output[:, 1, 2] if grid.extra is None else output[:, grid.extra + 5]
    assert torch.equal(features[:, :, 1, 2], row)  # the sixth patch is the second row's third


@pytest.mark.parametrize(
    ("extra", "layer"), [(1, "blocks.1.norm1"), (2, "blocks.1.norm1"), (0, "norm")]
)
def test_the_layer_whose_patches_bear_on_the_score(extra, layer):
    torch.manual_seed(0)
    network = Patches(extra).eval()
    assert attention_layer(network, 32) == layer
    assert not any(module._forward_hooks for module in network.modules())


def with_a_trained_head(network):
    """Give the last layer weights: some networks begin with zeros there."""
    torch.manual_seed(0)
    heads = [m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == 2]
    assert heads
    for head in heads:
        nn.init.normal_(head.weight)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer", "side"),
    [
        ("vit_b_16", "encoder.layers.encoder_layer_11.ln_1", 14),
        ("swin_t", "norm", 7),
        ("convnext_tiny", "features", 7),
        ("maxvit_t", "blocks.3", 7),
    ],
)
def test_layers_of_torchvision(name, layer, side):
    network = with_a_trained_head(torchvision.models.get_model(name, num_classes=2))
    whole = WholeNetwork(network, None, 224, **NO_CHANGE)
    assert whole.layer == layer
    assert whole(torch.zeros(1, 3, 224, 224)).features.shape[2:] == (side, side)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer", "side"),
    [
        ("vit_tiny_patch16_224", "blocks.11.norm1", 14),
        ("deit_tiny_distilled_patch16_224", "blocks.11.norm1", 14),
        ("swin_tiny_patch4_window7_224", "norm", 7),
        ("mixer_s32_224", "norm", 7),
    ],
)
def test_layers_of_timm(name, layer, side):
    timm = pytest.importorskip("timm")
    network = with_a_trained_head(timm.create_model(name, pretrained=False, num_classes=2))
    whole = WholeNetwork(network, None, 224, **NO_CHANGE)
    assert whole.layer == layer
    assert whole(torch.zeros(1, 3, 224, 224)).features.shape[2:] == (side, side)


@pytest.mark.parametrize("extra", [0, 1])
def test_scores_and_maps_are_those_of_the_network_itself(extra):
    """The maps are Grad-CAM of the layer's own tokens, worked out without the wrapping."""
    torch.manual_seed(0)
    network, images = Patches(extra).eval(), torch.rand(3, 3, 32, 32)
    whole = WholeNetwork(network, None, 32, **NO_CHANGE)
    with torch.enable_grad():
        found = whole(images)
        maps = classifier_attention(whole, found, torch.tensor([0, 1, 2]))
    torch.testing.assert_close(found.scores, network(images))

    kept = []
    layer = network.get_submodule(whole.layer)

    def keep(module, inputs, output):
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    handle = layer.register_forward_hook(keep)
    scores = network(images)
    handle.remove()
    tokens = kept[0]
    (gradient,) = torch.autograd.grad(scores[[0, 1, 2], [0, 1, 2]].sum(), tokens)
    weights = gradient[:, extra:].mean(dim=1, keepdim=True)
    expected = (weights * tokens[:, extra:]).sum(dim=2).relu().reshape(3, 4, 4)
    torch.testing.assert_close(maps, expected.detach())
    assert maps.max() > 0


def test_a_network_whose_patches_bear_on_nothing_is_refused():
    class Blind(Patches):
        def forward(self, images):
            return super().forward(images) * 0 + self.head(self.first[:, 0]).expand(len(images), -1)

    with pytest.raises(ConfigError, match="those of no layer"):
        attention_layer(Blind().eval(), 32)


def test_tokens_of_a_layer_that_is_named():
    network = Patches(1).eval()
    whole = WholeNetwork(network, "blocks.0", 32, **NO_CHANGE)
    assert whole.grid == Grid(4, 4, 1)
    with pytest.raises(ConfigError, match="no tokens that lie in a square"):
        WholeNetwork(network, "head", 32, **NO_CHANGE)
