"""Residual fine-grained attention (RFGA), made for weakly supervised object localization.

Three views of the features, a value for every element of them, and a residual. What its
publication leaves open is an option here: whether the convolutions of the two views of place mix
channels.
"""

from __future__ import annotations

from torch import Tensor, nn

_KERNEL = 3


class FineGrainedAttention(nn.Module):
    """x·(1 + a), where a holds a value in (0, 3) for every channel, row and column.

    Views: the mean over rows and columns (a value a channel), over columns (a value a channel and
    row), over rows (a value a channel and column). Each passes a convolution of kernel 3 without
    bias, batch norm and a sigmoid: over neighbouring channels for the first view, over
    neighbouring rows or columns for the others. a is their sum, spread to C×H×W.

    Args:
        channels: C.
        mixing: Whether the convolutions over rows and columns mix channels; else each channel has
            one of its own.
    """

    def __init__(self, channels: int, *, mixing: bool = False) -> None:
        super().__init__()
        groups = 1 if mixing else channels
        self.channel = _view(1, 1)
        self.row = _view(channels, groups)
        self.column = _view(channels, groups)

    def forward(self, features: Tensor) -> Tensor:
        """Return calibrated (N, C, H, W) features."""
        return features * (1.0 + self.attention(features))

    def attention(self, features: Tensor) -> Tensor:
        """Return a, (N, C, H, W), in (0, 3)."""
        every: Tensor = self.channel(features.mean(dim=(2, 3))[:, None])[:, 0, :, None, None]
        row = self.row(features.mean(dim=3))[..., None]
        column = self.column(features.mean(dim=2))[:, :, None]
        return every + row + column


def _view(channels: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels, channels, _KERNEL, padding=1, groups=groups, bias=False),
        nn.BatchNorm1d(channels),
        nn.Sigmoid(),
    )
