"""Gradient checkpointing: activations that are computed anew in the backward pass, not kept.

Chen et al., Training Deep Nets with Sublinear Memory Cost (arXiv 1604.06174).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from biasaudit.models.batch_norm import Repeated
from biasaudit.models.classifier import one_by_one


def segments(layers: Sequence[nn.Module]) -> list[list[nn.Module]]:
    """Cut layers where a convolution or a block of layers begins.

    A segment's input is what is kept. Other layers may change their input in place, as ReLU does,
    and so begin no segment, nor does a block that begins with one of them.

    Args:
        layers: One after the other.

    Returns:
        The same layers in the same order; the first segment begins with the first layer.
    """
    cut: list[list[nn.Module]] = []
    for layer in layers:
        if not cut or isinstance(_first(layer), nn.Conv2d):
            cut.append([])
        cut[-1].append(layer)
    return cut


def checkpointed(layers: Sequence[nn.Module], maps: Tensor) -> Tensor:
    """Run layers, keep what stands between their segments, and compute the rest anew when needed.

    Batch norm moves its statistics in the first pass alone, and layers that draw random numbers
    draw the same ones again. Weights' gradients are those of a plain pass to rounding.

    Args:
        layers: One after the other.
        maps: (N, K, H, W) input of the first one.
    """
    for segment in segments(layers):
        maps = checkpoint(
            one_by_one,
            segment,
            maps,
            use_reentrant=False,
            context_fn=partial(_contexts, segment),
        )
    return maps


def _contexts(
    segment: Sequence[nn.Module],
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return what the first pass and the one anew run in; batch norm is as the first finds it."""
    return nullcontext(), Repeated(segment)


def _first(layer: nn.Module) -> nn.Module:
    """Return the layer that a block begins with."""
    within: Iterator[nn.Module] = layer.children()
    begun = next(within, None)
    return layer if begun is None else _first(begun)
