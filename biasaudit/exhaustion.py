"""What ran out, memory or a loading process, said with the way out."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from biasaudit.errors import BiasAuditError, RunFailedError, named_field

_MEMORY = (
    "out of memory",
    "allocate memory",
    "not enough memory",
    "insufficient memory",
    "bad_alloc",
    "bad allocation",
    "status_alloc_failed",
    "start new thread",
    "failed to map segment",
)
"""What libraries write where memory ran out; their exceptions are of many types."""
_SHARED = ("shared memory", "bus error", "</torch_")
_WORKER = ("dataloader worker",)
_PASSED_ON = "Caught "
_OF_LOADING = (
    "the memory that loading processes share is full",
    "a process that loads images was killed, as the system does when memory runs out",
)
_GPU = "the GPU is out of memory"
_OTHERS = "end other programs, which take memory too"


@contextmanager
def exhaustion_told(*lower: str, workers: str = "", hint: str = "") -> Iterator[None]:
    """Turn what says that memory or a loading process is gone into an error that names the way out.

    An error of this program that a loading process met is passed on as it was there.

    Args:
        lower: Fields whose lower value takes less memory.
        workers: The field of the number of loading processes, where images are loaded so.
        hint: What else to do where memory ran out.

    Raises:
        RunFailedError: Memory ran out, or a loading process ended.
    """
    try:
        yield
    except BiasAuditError as error:
        if not error.message.startswith(_PASSED_ON):
            raise
        # torch makes the text of the whole traceback the message of an error of the same type
        named = f"{type(error).__module__}.{type(error).__qualname__}: "
        raise type(error)(error.message.rpartition(named)[2].strip()) from error
    except Exception as error:
        what = _run_out(str(error).lower(), error)
        if not what:
            raise
        raise RunFailedError(what, _way_out(what, lower, workers, hint)) from error


def _run_out(text: str, error: Exception) -> str:
    """Say what an error with this text means; nothing where it is of another kind."""
    if any(part in text for part in _SHARED):
        return _OF_LOADING[0]
    if any(part in text for part in _WORKER) and not isinstance(error, MemoryError):
        return _OF_LOADING[1]
    if not (_out_of_memory(error) or any(part in text for part in _MEMORY)):
        return ""
    return _GPU if "cuda" in text or "mps" in text else "this machine is out of memory"


def _way_out(what: str, lower: Sequence[str], workers: str, hint: str) -> str:
    if what in _OF_LOADING and workers:
        lower, hint = list(dict.fromkeys((workers, *lower)))[:2], ""
    if not lower and not hint:
        return f"use {named_field('device', 'cpu')}" if what == _GPU else _OTHERS
    less = f"lower {' or '.join(map(named_field, lower))}" if lower else ""
    return ", or ".join(filter(None, (less, hint)))


def _out_of_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    )
