"""HarbourNet: a small convolutional network for the embedded scenes."""

from __future__ import annotations

from torch import nn

from biasaudit.models.classifier import Classifier, PooledLinear

CHANNELS = (24, 48, 96)


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Return 3×3 convolution, batch norm, ReLU and 2×2 max pooling: (H, W) to (H/2, W/2)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


def harbournet(classes: int) -> Classifier:
    """Return three convolution blocks, average pooling and one linear layer.

    64 px images give 8×8 maps of 96 channels; 53 thousand parameters.

    Args:
        classes: Number of scores.
    """
    inputs = (3, *CHANNELS[:-1])
    body = nn.Sequential(*(block(i, o) for i, o in zip(inputs, CHANNELS, strict=True)))
    return Classifier(body, PooledLinear(CHANNELS[-1], classes), (0.5,) * 3, (0.25,) * 3)
