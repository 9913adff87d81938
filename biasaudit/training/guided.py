"""The model and its losses as one module, so that any launcher can wrap its forward."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from biasaudit.data.loading.batches import Batch
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
    """

    def __init__(self, classifier: Classifier, terms: Sequence[ActiveTerm], seed: int = 0) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)
        self.classifier = classifier
        self.terms = tuple(terms)

    def forward(self, batch: Batch, labelled: Batch | None, progress: float) -> dict[str, Tensor]:
        """Return each term's loss and their weighted ``total``.

        A term before the end of its warm-up, or of weight zero, is not computed.

        Args:
            batch: Images with image-level labels.
            labelled: Images with regions, None where the mode needs none.
            progress: Epochs done, fractional.

        Raises:
            FloatingPointError: A term's loss, or a map that it looks at, is NaN or infinite.
        """
        step = Step(self.classifier, batch, labelled, self.generator)
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
            losses[active.name] = _finite_loss(active, step)
            total = total + active.options.weight * losses[active.name]
        return {**losses, "total": total}


def _finite_loss(active: ActiveTerm, step: Step) -> Tensor:
    try:
        loss = active.term.compute(step, active.options)
    except FloatingPointError as error:
        raise FloatingPointError(f"term '{active.name}': {error}") from None
    if not bool(loss.detach().isfinite().all()):
        raise FloatingPointError(f"the loss is {float(loss.detach()):g} (term '{active.name}')")
    return loss
