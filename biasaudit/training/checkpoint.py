"""A training's state between two steps, as one file and back; no pickle is read or written.

Tensors (weights, the optimiser's averages, states of random generators) are those of a safetensors
file; numbers and lists stand as JSON in its header. One file is whole or not there.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from biasaudit.errors import RunError
from biasaudit.models.backbones import state_of
from biasaudit.training.streams import LabelledStream, Order

CHECKPOINT = "checkpoint.safetensors"
_VERSION = 1
_HEADER = "biasaudit"


@dataclass
class Position:
    """How far a training is.

    Attributes:
        epoch: Epochs done.
        step: Steps done of the epoch after them.
        head: Whether the head alone trains now.
        sums: Sum of each loss over those steps.
        metrics: The metrics of the epochs done, each as a dictionary.
    """

    epoch: int = 0
    step: int = 0
    head: bool = False
    sums: dict[str, float] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Parts:
    """What a step changes.

    Attributes:
        model: The classifier.
        optimizer: Of its parameters, the same ones whenever a state is taken or put back.
        schedule: Of the learning rate.
        order: Of the training images.
        terms: What the loss terms draw from.
        labelled: The labelled images, None where the run has none.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    order: Order
    terms: torch.Generator
    labelled: LabelledStream | None


@dataclass(frozen=True)
class Checkpoint:
    """A state to go on from.

    Attributes:
        position: How far the training was.
        tensors: By name.
        told: The rest, JSON-ready.
    """

    position: Position
    tensors: dict[str, Tensor]
    told: dict[str, Any]

    @classmethod
    def of(cls, parts: Parts, position: Position) -> Checkpoint:
        """Take the state after a step, or between two epochs."""
        tensors = {f"model.{key}": value for key, value in state_of(parts.model).items()}
        optimizer = parts.optimizer.state_dict()
        loose: dict[str, dict[str, Any]] = {}
        for number, state in optimizer["state"].items():
            for key, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{number}.{key}"] = value.detach().cpu().contiguous().clone()
                else:
                    loose.setdefault(str(number), {})[key] = value
        tensors["order"] = parts.order.state(begun=position.step > 0)
        tensors["terms"] = parts.terms.get_state()
        told: dict[str, Any] = {
            "position": asdict(position),
            "optimizer": {"state": loose, "param_groups": optimizer["param_groups"]},
            "schedule": parts.schedule.state_dict(),
            "python": _python_state(),
        }
        if parts.labelled is not None:
            tensors["labelled"], told["labelled"] = parts.labelled.state()
        return cls(position, tensors | _global_states(), told)

    def restore_weights(self, model: nn.Module) -> None:
        """Put the weights back; before all else, since what is frozen may be computed ahead."""
        prefix = "model."
        state = {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}
        model.load_state_dict(state)

    def restore(self, parts: Parts, batch_size: int) -> None:
        """Put the rest back, but for the global random generators: see :meth:`restore_random`.

        Args:
            parts: Made as those that the state was taken of.
            batch_size: Images of a step, so many of which are passed over for each step done.
        """
        _restore_optimizer(parts.optimizer, self)
        parts.schedule.load_state_dict(self.told["schedule"])
        parts.order.go_on(self.tensors["order"], self.position.step * batch_size)
        parts.terms.set_state(self.tensors["terms"])
        if parts.labelled is not None:
            parts.labelled.go_on(self.tensors["labelled"], self.told["labelled"])

    def restore_random(self) -> None:
        """Put back the random generators that all code of this process shares."""
        version, words, gauss = self.told["python"]
        random.setstate((version, tuple(words), gauss))
        key = self.tensors["numpy.words"].numpy().astype(np.uint32)
        position, has_gauss, cached = self.tensors["numpy.rest"].tolist()
        np.random.set_state(("MT19937", key, int(position), int(has_gauss), cached))  # noqa: NPY002
        torch.set_rng_state(self.tensors["torch"])
        if torch.cuda.is_available():
            for device in range(torch.cuda.device_count()):
                if f"cuda.{device}" in self.tensors:
                    torch.cuda.set_rng_state(self.tensors[f"cuda.{device}"], device)

    def to_bytes(self, about: dict[str, Any]) -> bytes:
        """Return the content of the file.

        Args:
            about: What else the file says, JSON-ready.
        """
        header = json.dumps({"version": _VERSION, "about": about, "told": self.told})
        content: bytes = save(self.tensors, metadata={_HEADER: header})
        return content


def read_checkpoint(file: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """Read a checkpoint, and what else its file says.

    Raises:
        RunError: It cannot be read.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})[_HEADER])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if header["version"] != _VERSION:
            raise ValueError(f"version {header['version']}")
        told, about = header["told"], header["about"]
        return Checkpoint(Position(**told["position"]), tensors, told), dict(about)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            f"{file}: not a checkpoint that can be gone on from ({error})",
            "remove its folder, and train again",
        ) from None


def _restore_optimizer(optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> None:
    told = checkpoint.told["optimizer"]
    state: dict[int, dict[str, Any]] = {int(n): dict(v) for n, v in told["state"].items()}
    for name, value in checkpoint.tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": told["param_groups"]})
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                # in the memory layout of its parameter, as the optimiser makes it
                values[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _python_state() -> list[Any]:
    version, words, gauss = random.getstate()
    return [version, list(words), gauss]


def _global_states() -> dict[str, Tensor]:
    _, key, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    rest = [float(position), float(has_gauss), float(cached)]
    states = {
        "torch": torch.get_rng_state(),
        "numpy.words": torch.from_numpy(np.asarray(key).astype(np.int64)),
        "numpy.rest": torch.tensor(rest, dtype=torch.float64),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states |= {f"cuda.{n}": s for n, s in enumerate(torch.cuda.get_rng_state_all())}
    return states
