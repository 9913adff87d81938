"""Steps that were made and whose losses were not read yet: a GPU is not waited for in each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from biasaudit import processes
from biasaudit.guidance.finite import FiniteChecks

_TOGETHER = 10
"""Steps that are read together where the host would wait for the device in each."""


@dataclass(frozen=True)
class MadeStep:
    """A step of an epoch.

    Attributes:
        number: From 0.
        indices: (N,) places of its images among the training images, on any device.
        labelled: Ids of its labelled images.
        losses: Of its terms and their ``total``, on the device; empty where it broke off.
        checks: What of it must be finite.
    """

    number: int
    indices: Tensor
    labelled: tuple[str, ...]
    losses: Mapping[str, Tensor]
    checks: FiniteChecks


class NotANumberError(FloatingPointError):
    """A loss, or a map that a term looks at, is NaN or infinite.

    Args:
        step: The first step where it is.
        what: What is.
    """

    def __init__(self, step: MadeStep, what: str) -> None:
        super().__init__(what)
        self.step = step


class UnreadSteps:
    """Keeps steps until some of them are read together.

    Args:
        every: Steps that are read together.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._steps: list[MadeStep] = []

    def add(self, step: MadeStep) -> None:
        """Keep one more."""
        self._steps.append(step)

    @property
    def due(self) -> bool:
        """Whether so many are kept that it is time to read them."""
        return len(self._steps) >= self._every

    def read(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield number and losses of the steps kept, which are forgotten.

        Raises:
            NotANumberError: In the first step where something is none.
        """
        steps, self._steps = self._steps, []
        for step in steps:
            try:
                values = read_losses(step.losses, step.checks)
            except FloatingPointError as error:
                raise NotANumberError(step, str(error)) from None
            if not math.isfinite(values["total"]):
                told = ", ".join(f"{name} {value:g}" for name, value in values.items())
                raise NotANumberError(step, f"the loss is {values['total']} ({told})")
            yield step.number, values


def read_every(device: str) -> int:
    """Return how many steps are read together; on a CPU each by itself, for nothing waits."""
    return 1 if device == "cpu" else _TOGETHER


def read_losses(losses: Mapping[str, Tensor], checks: FiniteChecks) -> dict[str, float]:
    """Return the losses of a step, each the mean over all processes.

    The host waits for the device here, once, and looks at all that must be finite.

    Args:
        losses: What :class:`biasaudit.training.guided.GuidedModel` returned.
        checks: The model's after that step.

    Raises:
        FloatingPointError: A term's loss, or a map that it looks at, is NaN or infinite.
    """
    means = processes.averaged([loss.detach() for loss in losses.values()])
    return dict(zip(losses, checks.read(means), strict=True))
