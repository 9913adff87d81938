"""Where a result goes whose folder cannot take it, and whole folders."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from biasaudit.errors import RunError, RunFailedError, named_field
from biasaudit.results.locking import sole_writer

_PATIENCE = 30.0
"""Seconds to wait for another process that writes a folder of the same name."""
Write = Callable[[Path], None]
"""Writes something into a folder; raises OSError where that fails."""


def try_folder(folder: Path, field: str = "out", hint: str = "name another folder") -> None:
    """Find out whether a folder can be written, before hours are spent on what goes there.

    Nothing is left of the trial, also where the folder is not there yet.

    Args:
        folder: Where something is to be written.
        field: The option that names it.
        hint: The way out.

    Raises:
        RunError: It cannot be made or written to.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunError(
            f"{named_field(field, folder)}: cannot be written to ({error.strerror or error})", hint
        ) from None
    finally:
        with suppress(OSError):
            for place in made:
                place.rmdir()


def write_or_move(folder: Path, name: str, write: Write) -> None:
    """Write a result to its folder; where that fails, to another that the error names.

    Args:
        folder: Where it belongs.
        name: What it is called.
        write: Writes it.

    Raises:
        RunFailedError: It is elsewhere, or nowhere.
    """
    try:
        write(folder)
    except OSError as error:
        reason = f"{named_field('out', folder)}: '{name}' cannot be written there "
        reason += f"({error.strerror or error})"
    else:
        return
    for parent in (tempfile.gettempdir, os.getcwd, Path.home):
        try:
            other = Path(tempfile.mkdtemp(prefix="biasaudit-", dir=parent()))
        except (OSError, RuntimeError):
            continue
        try:
            write(other)
        except OSError:
            shutil.rmtree(other, ignore_errors=True)
            continue
        raise RunFailedError(f"{reason}; it is in {other}", "move it where it is to stay")
    raise RunFailedError(f"{reason}, nor in a folder for temporary files", "free some space")


def write_whole(folder: Path, write: Write) -> None:
    """Write a new folder whole or not at all.

    One that is not there yet is written beside its place and then renamed; what a killed process
    left there is removed. One that is there (it may be a volume of its own, whose name cannot be
    taken) is emptied again where writing fails.

    Args:
        folder: Not there yet, or empty.
        write: Writes what it is to hold, last of all what makes it valid.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    if folder.is_dir():
        try:
            write(folder)
        except BaseException:
            for left in folder.iterdir():
                left.unlink(missing_ok=True)
            raise
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.partial")
    with sole_writer(folder.with_name(f".{folder.name}.lock"), _PATIENCE):
        if draft.is_dir():
            shutil.rmtree(draft)
        draft.mkdir()
        try:
            write(draft)
            draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
