"""How a training or an evaluation shows that it moves."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from biasaudit.cli.console import err

if TYPE_CHECKING:
    from biasaudit.training.loop import EpochMetrics


APART = 10.0
"""Seconds from one line that tells how far some work is to the next, at least."""


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds: ``0:01:05``."""
    return str(timedelta(seconds=round(seconds)))


def progress_bar() -> Progress:
    """Return a progress bar on stderr, which shows on a terminal only."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal or err.quiet,
    )


class CountProgress:
    """A bar that counts images or steps on a terminal, a line each tenth of them elsewhere.

    Lines are :data:`APART` seconds apart or more: short work has none.

    Args:
        name: What the bar is called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar = progress_bar()
        self._task = self._bar.add_task(name, total=None)
        self._tenth = 0

    def __enter__(self) -> CountProgress:
        self._begun = self._told = monotonic()
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """So many of so many images or steps are done."""
        self._bar.update(self._task, completed=done, total=total)
        tenth = 10 * done // max(total, 1)
        now = monotonic()
        if err.is_terminal or tenth == self._tenth or now - self._told < APART:
            return
        self._tenth, self._told = tenth, now
        elapsed = now - self._begun
        err.print(
            f"{self._name}  {done}/{total}  elapsed {clock(elapsed)}  "
            f"remaining {clock(elapsed / done * (total - done))}",
            markup=False,
            soft_wrap=True,
        )


class StageProgress:
    """A bar a stage of unknown length on a terminal, a line now and then elsewhere.

    Lines are :data:`APART` seconds apart or more, and a tenth of the time that passed.

    Args:
        name: What the work is called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar = progress_bar()
        self._tasks: dict[str, TaskID] = {}
        self._done: Counter[str] = Counter()

    def __enter__(self) -> StageProgress:
        self._begun = self._told = monotonic()
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, what: str, count: int) -> None:
        """So many more of something are done."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(f"{self._name}: {what}", total=None)
        self._bar.advance(self._tasks[what], count)
        self._done[what] += count
        now = monotonic()
        elapsed = now - self._begun
        if err.is_terminal or now - self._told < max(APART, elapsed / 10):
            return
        self._told = now
        err.print(
            f"{self._name}: {what}  {self._done[what]}  elapsed {clock(elapsed)}",
            markup=False,
            soft_wrap=True,
        )


class TrainingProgress:
    """A bar on a terminal, one line an epoch elsewhere.

    Args:
        name: What the bar is called.
        lines: Whether to print a line for every epoch.
    """

    def __init__(self, name: str, *, lines: bool = True) -> None:
        self._name = name
        self._lines = lines
        self._bar = progress_bar()

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def start(self, epochs: int, steps: int) -> None:
        """Training begins."""
        self._epochs = epochs
        self._begun = monotonic()
        self._done = 0
        self._task = self._bar.add_task(self._name, total=epochs * steps)

    def step(self, epoch: int, total: float) -> None:
        """One step is done."""
        self._bar.update(
            self._task,
            advance=1,
            description=f"{self._name}  epoch {epoch}/{self._epochs}  loss {total:.3f}",
        )

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""
        self._done += 1
        if self._lines:
            elapsed = monotonic() - self._begun
            remaining = elapsed / self._done * (self._epochs - metrics.epoch)
            losses = "  ".join(f"{name} {value:.3f}" for name, value in metrics.losses.items())
            err.print(
                f"epoch {metrics.epoch}/{self._epochs}  {losses}  "
                f"val accuracy {metrics.val_accuracy:.3f}  "
                f"elapsed {clock(elapsed)}  remaining {clock(remaining)}",
                soft_wrap=True,
            )
