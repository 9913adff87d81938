"""A training in a folder: held by one process, gone on with where it stopped, never lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from biasaudit import processes
from biasaudit.errors import (
    BiasAuditError,
    RunError,
    RunFailedError,
    RunInterruptedError,
    named_field,
)
from biasaudit.results import sole_writer, write_or_move
from biasaudit.training.batch_size import sized
from biasaudit.training.checkpoint import CHECKPOINT, read_checkpoint
from biasaudit.training.keeper import METRICS, FolderKeeper, Follower
from biasaudit.training.log import EVENTS, STEPS_FILE, logged
from biasaudit.training.loop import Progress, Silent, train
from biasaudit.training.plan import Plan
from biasaudit.training.run_directory import (
    CONFIG,
    WEIGHTS,
    RunRecord,
    make_folder,
    read_run,
    taken,
    unused,
    write_run,
    write_settings,
)
from biasaudit.training.run_records import read_table
from biasaudit.training.signals import stop_on_signals

LOCK = "training.lock"
_OWN = (LOCK, CHECKPOINT, CONFIG, METRICS, STEPS_FILE, EVENTS)
"""What an unfinished training leaves in its folder."""
_WRITTEN = (*_OWN, *(f"{name}.partial" for name in _OWN))
"""That, and what one leaves that was killed while it wrote."""
_WAIT = 10.0
"""Seconds that ``resume`` waits for the loading processes of a killed training to end."""
_FREE = (
    "training.workers",
    "training.device",
    "training.checkpoint_steps",
    "training.log",
    "data.cache",
)
"""Settings that a training may be gone on with under another value."""

Note = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where a run is to be written.

    Attributes:
        out: The folder itself; None makes a new one in ``parent``.
        parent: Gets a folder called by the run's name.
        resume: Go on with a training that stopped; where none did, begin anew.
    """

    out: Path | None
    parent: Path | None
    resume: bool = False


def train_into(plan: Plan, place: Place, progress: Progress, note: Note) -> RunRecord:
    """Train a run into its folder, or go on with it.

    Of several processes the first one holds and writes the folder, and says to the others whether
    there is something to train.

    Args:
        plan: Of the run.
        place: Where to write it.
        progress: Told of every step and epoch.
        note: Called with each line that a user should read.

    Returns:
        The record with its path; of a run that was finished already, as it was read.

    Raises:
        RunError: The folder holds something else, another training writes it, or its state is
            of another training.
        RunFailedError: Training fails, or its result cannot be written where it should.
        RunInterruptedError: Somebody asked for a stop; the state is kept.
    """
    if not processes.first():
        return _follow(plan)
    word = _Word()
    try:
        return _lead(plan, place, progress, note, word)
    except BiasAuditError as error:
        word.give(error)
        raise


class _Word:
    """What the first process says to the others, once: where to train and by how many images."""

    def __init__(self) -> None:
        self._given = False

    def give(self, word: tuple[Path, int] | RunRecord | BiasAuditError) -> None:
        """Say it, unless something was said."""
        if not self._given:
            self._given = True
            processes.told(word)


def _follow(plan: Plan) -> RunRecord:
    """Train with the first process, which holds and writes the folder."""
    word: tuple[Path, int] | RunRecord | BiasAuditError | None = processes.told(None)
    if isinstance(word, BiasAuditError):
        raise word
    if isinstance(word, RunRecord):
        return word
    folder, size = word or (None, 0)
    plan = plan.sized(size) if plan.seeks_batch_size else plan
    with stop_on_signals() as stop, processes.loss_told():
        run = RunRecord.of(plan, train(plan, Silent(), Follower(stop)))
    return replace(run, path=folder)


def _lead(plan: Plan, place: Place, progress: Progress, note: Note, word: _Word) -> RunRecord:
    folder, made = _folder(plan, place)
    there = {file.name for file in folder.iterdir()}
    try:
        with _held(folder, wait=_WAIT if place.resume else 0.0):
            if _finished(folder, there, plan, place.resume):
                note(f"{folder}: finished already")
                (folder / CHECKPOINT).unlink(missing_ok=True)
                found = read_run(folder)
                word.give(found)
                return found
            plan = _sized(plan, folder, note)
            return _train_held(plan, folder, progress, note, word, named=place.out is not None)
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()  # where nothing was kept, and it is empty


