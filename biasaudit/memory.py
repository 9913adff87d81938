"""Memory that a process has freed: kept for its next use instead of given back to the system."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""glibc's numbers of the options, as mallopt(3) has them."""
_DEFAULT_TRIM_THRESHOLD, _DEFAULT_MMAP_MAX = 128 * 1024, 65536
_MOST = 2**31 - 1
_SAID_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_")


@contextmanager
def freed_memory_kept(device: str = "cpu") -> Iterator[None]:
    """Keep freed memory while the body of a ``with`` statement runs, then give it back.

    A network's activations are large blocks of memory. glibc asks the system for each of them anew
    and gives it back when it is freed; the system clears every page of it once more. At 224 px that
    is a sixth to a half of a training step's time on a CPU. Meanwhile the process holds what it
    needed at its peak, and somewhat more where blocks of many sizes take turns.

    Where the C library is another one, the device is no CPU, or the user's environment has a word
    on it (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_MAX_`` or ``MALLOC_MMAP_THRESHOLD_``), nothing
    is changed.

    Args:
        device: Kind of device that the body computes on.
    """
    library = None if device != "cpu" or any(n in os.environ for n in _SAID_BY_USER) else _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _MOST)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)
        library.mallopt(_TRIM_THRESHOLD, _DEFAULT_TRIM_THRESHOLD)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library of this process where it is glibc."""
    if platform.system() != "Linux":
        return None
    library = ctypes.CDLL(None)
    known = all(hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt"))
    return library if known else None
