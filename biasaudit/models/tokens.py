"""Tokens as maps: the grid that the patches of a transformer lie in."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

MOST_EXTRA = 8
"""Tokens beside the patches at most: class, distillation and register tokens, which come first."""


@dataclass(frozen=True)
class Grid:
    """How a layer's output is laid out, and the map in it.

    Attributes:
        height: Rows of the map.
        width: Columns.
        extra: Tokens before those of the patches; None where the output is (N, H, W, K).
    """

    height: int
    width: int
    extra: int | None

    def to_map(self, output: Tensor) -> Tensor:
        """Return (N, K, H, W) of an output (N, extra + H·W, K) or (N, H, W, K)."""
        if self.extra is None:
            return output.permute(0, 3, 1, 2)
        patches = output[:, self.extra :].transpose(1, 2)
        return patches.unflatten(2, (self.height, self.width))

    def to_output(self, features: Tensor, output: Tensor) -> Tensor:
        """Return the layer's output with these features in place of its map.

        Args:
            features: (N, K, H, W).
            output: The output as it was; the tokens before the patches are taken from it.
        """
        if self.extra is None:
            return features.permute(0, 2, 3, 1)
        patches = features.flatten(2).transpose(1, 2)
        return torch.cat([output[:, : self.extra], patches], dim=1)


def grid_of(output: object, patches: tuple[int, int] | None = None) -> Grid | None:
    """Return the grid that an output's tokens lie in; None where it holds no tokens of patches.

    Args:
        output: What a layer gives for one image or several.
        patches: (H, W) of the network's patch embedding, where it is known: then tokens that are as
            many lie as it does. Without it, or where the network has merged them since, tokens
            are taken to lie in a square.
    """
    if not isinstance(output, Tensor):
        return None
    if output.ndim == 4 and output.shape[1] == output.shape[2] > 1:
        square = output.shape[2] == output.shape[3]  # (N, K, H, W) with as many channels as columns
        return None if square else Grid(output.shape[1], output.shape[2], None)
    if output.ndim != 3:
        return None
    tokens = output.shape[1]
    if patches is not None and 0 <= tokens - patches[0] * patches[1] <= MOST_EXTRA:
        return Grid(*patches, tokens - patches[0] * patches[1])
    side = isqrt(tokens)
    extra = tokens - side * side
    return Grid(side, side, extra) if side > 1 and extra <= MOST_EXTRA else None
