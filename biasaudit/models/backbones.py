"""Backbones by name, each split at its attention layer, each with the recipe that suits it.

The table is read without torch; a builder imports it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from biasaudit.errors import ConfigError
from biasaudit.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from biasaudit.models.classifier import Classifier


@dataclass(frozen=True)
class Backbone:
    """How to build, start and train one network; every number is a default that a user may set.

    Attributes:
        build: Number of classes to an untrained classifier.
        summary: One line for ``biasaudit list backbones``.
        weights: Where training starts unless the user says otherwise: ``imagenet`` or ``scenes``.
        image_size: Side of the square input, in px.
        epochs: Passes over the training set.
        learning_rate: Of AdamW.
        batch_size: Images a step.
        labels_per_step: Labelled images beside them, in modes that use any.
        frozen: How many children of the body stay as the pre-training left them.
        batch_norm: ``train`` or ``frozen``: whether batch-norm statistics move.
        rename: (from, to) prefixes that turn torchvision's state-dict names into ours.
    """

    build: Callable[[int], Classifier]
    summary: str
    weights: str
    image_size: int
    epochs: int
    learning_rate: float
    batch_size: int
    labels_per_step: int = 16
    frozen: int = 0
    batch_norm: Literal["train", "frozen"] = "train"
    rename: tuple[tuple[str, str], ...] = ()


BACKBONES: Registry[Backbone] = Registry("backbone")


def _harbournet(classes: int) -> Classifier:
    from biasaudit.models.harbournet import harbournet

    return harbournet(classes)


def _mobilenet_v2(classes: int) -> Classifier:
    import torchvision.models

    from biasaudit.models.classifier import Classifier, PooledLinear

    net = torchvision.models.mobilenet_v2(weights=None)
    return Classifier(net.features, PooledLinear(net.last_channel, classes))


def _resnet(name: str) -> Callable[[int], Classifier]:
    def build(classes: int) -> Classifier:
        import torchvision.models
        from torch import nn

        from biasaudit.models.classifier import Classifier, PooledLinear

        net = torchvision.models.get_model(name, weights=None)
        layers = OrderedDict(
            (n, layer) for n, layer in net.named_children() if n not in ("avgpool", "fc")
        )
        return Classifier(nn.Sequential(layers), PooledLinear(net.fc.in_features, classes))

    return build


def _vgg16(classes: int) -> Classifier:
    """Attention at the last convolution, 14×14 at 224 px; the fully connected head stays."""
    import torchvision.models
    from torch import nn

    from biasaudit.models.classifier import Classifier

    net = torchvision.models.vgg16(weights=None)
    classifier = net.classifier
    classifier[6] = nn.Linear(4096, classes)
    head = OrderedDict(
        pool=net.features[30], avgpool=net.avgpool, flatten=nn.Flatten(), classifier=classifier
    )
    return Classifier(_without_inplace(net.features[:30]), nn.Sequential(head))


def _without_inplace(module: nn.Sequential) -> nn.Sequential:
    from torch import nn

    for layer in module:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return module


BACKBONES.add(
    "harbournet",
    Backbone(
        _harbournet,
        "three convolution blocks, 8×8 maps at 64 px; made for the embedded scenes",
        weights="scenes",
        image_size=64,
        epochs=18,
        learning_rate=8e-3,
        batch_size=32,
        labels_per_step=8,
        frozen=1,
    ),
)
BACKBONES.add(
    "mobilenet_v2",
    Backbone(
        _mobilenet_v2,
        "MobileNetV2, 7×7 maps at 224 px; trains on a laptop",
        weights="imagenet",
        image_size=224,
        epochs=6,
        learning_rate=5e-4,
        batch_size=16,
        labels_per_step=8,
        frozen=7,
        rename=(("features.", "body."),),
    ),
)
for _name, _summary in (("resnet18", "ResNet-18"), ("resnet50", "ResNet-50")):
    BACKBONES.add(
        _name,
        Backbone(
            _resnet(_name),
            f"{_summary}, 7×7 maps at 224 px",
            weights="imagenet",
            image_size=224,
            epochs=6,
            learning_rate=2e-4,
            batch_size=32,
            frozen=5,
            rename=(("", "body."),),
        ),
    )
BACKBONES.add(
    "vgg16",
    Backbone(
        _vgg16,
        "VGG-16, 14×14 maps at 224 px; the network of the GAIN paper",
        weights="imagenet",
        image_size=224,
        epochs=6,
        learning_rate=2e-5,
        batch_size=16,
        frozen=10,
        rename=(("features.", "body."), ("classifier.", "head.classifier.")),
    ),
)


def build_classifier(
    backbone: str,
    classes: int,
    weights: str,
    frozen: int,
    batch_norm: str = "train",
    *,
    softmax: bool = False,
    attention_module: str | None = None,
) -> Classifier:
    """Build a classifier, load its starting weights, and freeze its first layers.

    The caller seeds torch: the head's initial weights are drawn here.

    Args:
        backbone: A registered name.
        classes: Number of scores.
        weights: ``imagenet`` (torchvision's download), ``scenes`` (HarbourNet's own), ``none``,
            or the path of a ``.safetensors`` or torch state-dict file.
        frozen: How many children of the body to freeze.
        batch_norm: ``frozen`` holds the statistics of every batch norm.
        softmax: Whether one of the classes is chosen; else each is answered for itself.
        attention_module: A registered module behind the last stage, None for none.

    Raises:
        ConfigError: Unknown backbone or module, or weights that do not exist or do not fit.
    """
    from biasaudit.models.attention_modules import add_attention_module
    from biasaudit.models.weights import load_start

    spec = BACKBONES[backbone]
    model = spec.build(classes)
    model.softmax = softmax
    if weights != "none":
        load_start(model, backbone, weights, spec.rename)
    if attention_module is not None:
        add_attention_module(model, attention_module)
    if not 0 <= frozen <= len(list(model.body.children())):
        raise ConfigError(
            f"model.frozen is {frozen}",
            f"{backbone} has {len(list(model.body.children()))} layers that can be frozen",
        )
    model.freeze(frozen, batch_norm == "frozen")
    return model


def check_weights(backbone: str, weights: str) -> None:
    """Refuse starting weights before anything is trained; nothing is downloaded.

    Args:
        backbone: A registered name.
        weights: As of :func:`build_classifier`.

    Raises:
        ConfigError: Unknown backbone, or weights that do not exist or do not fit.
    """
    from biasaudit.models.weights import check_imagenet, load_start

    spec = BACKBONES[backbone]
    if weights == "imagenet":
        check_imagenet(backbone, spec.rename)
    elif weights != "none":
        load_start(spec.build(1), backbone, weights, spec.rename)


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Return a detached, contiguous copy of a model's state on the CPU, ready to be written."""
    return {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
