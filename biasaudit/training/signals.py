"""Requests to stop, taken between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    """Whether somebody asked the training to stop.

    Attributes:
        asked: Set by the first signal.
    """

    asked: bool = False


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Let SIGINT and SIGTERM ask for a stop while the body of a ``with`` statement runs.

    The second one interrupts at once. Outside the main thread, which alone receives signals,
    nothing changes.

    Raises:
        KeyboardInterrupt: A second signal came.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def leave_signals_to_the_parent(worker: int) -> None:
    """Let a loading process outlive the signal that stops the training.

    Ctrl-C in a terminal, and most schedulers, send their signal to every process of a group; the
    one that trains is to finish its step with the images of the others. It ends them after that.
    A second SIGTERM ends a loading process at once.

    Args:
        worker: Number of the loading process, which this is called in.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