def _train_held(
    plan: Plan, folder: Path, progress: Progress, note: Note, word: _Word, *, named: bool
) -> RunRecord:
    """Train into a folder that is held; ``named`` says that the user chose what it is called."""
    with stop_on_signals() as stop:
        every = plan.settings.training.checkpoint_steps
        about = {"images": _images(plan), "processes": processes.count()}
        keeper = FolderKeeper(folder, about, every, stop, note)
        try:
            _begin(folder, plan)
            with logged(plan.settings.training.log, folder, progress) as listener:
                word.give((folder, int(plan.settings.training.batch_size or 1)))
                with processes.loss_told():
                    run = RunRecord.of(plan, train(plan, listener, keeper))
        except BaseException as error:
            if stop.asked and not isinstance(error, BiasAuditError):
                raise _stopped(folder) from error  # its loading processes got the signal too
            # a launcher ends all processes where one is lost, by the signal that asks for a stop
            if not keeper.kept and (not stop.asked or isinstance(error, RunFailedError)):
                _clear(folder)
            raise
        return _finish(folder, run.called(folder) if named else run)


def _sized(plan: Plan, folder: Path, note: Note) -> Plan:
    """Return the plan with a batch size: that of the training begun there, or a new one."""
    if not plan.seeks_batch_size:
        return plan
    if (folder / CHECKPOINT).is_file():  # begun with these settings: looked at already
        return plan.sized(int(read_table(folder / CONFIG)["training"]["batch_size"]))
    return sized(plan, note)


def check_folder(folder: Path, plan: Plan) -> None:
    """Refuse a folder that holds anything but this very training, whether begun or finished.

    Args:
        folder: There or not; nothing in it is changed.
        plan: Of the run.

    Raises:
        RunError: It holds something else, or a training with other settings or images.
    """
    there = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    _refuse_others(folder, there, plan)


def kept_settings(folder: Path) -> Path | None:
    """Return the configuration file of a training that a folder holds, finished or not."""
    file = folder / CONFIG
    return file if file.is_file() else None


def _folder(plan: Plan, place: Place) -> tuple[Path, bool]:
    """Return the folder, and whether it was made here."""
    if place.out is not None:
        there = place.out.is_dir()
        return make_folder(place.out), not there
    parent = place.parent or Path()
    if place.resume and (begun := _last_begun(parent, plan)) is not None:
        return begun, False
    make_folder(parent)
    while True:
        candidate = unused(parent, plan.name)
        try:
            candidate.mkdir()  # fails where another training took the name since
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"{candidate}: cannot be made ({error.strerror})") from None
        return candidate, True


def _last_begun(parent: Path, plan: Plan) -> Path | None:
    """Return the last folder under ``parent`` that holds this very training."""
    found = None
    candidate, number = parent / plan.name, 2
    while candidate.exists():
        if _differences(candidate, plan) == []:
            found = candidate
        candidate, number = parent / f"{plan.name}-{number}", number + 1
    return found


@contextmanager
def _held(folder: Path, wait: float) -> Iterator[None]:
    """Hold the folder: no other training writes it meanwhile."""
    try:
        with sole_writer(folder / LOCK, wait):
            yield
    except TimeoutError:
        raise RunError(
            f"{named_field('out', folder)}: another training writes there", "name another one"
        ) from None


