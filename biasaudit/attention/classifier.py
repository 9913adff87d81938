"""Attention of a classifier that knows its own attention layer."""

from __future__ import annotations

from torch import Tensor

from biasaudit.attention.cam import METHODS, attention, pooled_linear_attention
from biasaudit.models.classifier import Classifier, Output, full_precision

CLOSED_FORM = ("grad_cam", "hires_cam")


def classifier_attention(
    model: Classifier,
    output: Output,
    classes: Tensor,
    rows: Tensor | None = None,
    *,
    method: str = "grad_cam",
    second_order: bool = False,
    signed: bool = False,
) -> Tensor:
    """Return the maps of (image, class) pairs, in closed form where the head allows it.

    Args:
        model: The classifier that gave ``output``.
        output: Its scores and features; part of a graph unless the head is pooled and linear.
        classes: (P,) class of each pair.
        rows: (P,) image of each pair; 0 to N-1 where not given.
        method: A registered attention method.
        second_order: Whether gradients flow through the channel weights too.
        signed: Leave the ReLU out.

    Returns:
        (P, H, W) maps, at least in float32, not scaled.

    Raises:
        ConfigError: Unknown method.
    """
    METHODS[method]
    weight = model.linear_weight
    if weight is not None and method in CLOSED_FORM:
        return pooled_linear_attention(
            full_precision(output.features),
            full_precision(weight),
            classes,
            rows,
            second_order=second_order,
            signed=signed,
        )
    return full_precision(
        attention(
            output.features,
            output.scores,
            classes,
            rows,
            method=method,
            second_order=second_order,
            signed=signed,
        )
    )
