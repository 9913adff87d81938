"""What a training leaves in its folder while it runs: its state, and the metrics so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from biasaudit import processes
from biasaudit.errors import RunError, RunInterruptedError, named_field
from biasaudit.results import write_atomic
from biasaudit.training.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from biasaudit.training.signals import Stop

METRICS = "metrics.csv"
Take = Callable[[], Checkpoint]
"""Takes the state of a training."""


class Keeper:
    """Keeps nothing: the training lives in memory alone."""

    def load(self) -> Checkpoint | None:
        """Return the state to go on from; None begins anew. The first process alone is asked."""
        return None

    def started(self, take: Take) -> None:
        """Training is about to make its first step."""

    def stepped(self, take: Take) -> None:
        """One step is done.

        Raises:
            RunInterruptedError: Somebody asked the training to stop.
        """

    def epoch_done(self, take: Take, rows: Sequence[Mapping[str, Any]]) -> None:
        """An epoch is done; ``rows`` are the metrics of all so far.

        Raises:
            RunInterruptedError: Somebody asked the training to stop.
        """


class Follower(Keeper):
    """Keeps nothing, and stops where any process was asked to: another one keeps the state.

    Args:
        stop: Whether somebody asked this process to stop.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def stepped(self, take: Take) -> None:
        """Stop where that was asked."""
        if asked_of_any(self._stop):
            raise RunInterruptedError("stopped with the others")

    def epoch_done(self, take: Take, rows: Sequence[Mapping[str, Any]]) -> None:
        """Stop where that was asked."""
        self.stepped(take)


def asked_of_any(stop: Stop) -> bool:
    """Say whether any process was asked to stop: all of them stop after the same step."""
    stop.asked = processes.total(int(stop.asked)) > 0
    return stop.asked


class FolderKeeper(Keeper):
    """Keeps a training in its folder, so that it can be gone on with.

    Args:
        folder: The run directory.
        about: What a training must have in common with the one that the state is of.
        every: Steps between two checkpoints amid an epoch; 0 for none.
        stop: Whether somebody asked the training to stop.
        note: Called with each line that a user should read.

    Attributes:
        kept: Whether the folder holds the state after a step.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        every: int,
        stop: Stop,
        note: Callable[[str], None],
    ) -> None:
        self.kept = False
        self._folder = folder
        self._about = dict(about)
        self._every = every
        self._stop = stop
        self._note = note
        self._steps = 0
        self._lost: str | None = None

    @property
    def file(self) -> Path:
        """The checkpoint, there or not."""
        return self._folder / CHECKPOINT

    def load(self) -> Checkpoint | None:
        """Return the state to go on from; None begins anew.

        Raises:
            RunError: There is one, and it cannot be read.
        """
        if not self.file.is_file():
            return None
        checkpoint, _ = read_checkpoint(self.file)
        self.kept = checkpoint.position.epoch + checkpoint.position.step > 0
        return checkpoint

    def started(self, take: Take) -> None:
        """Write the state before the first step: a target that cannot take it is found now.

        Raises:
            RunError: It cannot be written.
        """
        try:
            write_atomic(self.file, take().to_bytes(self._about))
        except OSError as error:
            raise RunError(
                f"{named_field('out', self._folder)}: cannot be written to "
                f"({error.strerror or error})"
            ) from None

    def stepped(self, take: Take) -> None:
        """Keep the state where it is time; stop where that was asked."""
        self._steps += 1
        if asked_of_any(self._stop):
            self._leave(take())
        elif self._every and self._steps % self._every == 0:
            self._keep(take())

    def epoch_done(self, take: Take, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the state and the metrics; stop where that was asked."""
        checkpoint = take()
        self._keep(checkpoint, rows)
        if asked_of_any(self._stop):
            self._leave(checkpoint)

    def _keep(self, checkpoint: Checkpoint, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        """Write the state; a training goes on without, and says so once."""
        try:
            write_atomic(self.file, checkpoint.to_bytes(self._about))
            if rows:
                write_atomic(self._folder / METRICS, metrics_bytes(rows))
        except OSError as error:
            if self._lost is None:
                self._note(
                    f"{self._folder}: the state of the training cannot be kept "
                    f"({error.strerror or error}); it goes on, and an interruption now loses it"
                )
            self._lost = error.strerror or str(error)
        else:
            self._lost, self.kept = None, True

    def _leave(self, checkpoint: Checkpoint) -> None:
        self._keep(checkpoint)
        at = checkpoint.position
        where = f"step {at.step} of epoch {at.epoch + 1}" if at.step else f"epoch {at.epoch}"
        if self._lost is not None:
            raise RunInterruptedError(
                f"stopped after {where}; {self._folder}: the state cannot be written ({self._lost})"
            )
        raise RunInterruptedError(
            f"stopped after {where}, and kept",
            f"to go on, run it again with {named_field('resume')} and "
            f"{named_field('out', self._folder)}",
        )


def metrics_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the metrics of epochs as CSV, one row each."""
    content: bytes = pd.DataFrame(list(rows)).to_csv(index=False, float_format="%.6g").encode()
    return content
