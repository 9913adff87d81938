"""L_cl: the image-level loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions, term
from biasaudit.models.classifier import full_precision
from biasaudit.models.shared_norm import mean_of_all


class ClassificationOptions(TermOptions):
    """How L_cl stands against terms that look at one class at a time.

    Attributes:
        over_classes: Of the soft margin, where each class is answered for itself. ``sum`` gives
            every class a loss of weight one, as L_am and L_e have it; ``mean`` is torch's and
            divides by the number of classes: L_am and L_e then weigh C times as much, win, and
            the class collapses to "never present".
    """

    over_classes: Literal["sum", "mean"] = "sum"


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of the classes that images have, in nats.

    Args:
        scores: (N, C) log-odds of each class against all others; their sigmoid is the softmax.
        labels: (N, C) 1 for the class of each image.

    Returns:
        A scalar: the mean over all ones in ``labels``; NaN where there are none.
    """
    return functional.softplus(-scores[labels > 0.5]).mean()


@term("classification", ClassificationOptions)
def classification(step: Step, options: ClassificationOptions) -> Tensor:
    """Soft margin of each class, or cross-entropy where one is chosen; mean over images (L_cl)."""
    scores, labels = full_precision(step.output.scores), step.batch.labels
    if step.model.softmax:
        rows, classes = step.true_pairs
        chosen = scores[step.sent(rows), step.sent(classes)]
        return mean_of_all(functional.softplus(-chosen).sum(), len(chosen))
    each = functional.multilabel_soft_margin_loss(scores, labels, reduction="none")
    loss = mean_of_all(each.sum(), len(each))
    return loss * scores.shape[1] if options.over_classes == "sum" else loss
