"""A folder that one process writes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def sole_writer(file: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock while the body of a ``with`` statement runs.

    The operating system lets go of the lock of a process that ends, however it ends; a lock file
    that is left over holds nobody up. It is removed by its holder: who opened it before and gets
    the lock after finds that it has no name any more, and begins again with a new file.

    Args:
        file: The lock file; the folder that holds it exists.
        wait: Seconds to wait for another process.

    Raises:
        TimeoutError: Another process holds it.
        OSError: The file cannot be made.
    """
    lock = FileLock(file, timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise TimeoutError(f"{file}: held by another process") from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        lock.release()
