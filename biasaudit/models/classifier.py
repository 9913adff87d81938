"""The one shape every backbone takes: features at the attention layer, then a head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


LayerPass = Callable[[Sequence[nn.Module], Tensor], Tensor]
"""Runs layers one after the other: layers and the first one's input to the last one's output."""


class Output(NamedTuple):
    """Scores (N, C), log-odds of each class, and features (N, K, H, W) of the attention layer."""

    scores: Tensor
    features: Tensor


class PooledLinear(nn.Module):
    """Global average pooling and one linear layer: (N, K, H, W) features to (N, C) scores.

    With this head Grad-CAM's channel weights have the closed form w_k = W_ck / (H·W).

    Args:
        channels: K.
        classes: C.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return the (N, C) scores of (N, K, H, W) features."""
        scores: Tensor = self.linear(features.mean(dim=(2, 3)))
        return scores


class Classifier(nn.Module):
    """A network in two parts, split at the attention layer.

    Images come as RGB in [0, 1]; the normalisation belongs to the network, so that masking,
    erasing and showing images all happen in the same space.

    Args:
        body: Normalised images (N, 3, S, S) to features (N, K, H, W).
        head: Features to raw scores (N, C).
        mean: Per-channel mean that normalises the images.
        std: Per-channel standard deviation.

    Attributes:
        softmax: Whether the head's logits belong to exclusive classes, of which the one with the
            highest score is chosen. Scores are then log-odds of a class against all others
            together (their sigmoid is the softmax probability); Grad-CAM of a pooled linear head
            stays that of the logit.
        layer_pass: How the body's layers are run where a gradient is taken in training; plainly
            where None.
    """

    softmax: bool = False
    layer_pass: LayerPass | None = None

    def __init__(
        self,
        body: nn.Module,
        head: nn.Module,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

        self._frozen: list[nn.Module] = []
        self._frozen_layers = 0
        # channels last: convolutions run 1.3 to 1.7 times as fast on a CPU, and on tensor cores
        self.to(memory_format=torch.channels_last)

    mean: Tensor
    std: Tensor

    def forward(self, images: Tensor) -> Output:
        """Return scores and attention-layer features of (N, 3, S, S) images in [0, 1]."""
        normalised = self._normalised(images)
        if self._otherwise:
            return self.answer(self._through(self._layers, normalised))
        return self.answer(self.body(normalised))

    @property
    def starts_frozen(self) -> bool:
        """Whether :meth:`start` runs any layer, so that what it gives is worth keeping."""
        return self._frozen_layers > 0 and isinstance(self.body, nn.Sequential)

    def start(self, images: Tensor) -> Tensor:
        """Return what the frozen first layers make of (N, 3, S, S) images in [0, 1].

        Of a network without any, or whose body is no plain sequence: the normalised images.
        """
        started = self._normalised(images)
        for layer in self._split()[0]:
            started = layer(started)
        return started

    def finish(self, started: Tensor) -> Output:
        """Return scores and features of what :meth:`start` gave."""
        features = started.contiguous(memory_format=torch.channels_last)
        return self.answer(self._through(self._split()[1], features))

    @contextmanager
    def plainly(self) -> Iterator[None]:
        """Run the body's layers plainly while the body of a ``with`` statement runs."""
        before, self.layer_pass = self.layer_pass, None
        try:
            yield
        finally:
            self.layer_pass = before

    @property
    def _otherwise(self) -> bool:
        return self.layer_pass is not None and self.training and torch.is_grad_enabled()

    def _through(self, layers: Sequence[nn.Module], maps: Tensor) -> Tensor:
        run = self.layer_pass if self._otherwise else None
        return (run or one_by_one)(layers, maps)

    def _normalised(self, images: Tensor) -> Tensor:
        normalised = (images - self.mean) / self.std
        return normalised.contiguous(memory_format=torch.channels_last)

    def answer(self, features: Tensor) -> Output:
        """Return what the head makes of (N, K, H, W) features, beside the features."""
        logits = self.head(features)
        scores = against_the_rest(full_precision(logits)) if self.softmax else logits
        return Output(scores, features)

    def _split(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """The body's layers up to the last frozen one, and those after it."""
        if not isinstance(self.body, nn.Sequential):
            return [], [self.body]
        return self._layers[: self._frozen_layers], self._layers[self._frozen_layers :]

    @property
    def _layers(self) -> list[nn.Module]:
        return list(self.body) if isinstance(self.body, nn.Sequential) else [self.body]

    @property
    def linear_weight(self) -> Tensor | None:
        """The (C, K) weight of a pooled linear head, None where the head is another."""
        return self.head.linear.weight if isinstance(self.head, PooledLinear) else None

    def freeze(self, layers: int, batch_norm: bool = False) -> None:
        """Hold parts of the network as the pre-training left them.

        Args:
            layers: The first so many children of the body, batch norm included.
            batch_norm: Also the statistics of every other batch norm (their scale and shift
                still train): training and evaluation then compute the same function.
        """
        self._frozen_layers = layers
        self._frozen = list(self.body.children())[:layers]
        for layer in self._frozen:
            layer.requires_grad_(False)
        if batch_norm:
            self._frozen += [m for m in self.modules() if isinstance(m, nn.BatchNorm2d)]
        self.train(self.training)

    def train(self, mode: bool = True) -> Classifier:
        """Set training mode; frozen layers stay in evaluation mode."""
        super().train(mode)
        for layer in self._frozen:
            layer.eval()
        return self


def one_by_one(layers: Sequence[nn.Module], maps: Tensor) -> Tensor:
    """Run layers one after the other."""
    for layer in layers:
        maps = layer(maps)
    return maps


def full_precision(values: Tensor) -> Tensor:
    """Return half-precision values as float32, and others as they are: losses need the range."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def against_the_rest(logits: Tensor) -> Tensor:
    """Return the log-odds of each class against all others together, from softmax logits.

    Args:
        logits: (N, C), C at least 2.

    Returns:
        (N, C); above 0 where the class has more than half of the probability. The others of the
        highest class are summed by themselves, so that a saturated softmax loses no digits; any
        other class has at most half, and its others are the whole less itself.
    """
    places = torch.arange(logits.shape[1], device=logits.device)
    highest = places == logits.argmax(dim=1, keepdim=True)
    beside = logits.masked_fill(highest, -torch.inf)
    whole = logits.logsumexp(dim=1, keepdim=True)
    less = whole + torch.log1p(-(beside - whole).exp())
    return logits - torch.where(highest, beside.logsumexp(dim=1, keepdim=True), less)
