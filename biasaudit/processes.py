"""Several processes that do one piece of work, started by ``torchrun`` or ``accelerate launch``.

Each process holds an equal part of the images of a step or of a pass; the *first* one, number 0,
writes files and prints. Outside such a start there is one process, and every function here gives
what it is given.

A launcher says who is who by the environment (``RANK``, ``WORLD_SIZE``); the processes meet in
:func:`together`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from biasaudit.errors import BiasAuditError, RunFailedError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Value = TypeVar("Value")
_LOST = (
    "gloo",
    "nccl",
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "socket",
    "tcpstore",
)
"""What communication libraries write where another process is gone."""
_apart = False


def launched() -> tuple[int, int]:
    """Return this process's number, from 0, and their count, as the launcher says: (0, 1)."""
    try:
        number, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError:
        return 0, 1
    return (number, count) if 0 <= number < count else (0, 1)


def count() -> int:
    """Return how many processes work together; 1 where none have met."""
    distributed = _distributed()
    return 1 if distributed is None else int(distributed.get_world_size())


def count_here() -> int:
    """Return how many processes the launcher started on this machine; 1 without a launcher."""
    try:
        return max(int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
    except ValueError:
        return 1


def number() -> int:
    """Return this process's number among them, from 0."""
    distributed = _distributed()
    return 0 if distributed is None else int(distributed.get_rank())


def first() -> bool:
    """Say whether this is the process that writes files and prints."""
    return launched()[0] == 0 if _distributed() is None else number() == 0


def called() -> str:
    """Return what an error calls this process: ``process 2 of 4``, from 1."""
    here, all_ = launched() if _distributed() is None else (number(), count())
    return f"process {here + 1} of {all_}"


def span(total: int) -> range:
    """Return this process's part of so many places in a row: parts differ by one at most.

    >>> span(5)
    range(0, 5)
    """
    return range(total * number() // count(), total * (number() + 1) // count())


@contextmanager
def together(device: str) -> Iterator[None]:
    """Meet the other processes of the launcher, and say it where one of them is lost.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``: CPUs talk by gloo, GPUs by NCCL.

    Raises:
        RunFailedError: Another process ended, or cannot be reached.
    """
    if launched()[1] > 1 and _distributed() is None:
        with loss_told():
            _meet(device)
    with loss_told():
        yield


@contextmanager
def apart() -> Iterator[None]:
    """Work alone while the body of a ``with`` statement runs, as though nobody else were there."""
    global _apart
    before, _apart = _apart, True
    try:
        yield
    finally:
        _apart = before


@contextmanager
def loss_told() -> Iterator[None]:
    """Turn what says that another process is gone into an error of this program.

    Raises:
        RunFailedError: Another process ended, or cannot be reached.
    """
    try:
        yield
    except BiasAuditError:
        raise
    except RuntimeError as error:
        if launched()[1] == 1 or not _is_loss(error):
            raise
        raise RunFailedError(
            "another process ended, and no other can go on without it",
            "its own message says why",
        ) from error


def leave() -> None:
    """Part from the other processes, before this one ends."""
    distributed = _distributed()
    if distributed is not None:
        distributed.destroy_process_group()


def gathered(value: Value) -> list[Value]:
    """Return the value that each process gives, in their order, to all of them.

    Args:
        value: Anything that can be pickled.
    """
    distributed = _distributed()
    if distributed is None:
        return [value]
    found: list[Any] = [None] * count()
    distributed.all_gather_object(found, value)
    return found


def told(value: Value) -> Value:
    """Return to all processes what the first one gives."""
    distributed = _distributed()
    if distributed is None:
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def shared(work: Callable[[], Value]) -> list[Value]:
    """Do this process's part of a piece of work, and return all parts in their order.

    Raises:
        BiasAuditError: The work failed so in some process: all of them raise the first such error.
    """
    if count() == 1:
        return [work()]
    done: Value | BiasAuditError
    try:
        done = work()
    except BiasAuditError as error:
        done = error
    parts = gathered(done)
    for part in parts:
        if isinstance(part, BiasAuditError):
            raise part
    return [part for part in parts if not isinstance(part, BiasAuditError)]


def total(value: int) -> int:
    """Return the sum of a number over all processes."""
    if count() == 1:
        return value
    return int(_summed([float(value)])[0])


def averaged(values: Sequence[Tensor]) -> Tensor:
    """Return the (L,) means over all processes of L scalars, on their device; nobody waits."""
    import torch

    own = torch.stack([value.reshape(()) for value in values])
    distributed = _distributed()
    if distributed is None:
        return own
    box = own.double()
    distributed.all_reduce(box)
    return box / count()


def rows_of_all(values: Tensor) -> Tensor:
    """Return the rows that each process has, one after the other, to all; no gradient flows.

    Args:
        values: (N, ...): N may be another in each process, the rest is one.
    """
    distributed = _distributed()
    if distributed is None:
        return values
    import torch

    sizes = gathered(len(values))
    padded = values.new_zeros((max(sizes), *values.shape[1:]))
    padded[: len(values)] = values.detach()
    found = [torch.empty_like(padded) for _ in sizes]
    distributed.all_gather(found, padded)
    return torch.cat([part[:size] for part, size in zip(found, sizes, strict=True)])


def _summed(values: Sequence[float]) -> list[float]:
    import torch

    distributed: Any = _distributed()
    box = torch.tensor(values, dtype=torch.float64, device=_device())
    distributed.all_reduce(box)
    return [float(value) for value in box.tolist()]


def _device() -> torch.device:
    """Return where tensors lie that the processes exchange."""
    import torch

    backend = torch.distributed.get_backend()
    return torch.device("cuda" if backend == "nccl" else "cpu")


def _meet(device: str) -> None:
    import torch
    from accelerate import PartialState

    # torch's threads are left as they are set; accelerate would set them, and warn of it
    os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))
    PartialState(cpu=device == "cpu" or not torch.cuda.is_available())


def _distributed() -> Any:
    """Return torch's module where the processes have met; None where there is one alone."""
    module: Any = None if _apart else sys.modules.get("torch.distributed")
    if module is None or not module.is_available() or not module.is_initialized():
        return None
    return module if module.get_world_size() > 1 else None


def _is_loss(error: RuntimeError) -> bool:
    module: Any = sys.modules.get("torch.distributed")
    known = getattr(module, "DistError", None)
    if known is not None and isinstance(error, known):
        return True
    text = str(error).lower()
    return any(part in text for part in _LOST)
