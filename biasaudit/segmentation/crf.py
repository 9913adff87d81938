"""The fully connected CRF: mean field with Gaussian kernels, exact or of low rank.

Source: Krähenbühl and Koltun, *Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials*, NIPS 2011, Eq. 3 and Algorithm 1, with the Potts model. Two things are as in the
authors' program rather than in the paper: a pixel's own value is part of its message, and kernels
are normalised, D^(−1/2) K D^(−1/2) with D the row sums of K.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from biasaudit.segmentation.low_rank import LowRankKernel, pairwise

Kernel = Callable[[Tensor], Tensor]
"""(B, P, C) values to (B, P, C) messages."""


@dataclass(frozen=True)
class Crf:
    """What the two kernels weigh and how wide they are.

    Attributes:
        bilateral_weight: Of the kernel of place and colour.
        bilateral_xy: Its standard deviation in px.
        bilateral_rgb: Its standard deviation in colour, of 0 to 255.
        gaussian_weight: Of the kernel of place alone.
        gaussian_xy: Its standard deviation in px.
        iterations: Updates of the mean field.
        exact_pixels: Maps of so many pixels at most are summed pair by pair; of larger ones the
            bilateral kernel is of low rank.
        landmarks: That rank at most.
    """

    bilateral_weight: float = 10.0
    bilateral_xy: float = 80.0
    bilateral_rgb: float = 13.0
    gaussian_weight: float = 3.0
    gaussian_xy: float = 3.0
    iterations: int = 10
    exact_pixels: int = 4096
    landmarks: int = 1000

    def at_scale(self, factor: float) -> Crf:
        """Return the CRF of images made smaller by ``factor``: spatial widths are divided."""
        return replace(
            self,
            bilateral_xy=self.bilateral_xy / factor,
            gaussian_xy=self.gaussian_xy / factor,
        )


@torch.no_grad()
def mean_field(log_probabilities: Tensor, images: Tensor, crf: Crf | None = None) -> Tensor:
    """Return what the CRF makes of per-pixel class probabilities.

    Args:
        log_probabilities: (B, C, H, W) log p of each class, up to a constant a pixel.
        images: (B, 3, H, W) colours from 0 to 255.
        crf: Its kernels; those of DeepLab and SEC where None.

    Returns:
        (B, C, H, W) probabilities that sum to 1 over the classes. No gradient flows.

    Raises:
        ValueError: The shapes do not fit.
    """
    crf = crf or Crf()
    batch, classes, height, width = log_probabilities.shape
    if images.shape != (batch, 3, height, width):
        raise ValueError(f"images are {tuple(images.shape)}, not {(batch, 3, height, width)}")
    unary = log_probabilities.flatten(2).transpose(1, 2)
    kernels = [
        (crf.gaussian_weight, _normalised(_spatial(crf, unary, (height, width)), unary)),
        (crf.bilateral_weight, _normalised(_bilateral(crf, images.to(unary)), unary)),
    ]
    marginals = unary.softmax(dim=2)
    for _ in range(crf.iterations):
        energy = unary.clone()
        for weight, kernel in kernels:
            energy += weight * kernel(marginals)
        marginals = energy.softmax(dim=2)
    return marginals.transpose(1, 2).reshape(batch, classes, height, width)


def _normalised(kernel: Kernel, like: Tensor) -> Kernel:
    """Return the kernel divided by the square roots of its row sums, on both sides."""
    sums = kernel(like.new_ones(*like.shape[:2], 1))
    scale = sums.clamp_min(torch.finfo(like.dtype).tiny).rsqrt()
    return lambda values: scale * kernel(scale * values)


def _spatial(crf: Crf, like: Tensor, size: tuple[int, int]) -> Kernel:
    """Return the kernel of place alone, as the product of one of rows and one of columns."""
    rows, columns = (_gaussian_matrix(length, crf.gaussian_xy, like) for length in size)

    def kernel(values: Tensor) -> Tensor:
        grid = values.reshape(len(values), *size, -1)
        across = torch.einsum("wj,bijc->biwc", columns, grid)
        return torch.einsum("hi,biwc->bhwc", rows, across).reshape(values.shape)

    return kernel


def _gaussian_matrix(length: int, sigma: float, like: Tensor) -> Tensor:
    places = torch.arange(length, device=like.device, dtype=like.dtype) / sigma
    return (-0.5 * (places[:, None] - places[None, :]) ** 2).exp()


def _bilateral(crf: Crf, images: Tensor) -> Kernel:
    """Return the kernel of place and colour of each image."""
    batch, _, height, width = images.shape
    y, x = torch.meshgrid(
        torch.arange(height, device=images.device, dtype=images.dtype),
        torch.arange(width, device=images.device, dtype=images.dtype),
        indexing="ij",
    )
    place = torch.stack([y, x]).expand(batch, 2, height, width) / crf.bilateral_xy
    features = torch.cat([place, images / crf.bilateral_rgb], dim=1).flatten(2).transpose(1, 2)
    if height * width <= crf.exact_pixels:
        matrices = pairwise(features)
        return lambda values: matrices @ values
    kernels = [LowRankKernel(points, crf.landmarks) for points in features]
    return lambda values: torch.stack([f(v) for f, v in zip(kernels, values, strict=True)])
