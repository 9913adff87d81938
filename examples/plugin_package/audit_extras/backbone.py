"""A backbone: a network in two parts, split at its attention layer."""

from torch import nn

from biasaudit.plugins import BACKBONES, Backbone, Classifier, PooledLinear


def tinynet(classes: int) -> Classifier:
    """Return an untrained network: two convolutions, 16×16 maps at 64 px, a pooled linear head.

    Args:
        classes: Number of scores.
    """
    body = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
    )
    return Classifier(body, PooledLinear(16, classes))


BACKBONES.add(
    "tinynet",
    Backbone(
        tinynet,
        "two convolutions, trained from nothing",
        weights="none",
        image_size=64,
        epochs=4,
        learning_rate=1e-3,
        batch_size=32,
    ),
)
