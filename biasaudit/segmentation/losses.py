"""The three losses of SEC: seed, expand, constrain. Probabilities in, one number out.

Source: Kolesnikov and Lampert, *Seed, Expand and Constrain*, ECCV 2016, Eq. 1 to 8. Channel 0 is
the background, channel c the class c.
"""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 1e-4
FOREGROUND_DECAY = 0.996
BACKGROUND_DECAY = 0.999
PAPER_PIXELS = 41 * 41
"""Pixels of the maps that the two decays were chosen for."""


def floored_softmax(logits: Tensor, floor: float = FLOOR) -> Tensor:
    """Return class probabilities none of which is zero: (softmax + floor) / (1 + C·floor).

    Args:
        logits: (N, C, H, W).
        floor: What is added to each, as the authors' program does, so that no logarithm is
            infinite.
    """
    probabilities = logits.softmax(dim=1) + floor
    return probabilities / probabilities.sum(dim=1, keepdim=True)


def seed_loss(probabilities: Tensor, cues: Tensor) -> Tensor:
    """Return the mean over images of −Σ cues·log p / Σ cues (Eq. 3).

    Args:
        probabilities: (N, C, H, W), positive.
        cues: (N, C, H, W), 1 where a pixel is known to be of a class, else 0.

    Returns:
        A scalar. An image without cues adds 0.
    """
    known = cues.sum(dim=(1, 2, 3))
    matched = (cues * probabilities.log()).sum(dim=(1, 2, 3))
    return -(matched / known.clamp_min(1.0)).mean()


def ranked_mean(scores: Tensor, decay: float) -> Tensor:
    """Return global weighted rank pooling: Σ_j d^(j−1)·s_(j) / Σ_j d^(j−1) (Eq. 4).

    Args:
        scores: (..., P), one map flattened in the last dimension; s_(1) is its highest value.
        decay: d, in [0, 1]: 0 gives the maximum, 1 the mean.
    """
    ranks = torch.arange(scores.shape[-1], device=scores.device, dtype=scores.dtype)
    weights = torch.as_tensor(decay, dtype=scores.dtype, device=scores.device) ** ranks
    ranked = scores.sort(dim=-1, descending=True).values
    return (ranked * weights).sum(dim=-1) / weights.sum()


def decay_at(decay: float, pixels: int) -> float:
    """Return the decay that weighs the same share of a map of another size.

    The rank j of P pixels is weighed as the rank j·1681/P of SEC's maps of 41×41.

    Args:
        decay: For a map of 41×41.
        pixels: P of the map at hand.
    """
    return decay ** (PAPER_PIXELS / pixels)


def expand_loss(
    probabilities: Tensor,
    labels: Tensor,
    foreground: float = FOREGROUND_DECAY,
    background: float = BACKGROUND_DECAY,
) -> Tensor:
    """Return how far image-level answers are from the labels, the mean over images (Eq. 5 to 7).

    Three terms an image: the mean over its present classes of −log of their ranked mean; the mean
    over its absent classes of −log(1 − highest value); −log of the background's ranked mean.

    Args:
        probabilities: (N, 1 + C, H, W), positive.
        labels: (N, C), 1 where the class is present, else 0.
        foreground: Decay of the ranked mean of a class.
        background: Decay of that of the background.

    Returns:
        A scalar. Of an image without a present class (or without an absent one) that term is 0.
    """
    flat = probabilities.flatten(2)
    classes = flat[:, 1:]
    absent = 1.0 - labels
    found = ranked_mean(classes, foreground).log()
    missed = (1.0 - classes.amax(dim=2)).clamp_min(torch.finfo(flat.dtype).tiny).log()
    present_term = (labels * found).sum(dim=1) / labels.sum(dim=1).clamp_min(1.0)
    absent_term = (absent * missed).sum(dim=1) / absent.sum(dim=1).clamp_min(1.0)
    background_term = ranked_mean(flat[:, 0], background).log()
    return -(present_term + absent_term + background_term).mean()


def constrain_loss(probabilities: Tensor, refined: Tensor) -> Tensor:
    """Return the mean over images and pixels of KL(refined ‖ probabilities) (Eq. 8).

    Args:
        probabilities: (N, C, H, W), positive.
        refined: (N, C, H, W), what the dense CRF makes of them; taken as constant.
    """
    target = refined.detach()
    terms = torch.special.xlogy(target, target) - target * probabilities.log()
    return terms.sum(dim=1).mean()
