"""Batch norm whose statistics are those of all processes, and sums that gradients flow through.

:class:`torch.nn.SyncBatchNorm` needs a GPU and cannot be differentiated twice, which terms on
input gradients ask for. Here the statistics are ordinary operations on one gathered table, so that
any derivative exists, on any device; a process may have no image at all.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

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
    everywhere = torch.tensor(float(n), dtype=total.dtype, device=total.device)
    torch.distributed.all_reduce(everywhere)
    return total * (processes.count() / everywhere.clamp_min(1))


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that in training normalises by the images of all processes."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, K, H, W) normalised; in evaluation as torch does."""
        if not self.training or processes.count() == 1:
            return super().forward(input)
        mean, variance, n = shared_moments(input)
        if self.track_running_stats:
            self._note(mean.detach(), variance.detach(), float(n))
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight.to(scale.dtype)
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias.to(scale.dtype)
        wide = input.to(scale.dtype)
        normalised = torch.addcmul(shift[None, :, None, None], wide, scale[None, :, None, None])
        return normalised.to(input.dtype)

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor, n: float) -> None:
        """Move the running statistics, the variance unbiased, as torch does."""
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1 / float(self.num_batches_tracked or 1)
        unbiased = variance * (n / max(n - 1, 1))
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(unbiased.to(self.running_var), share)


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
    n = values.new_tensor(here)
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

    The layers keep their parameters, their buffers and their names.
    """
    for layer in model.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SharedBatchNorm2d
