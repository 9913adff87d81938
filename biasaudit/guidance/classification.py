"""L_cl: the image-level loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions, term
from biasaudit.models.classifier import full_precision


class ClassificationOptions(TermOptions):
    """None beyond those of every term."""


@term("classification", ClassificationOptions)
def classification(step: Step, options: ClassificationOptions) -> Tensor:
    """Multi-label soft margin of the scores, averaged over classes and images (L_cl)."""
    return functional.multilabel_soft_margin_loss(
        full_precision(step.output.scores), step.batch.labels
    )
