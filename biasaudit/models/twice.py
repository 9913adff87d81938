"""Layers whose input gradients can be trained on, at the speed of ordinary passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_BATCH_NORM = signature(functional.batch_norm)


class TwiceDifferentiable(TorchFunctionMode):
    """Run layers so that the gradient of their input is itself differentiated quickly.

    Torch differentiates a convolution twice by convolutions with whole maps as kernels, and channel
    group by channel group, and a batch norm by some twenty passes over its maps: several times as
    slow as the passes counted. Here the gradient of the gradient is made of the kernels of any
    training step. Values and gradients are torch's own but for rounding.

    ::

        twice = TwiceDifferentiable()
        with twice:
            scores = model(images)
        with twice.inputs_alone():
            (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        gradient.square().sum().backward()

    Torch's own are used under autocast, for convolutions of other than two dimensions, and for a
    batch norm that normalises by running statistics or moves them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._inputs_alone = False

    @contextmanager
    def inputs_alone(self) -> Iterator[None]:
        """Leave the gradients of weights out while the body of a ``with`` statement runs."""
        self._inputs_alone = True
        try:
            yield
        finally:
            self._inputs_alone = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Take the place of ``conv2d`` and ``batch_norm``, and leave everything else."""
        replaced: dict[Any, Callable[..., Any]] = {
            functional.conv2d: self._convolved,
            functional.batch_norm: self._normalised,
        }
        if func in replaced and not torch.is_autocast_enabled(args[0].device.type):
            return replaced[func](*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _convolved(
        self,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        if isinstance(padding, str):
            return functional.conv2d(images, weight, bias, stride, padding, dilation, groups)
        how = (_pair(stride), _pair(padding), _pair(dilation), False, (0, 0), groups)
        made: Tensor = _Convolution.apply(images, weight, self, how)
        return made if bias is None else made + bias[:, None, None]

    def _normalised(self, *args: Any, **kwargs: Any) -> Tensor:
        given = _BATCH_NORM.bind(*args, **kwargs)
        given.apply_defaults()
        said = given.arguments
        own = said["training"] and said["running_mean"] is None
        if not own or said["weight"] is None or said["bias"] is None:
            return functional.batch_norm(*args, **kwargs)
        made: Tensor = _BatchNorm.apply(
            said["input"], said["weight"], said["bias"], self, said["eps"]
        )
        return made


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


class _Convolution(torch.autograd.Function):
    """Images and weights to maps."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, owner: Any, how: Any) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.owner, ctx.how = owner, how
        return torch.ops.aten.convolution(images, weight, None, *how)

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        if ctx.owner._inputs_alone:
            return _InputGradient.apply(above, images, weight, ctx.how), None, None, None
        mask = (ctx.needs_input_grad[0], ctx.needs_input_grad[1], False)
        below, of_weight, _ = _backward(above, images, weight, ctx.how, mask)
        return below, of_weight, None, None


class _InputGradient(torch.autograd.Function):
    """The gradient of a convolution's input, linear in the weights and in what comes from above."""

    @staticmethod
    def forward(ctx: Any, above: Tensor, images: Tensor, weight: Tensor, how: Any) -> Tensor:
        ctx.save_for_backward(above, images, weight)
        ctx.how = how
        return _backward(above, images, weight, how, (True, False, False))[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        above, _, weight = ctx.saved_tensors
        of_above = torch.ops.aten.convolution(gradient, weight, None, *ctx.how)
        # <gradient, input gradient> = <above, convolution of the gradient>: the weights' share of
        # it is that of an ordinary pass backward, with the gradient in the images' place
        of_weight = _backward(above, gradient, weight, ctx.how, (False, True, False))[1]
        return of_above, None, of_weight, None


class _BatchNorm(torch.autograd.Function):
    """Maps normalised by their own statistics."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, owner: Any, eps: float
    ) -> Tensor:
        made, mean, scale = torch.ops.aten.native_batch_norm(
            maps, weight, bias, None, None, True, 0.0, eps
        )
        ctx.save_for_backward(maps, weight, mean, scale)
        ctx.owner, ctx.eps = owner, eps
        return made

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight, mean, scale = ctx.saved_tensors
        if ctx.owner._inputs_alone:
            below = _NormGradient.apply(above, maps, weight, mean, scale, ctx.eps)
            return below, None, None, None, None
        return (*_norm_backward(above, maps, weight, mean, scale, ctx.eps), None, None)


class _NormGradient(torch.autograd.Function):
    """The gradient of a batch norm's input.

    With x̂ the normalised maps, γ the weight, σ one over the standard deviation and P(u) the part of
    u without its mean and without its share of x̂, channel by channel, it is γσP(g) of the gradient
    g from above. P is its own adjoint, and σ and x̂ change with the maps by -σ²x̂/n and σP.
    """

    @staticmethod
    def forward(
        ctx: Any,
        above: Tensor,
        maps: Tensor,
        weight: Tensor,
        mean: Tensor,
        scale: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(above, maps, weight, mean, scale)
        ctx.eps = eps
        return _norm_backward(above, maps, weight, mean, scale, eps)[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        above, maps, weight, mean, scale = ctx.saved_tensors
        # σP(u) and the sum of u·x̂ of both: an ordinary pass backward with weights of one
        ones = torch.ones_like(weight)
        of_gradient, shared, _ = _norm_backward(gradient, maps, ones, mean, scale, ctx.eps)
        of_above, above_shared, _ = _norm_backward(above, maps, ones, mean, scale, ctx.eps)
        of_weight = torch.einsum("ncp,ncp->c", of_gradient.flatten(2), above.flatten(2))
        factor = -weight * scale / (maps.numel() / len(weight))
        # x̂ = (maps − mean)σ, taken apart so that no third map is made
        slope = factor * of_weight * scale
        wide = (-1, *[1] * (maps.ndim - 2))  # of maps, or of the rows that a 1-D layer has
        of_maps = torch.addcmul(-(slope * mean).view(wide), maps, slope.view(wide))
        of_maps.addcmul_(of_gradient, (factor * above_shared).view(wide))
        of_maps.addcmul_(of_above, (factor * shared).view(wide))
        return of_gradient * weight.view(wide), of_maps, of_weight, None, None, None


def _norm_backward(
    above: Tensor, maps: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, eps: float
) -> Any:
    return torch.ops.aten.native_batch_norm_backward(
        above, maps, weight, None, None, mean, scale, True, eps, (True, True, True)
    )


def _backward(above: Tensor, images: Tensor, weight: Tensor, how: Any, mask: Any) -> Any:
    return torch.ops.aten.convolution_backward(above, images, weight, None, *how, mask)
