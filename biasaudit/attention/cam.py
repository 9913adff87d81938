"""Class activation maps that gradients flow through.

One map belongs to one *pair*: an image of the batch (its row) and a class. ``rows`` may name an
image several times, so that all true classes of an image get their maps in one call.

Sources: Grad-CAM (Selvaraju et al., ICCV 2017) as in Li et al., CVPR 2018, Eq. 1 and 2; HiResCAM
(Draelos & Carin, arXiv 2011.08891); LayerCAM (Jiang et al., TIP 2021).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from biasaudit.data.loading.transfer import sent
from biasaudit.registry import Registry

CamMethod = Callable[[Tensor, Tensor], Tensor]
"""Features (P, K, H, W) and their gradients, likewise, to signed maps (P, H, W)."""

METHODS: Registry[CamMethod] = Registry("attention method")


@METHODS.register("grad_cam")
def grad_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Weight each channel by its mean gradient: Σ_k GAP(∂s/∂f_k) f_k (Eq. 1 and 2)."""
    weights = gradients.mean(dim=(2, 3))
    return torch.einsum("pk,pkhw->phw", weights, features)


@METHODS.register("hires_cam")
def hires_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Weight each element by its own gradient: Σ_k ∂s/∂f_k ⊙ f_k."""
    return (gradients * features).sum(dim=1)


@METHODS.register("layer_cam")
def layer_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Weight each element by its own positive gradient: Σ_k ReLU(∂s/∂f_k) ⊙ f_k."""
    return (gradients.relu() * features).sum(dim=1)


def attention(
    features: Tensor,
    scores: Tensor,
    classes: Tensor,
    rows: Tensor | None = None,
    *,
    method: str = "grad_cam",
    second_order: bool = False,
    signed: bool = False,
) -> Tensor:
    """Return the attention maps of (image, class) pairs by back-propagation.

    Right for any network whose scores are a differentiable function of ``features``, image by
    image: a head that mixes images (batch norm in training mode) mixes their maps too.

    Args:
        features: (N, K, H, W) output of the attention layer, part of the graph of ``scores``.
        scores: (N, C) raw scores.
        classes: (P,) class of each pair; like ``rows`` best on the CPU, where the host reads them
            without waiting for the device.
        rows: (P,) image of each pair; 0 to N-1 where not given.
        method: A registered attention method.
        second_order: Whether gradients flow through the weights ∂s/∂f as well as through f. Off,
            the weights are constants for whoever differentiates the maps.
        signed: Leave the ReLU of Eq. 2 out: negative values are evidence against the class.

    Returns:
        (P, H, W) maps, non-negative unless ``signed``. Not scaled.
    """
    combine = METHODS[method]
    rows = torch.arange(len(features)) if rows is None else rows.cpu()
    if len(rows) == 0:
        return features.new_zeros((0, *features.shape[2:]))
    gradients = _pair_gradients(features, scores, rows, classes.cpu(), second_order)
    maps = combine(features[sent(rows, features.device)], gradients)
    return maps if signed else maps.relu()


def _pair_gradients(
    features: Tensor, scores: Tensor, rows: Tensor, classes: Tensor, second_order: bool
) -> Tensor:
    """Return ∂s^c/∂f of each pair, (P, K, H, W); ``rows`` and ``classes`` lie on the CPU.

    One backward pass serves the first class of every image, one the second, and so on.
    """
    slots = _occurrence(rows)
    gradients = features.new_zeros((len(rows), *features.shape[1:]))
    for slot in range(int(slots.max()) + 1):
        chosen = (slots == slot).nonzero().squeeze(1)
        own, places = sent(rows[chosen], features.device), sent(chosen, features.device)
        total = scores[own, sent(classes[chosen], features.device)].sum()
        (gradient,) = torch.autograd.grad(
            total, features, create_graph=second_order, retain_graph=True
        )
        gradients = gradients.index_put((places,), gradient[own])
    return gradients


def _occurrence(rows: Tensor) -> Tensor:
    """Return how often each entry stood in ``rows`` before: (0, 1, 0, 2) of (5, 5, 7, 5)."""
    earlier = torch.ones(len(rows), len(rows), device=rows.device).tril(diagonal=-1)
    return ((rows[:, None] == rows[None, :]) * earlier).sum(dim=1).long()


def pooled_linear_attention(
    features: Tensor,
    weight: Tensor,
    classes: Tensor,
    rows: Tensor | None = None,
    *,
    second_order: bool = False,
    signed: bool = False,
) -> Tensor:
    """Return Grad-CAM maps in closed form, for global average pooling and one linear layer.

    There ∂s^c/∂f_k is W_ck / (H·W) at every position, so the channel weights of Eq. 1 need no
    backward pass. (HiResCAM gives the same maps; LayerCAM does not.)

    Args:
        features: (N, K, H, W).
        weight: (C, K) of the linear layer.
        classes: (P,) class of each pair; best on the CPU, where the host reads them without waiting
            for the device.
        rows: (P,) image of each pair; 0 to N-1 where not given.
        second_order: Whether gradients flow into ``weight``.
        signed: Leave the ReLU out.

    Returns:
        (P, H, W) maps, equal to :func:`attention` on the same network.
    """
    if rows is None:
        rows = torch.arange(len(features), device=features.device)
    used, position = classes.cpu().unique(return_inverse=True)
    rows, position = sent(rows, features.device), sent(position, features.device)
    weights = weight[sent(used, features.device)] / (features.shape[2] * features.shape[3])
    if not second_order:
        weights = weights.detach()
    maps = torch.einsum("ck,nkhw->nchw", weights, features)[rows, position]
    return maps if signed else maps.relu()
