"""Passes that leave no trace in batch norm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

STATISTICS = ("running", "batch")


def normalises_by_batch(model: nn.Module) -> bool:
    """Whether a training of the model normalises by the images of the batch, and so needs two."""
    return any(isinstance(m, _BatchNorm) and m.training for m in model.modules())


class Repeated:
    """Batch norm of a pass that is made a second time: normalised as before, moving no statistic.

    Args:
        layers: Whose batch norms they are; their modes now are those of the first pass.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        every = [m for layer in layers for m in layer.modules() if isinstance(m, _BatchNorm)]
        self._modes = [(m, m.training, m.track_running_stats) for m in every]
        self._before: list[tuple[bool, bool, float | None, Tensor | None]] = []

    def __enter__(self) -> None:
        layers = [layer for layer, _, _ in self._modes]
        self._before = [
            (m.training, m.track_running_stats, m.momentum, m.num_batches_tracked) for m in layers
        ]
        for layer, mode, tracked in self._modes:
            layer.training, layer.track_running_stats = mode, tracked
            layer.momentum, layer.num_batches_tracked = 0.0, None

    def __exit__(self, *raised: object) -> None:
        for (layer, _, _), (mode, tracked, momentum, count) in zip(
            self._modes, self._before, strict=True
        ):
            layer.training, layer.track_running_stats = mode, tracked
            layer.momentum, layer.num_batches_tracked = momentum, count


@contextmanager
def untouched_batch_norm(model: nn.Module, statistics: str = "running") -> Iterator[None]:
    """Run the body of a ``with`` statement without moving any batch-norm statistic.

    A pass of masked images, or of images of one class only, would pull the running statistics
    towards pictures that the model never meets in evaluation.

    Args:
        model: Whose batch-norm layers to guard. Every mode flag is given back, also on errors.
        statistics: What the pass is normalised by: ``running``, as in evaluation, or ``batch``,
            by its own statistics (which are then forgotten).

    Raises:
        ValueError: Unknown ``statistics``.
    """
    if statistics not in STATISTICS:
        raise ValueError(f"statistics is one of {STATISTICS}, not '{statistics}'")
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
    tracked = [layer.track_running_stats for layer in layers]
    try:
        for layer in layers:
            if statistics == "running":
                layer.training = False
            else:
                layer.track_running_stats = False
        yield
    finally:
        for layer, flag in zip(layers, tracked, strict=True):
            layer.training = True
            layer.track_running_stats = flag
