"""Signed evidence matched to the labelled region: what speaks for a class, and where."""

from __future__ import annotations

from torch import Tensor

from biasaudit.guidance.external import regions_at
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import AttentionOptions, term


class EvidenceOptions(AttentionOptions):
    """Options of the evidence term.

    Attributes:
        second_order: On by default: the channel weights are what turns grass into evidence
            against boats, so they must learn too.
    """

    second_order: bool = True


@term("evidence", EvidenceOptions, needs_labels=True)
def evidence(step: Step, options: EvidenceOptions) -> Tensor:
    """Mean squared difference of squashed evidence and region on the labelled images.

    E^c = H·W · Σ_k w_k f_k without the ReLU of Eq. 2, so that on a pooled linear head its mean
    is the score less the bias; tanh(E^c) is matched to the region: 1 inside, 0 outside, where
    evidence against the class costs as much as evidence for it.
    """
    batch = step.labelled_batch
    maps = step.attention(
        batch.host.region_rows,
        batch.host.region_classes,
        labelled=True,
        method=options.method,
        second_order=options.second_order,
        signed=True,
    )
    squashed = (maps * (maps.shape[1] * maps.shape[2])).tanh()
    target = regions_at(batch.regions, squashed)
    return step.labelled_mean((squashed - target).square().mean(dim=(1, 2)))
