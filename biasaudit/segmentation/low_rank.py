"""A Gaussian kernel of many points by its values at a few of them.

Source: Williams and Seeger, *Using the Nyström Method to Speed Up Kernel Machines*, NIPS 2000;
landmarks by farthest points (Gonzalez 1985). On photographs it is nearer to the exact sum than a
permutohedral lattice (docs/segmentation.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

_JITTER = 1e-4
"""Added to the landmarks' own kernel, which is singular where two lie close."""
_NEAR = 1e-4
"""Squared distance within which a point counts as covered."""
_CHUNK = 16_384
"""Points whose kernel values are held at once."""


class LowRankKernel:
    """The kernel K of one set of points: built once, applied to many values.

    K is replaced by K_pm K_mm⁻¹ K_mp of m landmarks, and its diagonal is put right: a point's own
    weight is 1, as in K. Where every point is a landmark, it is K up to rounding. Memory: P·m
    numbers.

    Args:
        features: (P, d) points, each divided by its standard deviation.
        landmarks: m at most.
    """

    def __init__(self, features: Tensor, landmarks: int) -> None:
        chosen = features[farthest_points(features, landmarks)]
        own = pairwise(chosen[None].double())[0]
        own.diagonal().add_(_JITTER)
        lower = torch.linalg.cholesky(own)
        unit = torch.eye(len(chosen), dtype=lower.dtype, device=lower.device)
        whiten = torch.linalg.solve_triangular(lower, unit, upper=False).to(features.dtype)
        parts = [whiten @ pairwise(chosen[None], part[None])[0] for part in features.split(_CHUNK)]
        self._factor = torch.cat(parts, dim=1)
        self._left_over = 1.0 - self._factor.square().sum(dim=0)[:, None]

    def __call__(self, values: Tensor) -> Tensor:
        """Return Σ_j K_ij v_j of (P, C) values, (P, C)."""
        return self._factor.T @ (self._factor @ values) + self._left_over * values


def farthest_points(features: Tensor, count: int) -> Tensor:
    """Return the places of points that cover the others: each next is farthest from those before.

    Args:
        features: (P, d).
        count: How many at most; fewer where these cover all.
    """
    squared = torch.full((len(features),), torch.inf, dtype=features.dtype, device=features.device)
    chosen = [0]
    while len(chosen) < count:
        apart = (features - features[chosen[-1]]).square_().sum(dim=1)
        squared = torch.minimum(squared, apart)
        place = int(squared.argmax())
        if squared[place] <= _NEAR:
            break
        chosen.append(place)
    return torch.tensor(chosen, device=features.device)


def pairwise(features: Tensor, others: Tensor | None = None) -> Tensor:
    """Return exp(−‖f_i − g_j‖² / 2), (B, P, Q).

    Args:
        features: (B, P, d).
        others: (B, Q, d); the features themselves where None.
    """
    second = features if others is None else others
    far = torch.cdist(features, second, compute_mode="donot_use_mm_for_euclid_dist")
    return far.square_().mul_(-0.5).exp_()
