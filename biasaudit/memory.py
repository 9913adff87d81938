"""Memory: what is free, what a piece of work holds at its peak, and what is kept once freed."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""glibc's numbers of the options, as mallopt(3) has them."""
_DEFAULT_TRIM_THRESHOLD, _DEFAULT_MMAP_MAX = 128 * 1024, 65536
_MOST = 2**31 - 1
_SAID_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_")
_PROFILER_LOG = "KINETO_LOG_LEVEL"
_SYSTEM = Path("/proc/meminfo")
_GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)
"""Where a container's bound stands (version 2, then 1), what it holds, and what of that goes."""


def free_bytes() -> int | None:
    """Return the bytes of main memory that a process may take now; None where nobody says.

    What the system says is available, and at most what a container's bound leaves.
    """
    told = [_free_of_system(), *(_free_of_group(*group) for group in _GROUPS)]
    return min((free for free in told if free is not None), default=None)


def _free_of_system() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in _SYSTEM.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(AttributeError, OSError, ValueError):  # no such function, no such name
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _free_of_group(folder: Path, limit: str, usage: str, freeable: str) -> int | None:
    with suppress(OSError, ValueError, IndexError):  # no such group, or 'max': no bound
        bound = int((folder / limit).read_text(encoding="ascii"))
        used = int((folder / usage).read_text(encoding="ascii"))
        for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.split()[0] == freeable:
                used -= int(line.split()[1])
        return max(bound - used, 0)
    return None


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """Return the most bytes of tensors that a run holds beside those that stood there before.

    On a GPU as its allocator counts them, elsewhere as torch's profiler does.
    """
    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with (
        _profiler_quiet(),
        torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        ) as profile,
    ):
        run()
    return _peak(profile.profiler.kineto_results.experimental_event_tree())


@contextmanager
def _profiler_quiet() -> Iterator[None]:
    """Let torch's profiler, which looks for a GPU at its start, write no line about that."""
    before = os.environ.get(_PROFILER_LOG)
    os.environ[_PROFILER_LOG] = "99"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PROFILER_LOG]
        else:
            os.environ[_PROFILER_LOG] = before


def _peak(events: Sequence[Any]) -> int:
    """Return the greatest running sum of allocations and releases, in the order of time."""
    found: list[tuple[int, int]] = []
    waiting = list(events)
    while waiting:
        event = waiting.pop()
        waiting += event.children
        fields = event.extra_fields
        if hasattr(fields, "alloc_size"):
            found.append((event.start_time_ns, fields.alloc_size))
    held = most = 0
    for _, size in sorted(found, key=lambda one: one[0]):
        held += size
        most = max(most, held)
    return most


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
