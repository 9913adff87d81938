"""A log of every step, written while training goes on: a table, or events for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from biasaudit.errors import ConfigError, named_field
from biasaudit.training.loop import EpochMetrics, Progress

STEPS_FILE, EVENTS = "steps.csv", "tensorboard"


class _Table:
    """``steps.csv``: epoch, step and weighted loss, a line as each step ends.

    A training that goes on adds to it; steps that are done again stand there again.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / STEPS_FILE
        self.last = len(file.read_bytes().splitlines()) - 1 if file.is_file() else 0
        self._file = file.open("a", encoding="utf-8", newline="\n")
        if not file.stat().st_size:
            self._file.write("epoch,step,loss_total\n")

    def step(self, epoch: int, step: int, total: float) -> None:
        self._file.write(f"{epoch},{step},{total:.6g}\n")

    def epoch(self, step: int, metrics: EpochMetrics) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _Events:
    """The folder ``tensorboard``: every step's loss, every epoch's losses and accuracy on val."""

    last = 0

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ConfigError(
                f"{named_field('training.log', 'tensorboard')}: needs TensorBoard",
                "pip install 'biasaudit[tensorboard]'",
            ) from None
        self._writer: Any = SummaryWriter(str(folder / EVENTS))

    def step(self, epoch: int, step: int, total: float) -> None:
        self._writer.add_scalar("step/loss_total", total, step)

    def epoch(self, step: int, metrics: EpochMetrics) -> None:
        for name, value in metrics.row().items():
            if name != "epoch":
                self._writer.add_scalar(f"epoch/{name}", value, metrics.epoch)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


@contextmanager
def logged(kind: str, folder: Path, progress: Progress) -> Iterator[Progress]:
    """Give a progress that also writes a log into a folder while the ``with`` statement runs.

    Raises:
        ConfigError: TensorBoard is asked for and not installed.
    """
    if kind == "none":
        yield progress
        return
    log = Logged(kind, folder, progress)
    try:
        yield log
    finally:
        log.close()


class Logged:
    """A progress that also writes a log.

    Args:
        kind: ``csv`` or ``tensorboard``.
        folder: The run's folder; it exists.
        progress: Told of everything too.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, kind: str, folder: Path, progress: Progress) -> None:
        self._progress = progress
        self._log: _Table | _Events = _Table(folder) if kind == "csv" else _Events(folder)
        self._step = max(self._log.last, 0)

    def start(self, epochs: int, steps: int) -> None:
        """Training begins."""
        self._progress.start(epochs, steps)

    def step(self, epoch: int, total: float) -> None:
        """One step is done."""
        self._step += 1
        self._log.step(epoch, self._step, total)
        self._progress.step(epoch, total)

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""
        self._log.epoch(self._step, metrics)
        self._progress.epoch(metrics)

    def close(self) -> None:
        """Write what is still held, and close the files."""
        self._log.close()
