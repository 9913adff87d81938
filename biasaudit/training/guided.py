"""The model and its losses as one module, so that any launcher can wrap its forward."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from biasaudit.data.loading.batches import Batch
from biasaudit.guidance.finite import FiniteChecks
from biasaudit.guidance.modes import ActiveTerm
from biasaudit.guidance.step import Step
from biasaudit.models.classifier import Classifier


class GuidedModel(nn.Module):
    """A classifier together with the weighted terms that train it.

    Args:
        classifier: The network.
        terms: The terms of the mode.
        seed: Of what the terms draw.

    Attributes:
        generator: What the terms draw from.
        checks: What of the last step must be finite, and was not read yet.
    """

    def __init__(self, classifier: Classifier, terms: Sequence[ActiveTerm], seed: int = 0) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)
        self.classifier = classifier
        self.terms = tuple(terms)
        self.checks = FiniteChecks()

    def forward(self, batch: Batch, labelled: Batch | None, progress: float) -> dict[str, Tensor]:
        """Return each term's loss and their weighted ``total``.

        A term before the end of its warm-up, or of weight zero, is not computed.

        Args:
            batch: Images with image-level labels.
            labelled: Images with regions, None where the mode needs none.
            progress: Epochs done, fractional.

        A loss, or a map that a term looks at, may be NaN or infinite:
        :func:`biasaudit.training.unread.read_losses` says so.

        Raises:
            FloatingPointError: One is, and a term had to wait for the device.
        """
        step = Step(self.classifier, batch, labelled, self.generator)
        self.checks = step.checks
        terms = [
            active
            for active in self.terms
            if active.options.weight > 0 and progress >= active.options.warmup_epochs
        ]
        # pictures are made in full precision whatever the network runs in: what rounding leaves
        # on them would tell the edited ones from the others
        with torch.autocast(batch.images.device.type, enabled=False):
            for active in terms:
                if active.term.prepare is not None:
                    step.add(active.name, active.term.prepare(step, active.options))
        losses: dict[str, Tensor] = {}
        total = batch.images.new_zeros(())
        for active in terms:
            step.checks.begin(active.name)
            losses[active.name] = active.term.compute(step, active.options)
            step.checks.loss(losses[active.name])
            total = total + active.options.weight * losses[active.name]
        return {**losses, "total": total}
