"""L_cl: the image-level loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions, term
from biasaudit.models.classifier import full_precision


class ClassificationOptions(TermOptions):
    """How L_cl stands against terms that look at one class at a time.

    Attributes:
        over_classes: ``sum`` gives every class a loss of weight one, as L_am and L_e have it;
            ``mean`` is torch's and divides by the number of classes: L_am and L_e then weigh C
            times as much, win, and the class collapses to "never present".
    """

    over_classes: Literal["sum", "mean"] = "sum"


@term("classification", ClassificationOptions)
def classification(step: Step, options: ClassificationOptions) -> Tensor:
    """Multi-label soft margin of the scores, averaged over the images (L_cl)."""
    scores = full_precision(step.output.scores)
    loss = functional.multilabel_soft_margin_loss(scores, step.batch.labels)
    return loss * scores.shape[1] if options.over_classes == "sum" else loss
