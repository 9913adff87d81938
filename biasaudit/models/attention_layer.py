"""Which layer of a network to look at: found by passing one image and seeing what comes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from biasaudit.errors import ConfigError, named_field
from biasaudit.models.capture import CapturedLayer
from biasaudit.models.tokens import Grid, grid_of

_MOST_ZERO = 0.5
"""A layer whose gradient is zero on more of the patches than this is none to look at."""


@dataclass(frozen=True)
class _Call:
    """One call of a module.

    Attributes:
        name: Dotted name of the module.
        shape: (N, ...) of its output.
        grid: How its tokens lie, where it gives any.
        convolves: Whether it is a convolution.
        norm: Whether it is a normalisation of tokens, by its kind or its name.
        whole: Whether it is made of others.
    """

    name: str
    shape: tuple[int, ...]
    grid: Grid | None
    convolves: bool
    norm: bool
    whole: bool

    @property
    def is_map(self) -> bool:
        """Whether it has the shape of a map (N, K, H, W)."""
        return len(self.shape) == 4 and min(self.shape[2:]) > 1


def attention_layer(network: nn.Module, size: int) -> str:
    """Return the layer whose output the attention is read from.

    Of a convolutional network, the last one at the resolution of the last convolution: the end of
    the last residual block or stage, or the ReLU behind the last convolution. For torchvision's
    ResNets that is ``layer4``, for VGG-16 ``features.29``, for MobileNetV2 ``features``.

    Where normalised tokens come after that, as in a vision transformer, the last block or norm
    whose patches still bear on the score: the final norm where tokens are averaged (Swin), the
    first norm of the last block where a class token is read alone (ViT), since behind it the
    patches have no gradient. Never the patch embedding.

    Args:
        network: Images (N, 3, S, S) to logits, in evaluation mode.
        size: S in px.

    Raises:
        ConfigError: The network has no convolution that gives a map; or it goes on with tokens, and
            those of no layer bear on its scores.
    """
    calls = _calls(network, size)
    convolutions = [call for call in calls if call.convolves and call.is_map]
    if not convolutions:
        raise ConfigError(
            f"{named_field('model')}: no convolution gives a map",
            f"add {named_field('layer', 'NAME')}",
        )
    patches = convolutions[-1].shape[2:]
    last = max(i for i, one in enumerate(calls) if one.is_map and one.shape[2:] == patches)
    tokens = [one for one in calls[last + 1 :] if one.grid is not None and (one.norm or one.whole)]
    if not any(one.norm for one in tokens):
        return calls[last].name
    return _bearing(network, size, tokens)


def grid_at(network: nn.Module, layer: str, size: int) -> Grid | None:
    """Return how the tokens of a named layer lie; None where it gives a map, or no tensor.

    Args:
        network: Images (N, 3, S, S) to logits, in evaluation mode.
        layer: A dotted name; one that does not exist has no grid.
        size: S in px.
    """
    found = [one.grid for one in _calls(network, size) if one.name == layer]
    return found[-1] if found else None


def _calls(network: nn.Module, size: int) -> list[_Call]:
    """Return the calls of all modules in order, for one black image; tuples are passed over."""
    calls: list[_Call] = []
    patches: tuple[int, int] | None = None

    def note(name: str, module: nn.Module, output: object) -> None:
        nonlocal patches
        if not isinstance(output, Tensor) or len(output) != 1:
            return  # windows of an image are several
        convolves = isinstance(module, nn.Conv2d)
        if convolves and output.ndim == 4 and min(output.shape[2:]) > 1:
            patches = (output.shape[2], output.shape[3])
        kind, last = type(module).__name__.lower(), name.rpartition(".")[2].lower()
        calls.append(
            _Call(
                name,
                tuple(output.shape),
                grid_of(output, patches),
                convolves,
                "layernorm" in kind or "rmsnorm" in kind or last == "norm",
                any(True for _ in module.children()),
            )
        )

    handles = [
        module.register_forward_hook(lambda m, _, output, name=name: note(name, m, output))
        for name, module in network.named_modules()
        if name
    ]
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, size, size))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _bearing(network: nn.Module, size: int, tokens: Sequence[_Call]) -> str:
    """Return the last layer on whose patches the scores depend."""
    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    width = tokens[-1].shape[-1]
    for call in reversed(tokens):
        if call.shape[-1] != width:
            continue  # the inside of a block
        with torch.enable_grad(), CapturedLayer(network, call.name, call.grid) as captured:
            scores = network(images)
        mixed = (scores * torch.arange(1, scores.shape[1] + 1)).sum()
        (gradient,) = torch.autograd.grad(mixed, captured.output, allow_unused=True)
        if gradient is not None:
            bears = gradient.abs().amax(dim=1) > 0
            if bears.float().mean() > 1 - _MOST_ZERO:
                return call.name
    raise ConfigError(
        f"{named_field('model')}: goes on with tokens behind its last convolution, and those of no "
        "layer were found to bear on its scores",
        f"name the layer to look at: {named_field('layer', 'NAME')}",
    )
