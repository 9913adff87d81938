"""What ran out, memory or a loading process, said with the setting to lower."""

from __future__ import annotations

import errno
from collections.abc import Iterator
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


@contextmanager
def exhaustion_told(section: str = "") -> Iterator[None]:
    """Turn what says that memory or a loading process is gone into an error that names the way out.

    An error of this program that a loading process met is passed on as it was there.

    Args:
        section: Prefix of the fields, ``training.`` for settings of a run.

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
        told = _told(error, section)
        if told is None:
            raise
        raise told from error


def _told(error: Exception, section: str) -> RunFailedError | None:
    text = str(error).lower()
    batch, workers = named_field(f"{section}batch_size"), named_field(f"{section}workers")
    if any(part in text for part in _SHARED):
        return RunFailedError(
            "the memory that loading processes share is full", f"lower {workers} or {batch}"
        )
    if any(part in text for part in _WORKER) and not isinstance(error, MemoryError):
        return RunFailedError(
            "a process that loads images was killed, as the system does when memory runs out",
            f"lower {workers} or {batch}",
        )
    if not (_out_of_memory(error) or any(part in text for part in _MEMORY)):
        return None
    smaller = f"lower {batch} or {workers}"
    if section:
        found = named_field(f"{section}batch_size", "auto")
        smaller = f"lower {batch} or {named_field('data.image_size')}, or try {found}"
    where = "the GPU is" if "cuda" in text or "mps" in text else "this machine is"
    return RunFailedError(f"{where} out of memory", smaller)


def _out_of_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    )
