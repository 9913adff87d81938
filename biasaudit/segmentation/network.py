"""A backbone as a segmentation network: last strides turned into dilation, a convolutional head.

Sources: Chen et al., *Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected
CRFs*, ICLR 2015 (dilation, DeepLab-LargeFOV); Kolesnikov and Lampert, ECCV 2016.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from biasaudit.models.backbones import build_classifier
from biasaudit.models.classifier import Classifier


@dataclass(frozen=True)
class Recipe:
    """What suits one backbone; every number is a default that a user may set.

    Attributes:
        image_size: Side of the square input in px.
        stride: Input pixels a pixel of the maps.
        hidden: Channels between the two layers of the head.
        dilation: Of the head's first layer: how far it sees.
        iterations: Steps.
        batch_size: Images a step.
        learning_rate: Of SGD; the last layer learns ten times as fast.
        deeplab: Whether the network is DeepLab-LargeFOV of VGG-16: pools of 3×3, the head's
            layers begin as fc6 and fc7.
    """

    image_size: int
    stride: int
    hidden: int
    dilation: int
    iterations: int
    batch_size: int
    learning_rate: float
    deeplab: bool = False


USUAL = Recipe(224, 16, 256, 6, 2000, 15, 1e-3)
RECIPES = {
    "harbournet": Recipe(64, 4, 96, 2, 1200, 15, 1e-2),
    "mobilenet_v2": Recipe(224, 16, 256, 4, 1200, 15, 5e-3),
    "vgg16": Recipe(321, 8, 1024, 12, 8000, 15, 1e-3, deeplab=True),
}
"""Of the paper: vgg16. Backbones without one take :data:`USUAL`."""


def recipe_of(backbone: str) -> Recipe:
    """Return what suits a backbone, by its registered name."""
    return RECIPES.get(backbone, USUAL)


def build_network(
    backbone: str, classes: int, weights: str, frozen: int, batch_norm: str, recipe: Recipe
) -> Classifier:
    """Build a segmentation network with its starting weights.

    The caller seeds torch: what the head draws is drawn here.

    Args:
        backbone: A registered name.
        classes: C, background not included.
        weights: As of :func:`biasaudit.models.backbones.build_classifier`.
        frozen: How many first layers of the body stay as they are.
        batch_norm: ``frozen`` holds the statistics of every batch norm.
        recipe: Its stride and head.

    Returns:
        A network whose scores are (N, 1 + C, h, w) logits of images (N, 3, S, S) in [0, 1].

    Raises:
        ConfigError: Unknown backbone, or weights that do not exist or do not fit.
    """
    start = build_classifier(backbone, classes, weights, frozen, batch_norm)
    if recipe.deeplab:
        _widen_pools(start.body)
    set_stride(start.body, recipe.stride)
    with torch.no_grad():
        side = recipe.image_size
        channels = start.eval()(torch.zeros(1, 3, side, side)).features.shape[1]
    head = _head(channels, 1 + classes, recipe)
    if recipe.deeplab:
        _take_fully_connected(head, start.head)
    start.head = head
    start.to(memory_format=torch.channels_last)
    return start


def _head(channels: int, outputs: int, recipe: Recipe) -> nn.Sequential:
    """Return a dilated 3×3 convolution and a classifier of pixels; DeepLab has one more between."""
    far = recipe.dilation
    layers: list[nn.Module] = [
        nn.Conv2d(channels, recipe.hidden, 3, padding=far, dilation=far),
        nn.ReLU(),
        nn.Dropout(0.5),
    ]
    if recipe.deeplab:
        pools: list[nn.Module] = [nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1)]
        fc7 = [nn.Conv2d(recipe.hidden, recipe.hidden, 1), nn.ReLU(), nn.Dropout(0.5)]
        layers = pools + layers + fc7
    last = nn.Conv2d(recipe.hidden, outputs, 1)
    nn.init.normal_(last.weight, std=0.01)
    return nn.Sequential(*layers, last)


def last_layer(network: Classifier) -> nn.Module:
    """Return the layer that gives the logits."""
    return list(network.head.children())[-1]


def set_stride(body: nn.Module, stride: int) -> None:
    """Turn the strides of a network into dilation where its output would become too coarse.

    Convolutions and pools are taken in the order in which they are registered. The first ones keep
    their strides up to ``stride``; those after lose theirs, and whatever follows sees as far by
    dilation as it did. Projections beside a residual branch (``downsample``) follow the branch.

    Args:
        body: Changed in place.
        stride: Input pixels a pixel of the output, a power of two.
    """
    reached = rate = 1
    for name, layer in body.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            continue
        own = _first(layer.stride)
        if isinstance(layer, nn.Conv2d) and _first(layer.kernel_size) > 1 and rate > 1:
            _dilate(layer, rate)
        if own == 1:
            continue
        if "downsample" in name:
            if rate > 1:
                _stay(layer)
        elif reached * own <= stride:
            reached *= own
        else:
            rate *= own
            _stay(layer)


def _first(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]


def _dilate(layer: nn.Conv2d, rate: int) -> None:
    reach = rate * (layer.kernel_size[0] // 2)
    layer.dilation, layer.padding = (rate, rate), (reach, reach)


def _stay(layer: nn.Conv2d | nn.MaxPool2d) -> None:
    """Take a layer's stride away; a pool of 2×2 becomes one of 3×3, which keeps the size."""
    if isinstance(layer, nn.MaxPool2d):
        layer.kernel_size, layer.stride, layer.padding = 3, 1, 1
    else:
        layer.stride = (1, 1)


def _widen_pools(body: nn.Module) -> None:
    """Give VGG-16 DeepLab's pools of 3×3: 321 px then give 41×41 maps."""
    for layer in body.modules():
        if isinstance(layer, nn.MaxPool2d):
            layer.kernel_size, layer.padding = 3, 1


def _take_fully_connected(head: nn.Sequential, classifier: nn.Module) -> None:
    """Begin fc6 and fc7 with every fourth unit, and every third pixel, of VGG-16's own."""
    own = [layer for layer in head if isinstance(layer, nn.Conv2d)]
    full = [layer for layer in classifier.modules() if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        fc6 = full[0].weight.view(full[0].out_features, -1, 7, 7)
        every = full[0].out_features // own[0].out_channels
        own[0].weight.copy_(fc6[::every, :, ::3, ::3])
        own[1].weight.copy_(full[1].weight[::every, ::every, None, None])
        for layer, source in zip(own[:2], full[:2], strict=True):
            if layer.bias is not None:
                layer.bias.copy_(source.bias[::every])
