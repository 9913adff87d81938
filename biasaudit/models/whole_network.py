"""Any classification network as a classifier under audit, its attention layer found by a probe."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from biasaudit.errors import ConfigError, named_field
from biasaudit.models.attention_layer import attention_layer, grid_at
from biasaudit.models.capture import CapturedLayer
from biasaudit.models.classifier import Classifier, Output, against_the_rest, full_precision


class WholeNetwork(Classifier):
    """A network that stays in one piece; its attention layer is watched from outside.

    Scores are log-odds of single classes: where the network was trained by softmax, of a class
    against all others together.

    Args:
        network: Normalised images (N, 3, S, S) to logits (N, C); it is held in evaluation mode.
        layer: Dotted name of the attention layer, or of None the one that
            :func:`attention_layer` finds.
        size: Side S of the images in px, for the probe.
        softmax: Whether the logits belong to exclusive classes.
        probabilities: Whether the network gives probabilities in place of logits: their
            log-odds are the scores, so that nothing is squashed twice.
        mean: Per-channel mean that normalises the images.
        std: Per-channel standard deviation.

    Raises:
        ConfigError: No such layer, or one whose output is no map.
    """

    def __init__(
        self,
        network: nn.Module,
        layer: str | None,
        size: int,
        *,
        softmax: bool = False,
        probabilities: bool = False,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__(network.requires_grad_(False), nn.Identity(), mean, std)
        self.eval()
        self.softmax = softmax
        self.probabilities = probabilities
        self.layer = layer if layer is not None else attention_layer(network, size)
        self.grid = grid_at(network, self.layer, size)
        with torch.no_grad():
            self._check(self(torch.zeros(1, 3, size, size)).features)

    def forward(self, images: Tensor) -> Output:
        """Return scores and attention-layer features of (N, 3, S, S) images in [0, 1]."""
        with CapturedLayer(self.body, self.layer, self.grid) as captured:
            logits = self.body((images - self.mean) / self.std)
        return Output(self._scores(logits), captured.output)

    def _scores(self, answers: Tensor) -> Tensor:
        """Return the log-odds of each class, from what the network gives."""
        if not self.probabilities:
            return against_the_rest(answers) if self.softmax else answers
        least = torch.finfo(torch.float32).tiny
        logs = full_precision(answers).clamp(least, 1.0).log()
        if self.softmax:
            return against_the_rest(logs)
        return logs - (1.0 - full_precision(answers)).clamp_min(least).log()

    def _check(self, features: Tensor) -> None:
        if features.ndim != 4 or min(features.shape[2:]) < 2:
            raise ConfigError(
                f"{named_field('layer', self.layer)}: gives {tuple(features.shape)}, "
                "no map (N, K, H, W) and no tokens that lie in a square",
                "name a layer before the pooling",
            )
