"""Where and how exactly a run computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs

from biasaudit.errors import ConfigError, named_field, near_names

_PRECISION = {"fp32": "no", "bf16": "bf16"}


def make_accelerator(device: str, precision: str, *, unused: bool = False) -> Accelerator:
    """Return the accelerator for a device and a precision.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        unused: Whether a step may leave parameters without a gradient, which several processes
            then look for.

    Raises:
        ConfigError: The device is not there, or this process computes otherwise already.
    """
    check_device(device)
    try:
        # statistics of batch norm are those of all processes already: none is to be sent around
        wrapping = DistributedDataParallelKwargs(
            broadcast_buffers=False, find_unused_parameters=unused
        )
        return Accelerator(
            cpu=device == "cpu",
            mixed_precision=_PRECISION[precision],
            kwargs_handlers=[wrapping],
        )
    except ValueError as error:
        given = named_field("training.device", device), named_field("training.precision", precision)
        raise ConfigError(f"{' and '.join(given)}: {error}") from None


def check_device(device: str, field: str = "training.device") -> None:
    """Refuse a device that is not there.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        field: The setting that names it.

    Raises:
        ConfigError: It is none of these, or not on this machine.
    """
    there = {
        "auto": True,
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device not in there:
        raise ConfigError(
            f"{named_field(field, device)}: no such device", near_names(device, there)
        )
    if not there[device]:
        raise ConfigError(
            f"{named_field(field, device)}: there is none on this machine",
            f"use {named_field(field, 'auto')}",
        )


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Hold the CPU to deterministic algorithms while the body of a ``with`` statement runs.

    On a GPU they are not demanded: bilinear up-sampling has none there. Nor is torch's filling of
    fresh memory, which guards against reading what nobody wrote and costs a tenth of the time.
    """
    before = torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(device.type == "cpu" or before)
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        memory.fill_uninitialized_memory = filled