def _finished(folder: Path, there: set[str], plan: Plan, resume: bool) -> bool:
    """Say whether the run stands there already; refuse a folder that holds something else.

    Args:
        folder: Held.
        there: Names of what it held before.
        plan: Of the run.
        resume: Whether a training may be gone on with.
    """
    finished = (folder / WEIGHTS).is_file()
    if finished and not resume:
        raise taken(folder)
    if (folder / CHECKPOINT).is_file() and not resume:
        raise RunError(
            f"{named_field('out', folder)}: holds a training that stopped",
            f"add {named_field('resume')} to go on with it, or name another one",
        )
    _refuse_others(folder, there, plan)
    if finished:
        return True
    for name in _WRITTEN:  # left by a training that was killed while it wrote
        if name.endswith(".partial"):
            (folder / name).unlink(missing_ok=True)
    return False


def _refuse_others(folder: Path, there: set[str], plan: Plan) -> None:
    """Refuse a folder that holds something else than a training, or another training."""
    if (folder / WEIGHTS).is_file():
        _refuse_other_settings(folder, plan)
    elif (folder / CHECKPOINT).is_file():
        _refuse_other_settings(folder, plan)
        _, told = read_checkpoint(folder / CHECKPOINT)
        if told.get("images") != _images(plan):
            raise RunError(
                f"{named_field('out', folder)}: was begun on other images, labels or classes",
                "name another folder",
            )
        began = int(told.get("processes", 1))
        if began != processes.count():
            raise RunError(
                f"{named_field('out', folder)}: was begun by {began} processes, "
                f"not {processes.count()}",
                f"start {began} of them, or name another folder",
            )
    elif there.difference(_WRITTEN) or (there and LOCK not in there):
        raise taken(folder)  # what bears our names is ours where our lock stands beside it


def _images(plan: Plan) -> str:
    """Return a digest of the images, classes and labels that a run is trained on."""
    told: list[Any] = [plan.dataset.classes, plan.labels.to_dict()]
    for name in ("train", "val"):
        samples = plan.dataset.subset(name)
        told.append([(s.id, sorted(s.labels), sorted(s.contexts)) for s in samples])
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()


def _refuse_other_settings(folder: Path, plan: Plan) -> None:
    """Refuse a folder whose training was begun with other settings."""
    differing = _differences(folder, plan)
    if differing is None:
        raise RunError(f"{folder / CONFIG}: cannot be read", "name another folder")
    for name, was, now in differing:
        raise RunError(
            f"{named_field('out', folder)}: was begun with {named_field(name, was)}, "
            f"not {named_field(name, now)}",
            "give the same settings, or name another folder",
        )


def _differences(folder: Path, plan: Plan) -> list[tuple[str, Any, Any]] | None:
    """Return each setting that the folder's training was begun with another value of."""
    now = _flat(json.loads(json.dumps(plan.settings.model_dump(mode="json"), default=str)))
    try:
        was = _flat(read_table(folder / CONFIG))
    except RunError:
        return None
    free = {*_FREE, *(["training.batch_size"] if plan.seeks_batch_size else [])}
    names = [name for name in {**was, **now} if name not in free]
    both = [(name, was.get(name), now.get(name)) for name in names]
    return [(name, before, after) for name, before, after in both if before != after]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return {name: value for name, value in flat.items() if value != {}}


def _begin(folder: Path, plan: Plan) -> None:
    """Write the settings: who finds the folder knows what was begun there."""
    try:
        write_settings(folder, plan.settings)
    except OSError as error:
        raise RunError(
            f"{named_field('out', folder)}: cannot be written to ({error.strerror or error})"
        ) from None


def _stopped(folder: Path) -> RunInterruptedError:
    return RunInterruptedError(
        "stopped at once; the last state that was kept stands",
        f"to go on, run it again with {named_field('resume')} and {named_field('out', folder)}",
    )


def _clear(folder: Path) -> None:
    """Remove what a training wrote that failed before it kept anything of worth."""
    with suppress(OSError):
        for name in _OWN:
            if name not in (LOCK, EVENTS):  # the lock is held
                (folder / name).unlink(missing_ok=True)
        rmtree(folder / EVENTS, ignore_errors=True)


def _finish(folder: Path, run: RunRecord) -> RunRecord:
    """Write the run; where its folder cannot take it, to another that the error names."""
    write_or_move(folder, run.name, lambda place: write_run(place, run))
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return replace(run, path=folder)
