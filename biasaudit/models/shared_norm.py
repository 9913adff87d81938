"""Batch norm whose statistics are those of all processes, and sums that gradients flow through.

:class:`torch.nn.SyncBatchNorm` needs a GPU and cannot be differentiated twice, which terms on
input gradients ask for. Here a second derivative goes through ordinary operations on one gathered
table; where a first one is enough, torch's own kernels do the work, on any device. A process may
have no image at all.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from biasaudit import processes


class _Sum(Function):
    """Sum over processes: the gradient of their losses' sum flows back as the sum of gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        summed = values.detach().clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _Sum.apply(gradients[0])


def sum_of_all(values: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, through which gradients flow."""
    if processes.count() == 1:
        return values
    summed: Tensor = _Sum.apply(values)
    return summed


def mean_of_all(total: Tensor, n: int) -> Tensor:
    """Return this process's part of a mean over the values of all processes.

    The mean of the parts over processes is the mean of the values: a launcher averages gradients
    over processes, and so what a term returns must be.

    Args:
        total: Sum of this process's values, a scalar.
        n: How many they are; may be another number in each process.

    Returns:
        A scalar; zero, still part of the graph, where no process has a value.
    """
    if processes.count() == 1:
        return total / max(n, 1)
    everywhere = torch.full((), float(n), dtype=total.dtype, device=total.device)
    torch.distributed.all_reduce(everywhere)
    return total * (processes.count() / everywhere.clamp_min(1))


class _Normalise(Function):
    """Batch norm by given statistics, which the gradient knows to be those of the input.

    With x the input, x' = (x - mean)/sqrt(variance + eps) and g the gradient, that of x is
    w/sqrt(variance + eps) · (g - mean(g) - x'·mean(g·x')), means over all processes.
    """

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        input, weight, bias, mean, variance, n, eps = given
        ctx.save_for_backward(input, weight, bias, mean, variance, n)
        ctx.eps = eps
        if len(input) == 0:
            return torch.empty_like(input)
        return functional.batch_norm(input, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        input, weight, bias, mean, variance, n = ctx.saved_tensors
        (gradient,) = gradients
        if torch.is_grad_enabled():  # somebody differentiates the gradient
            output = _normalised(input, weight, bias, ctx.eps)
            asked = [v for v in (input, weight, bias) if v.requires_grad]
            found = iter(torch.autograd.grad(output, asked, gradient, create_graph=True))
            each = [next(found) if v.requires_grad else None for v in (input, weight, bias)]
            return *each, None, None, None, None
        own, summed = torch.zeros_like(input), torch.zeros(2, len(mean)).to(mean)
        if len(input):
            own, *sums = torch.ops.aten.native_batch_norm_backward(
                *(gradient, input, weight, mean, variance, None, None, False, ctx.eps),
                [True, True, True],
            )
            summed = torch.stack(sums).to(mean)
        everywhere = sum_of_all(summed)
        inverse = (variance + ctx.eps).rsqrt()
        scale = inverse * weight / n
        slope = scale * inverse * everywhere[0]
        shift = scale * everywhere[1] - mean * slope
        own = own.addcmul(input, _wide(-slope, input)).sub_(_wide(shift, input))
        return own, summed[0].to(weight), summed[1].to(bias), None, None, None, None


def _normalised(input: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise by the statistics of all processes, in operations that have any derivative."""
    mean, variance, _ = shared_moments(input)
    scale = (variance + eps).rsqrt() * weight.to(variance.dtype)
    shift = bias.to(variance.dtype) - mean * scale
    full = input.to(variance.dtype)
    return torch.addcmul(_wide(shift, full), full, _wide(scale, full)).to(input.dtype)


def _wide(values: Tensor, images: Tensor) -> Tensor:
    """Return (K,) values of channels as (1, K, 1, 1), of the type of images."""
    return values.to(images.dtype)[None, :, None, None]


class _SharedBatchNorm(_BatchNorm):
    """Batch norm that in training normalises by the images of all processes."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, K, ...) normalised; in evaluation as torch does."""
        if not self.training or processes.count() == 1:
            return super().forward(input)
        shape = input.shape
        if input.ndim != 4:
            input = input.reshape(shape[0], shape[1], math.prod(shape[2:]), 1)
        with torch.no_grad():
            mean, variance, n = shared_moments(input)
        if self.track_running_stats:
            self._note(mean, variance, n)
        given = (input, self.weight, self.bias, mean, variance, n, self.eps)
        normalised: Tensor = _Normalise.apply(*given)
        return normalised.view(shape) if normalised.ndim != len(shape) else normalised

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor, n: Tensor) -> None:
        """Move the running statistics, the variance unbiased, as torch does."""
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1 / float(self.num_batches_tracked or 1)
        whole = n.double()
        unbiased = variance * (whole / (whole - 1).clamp_min(1)).to(variance)
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(unbiased.to(self.running_var), share)


class SharedBatchNorm1d(_SharedBatchNorm, nn.BatchNorm1d):
    """Batch norm of (N, K) or (N, K, L) over all processes."""


class SharedBatchNorm2d(_SharedBatchNorm, nn.BatchNorm2d):
    """Batch norm of (N, K, H, W) over all processes."""


_SHARED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: SharedBatchNorm1d,
    nn.BatchNorm2d: SharedBatchNorm2d,
}


def shared_moments(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance of each channel over all processes, and how many values they are of.

    Each process gives its own mean and squared deviations, which are then merged (Chan, Golub &
    LeVeque 1983): sums of squares over all would lose digits.

    Args:
        values: (N, K, H, W), N another in each process, zero in all but one at least.

    Returns:
        (K,) mean, (K,) biased variance, and a scalar count, at least in float32.
    """
    values = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    here = float(values.shape[0] * values.shape[2] * values.shape[3])
    n = values.new_full((), here)
    if here and not torch.is_grad_enabled():  # in one pass, by torch's own kernel
        mean, spread = torch.batch_norm_update_stats(values, None, None, 0.0)
        deviations = spread * here
    else:
        mean = values.sum(dim=(0, 2, 3)) / max(here, 1.0)
        deviations = (values - mean[None, :, None, None]).square().sum(dim=(0, 2, 3))
    table = _table(torch.cat([n[None], mean, deviations]))
    counts, means, spreads = table[:, :1], table[:, 1 : 1 + len(mean)], table[:, 1 + len(mean) :]
    whole = counts.detach().sum().clamp_min(1)
    merged = (counts.detach() * means).sum(dim=0) / whole
    between = counts.detach() * (means - merged).square()
    return merged, (spreads + between).sum(dim=0) / whole, whole


def _table(row: Tensor) -> Tensor:
    """Return (P, D), the (D,) row of each of P processes, through which gradients flow."""
    place = torch.zeros(processes.count(), 1, dtype=row.dtype, device=row.device)
    place[processes.number()] = 1
    return sum_of_all(place * row[None])


def share_batch_norm(model: nn.Module) -> None:
    """Let every batch norm of a model take its statistics over all processes.

    The layers keep their parameters, their buffers and their names. One without scale and shift,
    which no backbone here has, keeps its own statistics.
    """
    for layer in model.modules():
        kind = _SHARED.get(type(layer))
        if kind is not None and layer.affine:
            layer.__class__ = kind
