"""Right for the right reasons: input gradients outside the region, a rival of attention."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions, term
from biasaudit.models.classifier import full_precision
from biasaudit.models.twice import TwiceDifferentiable


class InputGradientOptions(TermOptions):
    """Options of the input-gradient term.

    Attributes:
        batch_norm: What the pass of the labelled images is normalised by; it moves no statistic.
    """

    batch_norm: Literal["running", "batch"] = "batch"


@term("input_gradient", InputGradientOptions, needs_labels=True)
def input_gradient(step: Step, options: InputGradientOptions) -> Tensor:
    """Squared gradient of the class's log-probabilities at the pixels outside the region.

    The first term that Ross et al. (IJCAI 2017, Eq. 1) add to the loss, for one class with the
    two answers yes and no: ∂(log p + log(1 − p))/∂x, summed over the pixels outside the region.
    """
    batch = step.labelled_batch
    images = batch.images[batch.region_rows].detach().requires_grad_()
    twice = TwiceDifferentiable()
    # layers that are run anew cannot be differentiated twice
    with twice, step.model.plainly():
        scores = full_precision(step.untouched(images, options.batch_norm).scores)
    chosen = scores[torch.arange(len(images), device=scores.device), batch.region_classes]
    both = torch.nn.functional.logsigmoid(chosen) + torch.nn.functional.logsigmoid(-chosen)
    with twice.inputs_alone():
        (gradient,) = torch.autograd.grad(both.sum(), images, create_graph=True)
    outside = gradient * (1 - batch.regions)[:, None]
    return step.labelled_mean(outside.square().sum(dim=(1, 2, 3)))
