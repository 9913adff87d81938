"""Absent classes: where a class is not, nothing in the image is evidence for or against it."""

from __future__ import annotations

import torch
from torch import Tensor

from biasaudit.guidance.step import Step, mean_by_image
from biasaudit.guidance.terms import AttentionOptions, term


class AbsentOptions(AttentionOptions):
    """Options of the absent-classes term.

    Attributes:
        second_order: On by default, as for the evidence term.
    """

    second_order: bool = True


@term("absent", AbsentOptions)
def absent(step: Step, options: AbsentOptions) -> Tensor:
    """Mean square of squashed evidence over the classes that the image-level labels say are absent.

    The region of an absent class is empty, and known to be so without any label beyond the
    image-level one: tanh(E^c) is matched to zero everywhere. Grass may then not speak against
    boats.
    """
    rows, classes = torch.nonzero(step.batch.host.labels < 0.5, as_tuple=True)
    maps = step.attention(
        rows,
        classes,
        method=options.method,
        second_order=options.second_order,
        signed=True,
    )
    squashed = (maps * (maps.shape[1] * maps.shape[2])).tanh()
    return mean_by_image(squashed.square().mean(dim=(1, 2)), rows)
