"""Every error that a user can cause, as one tree.

::

    BiasAuditError            one line that says what is wrong, one hint that says the way out
    ├── ConfigError           a setting, an option or a name that does not exist
    ├── DataError             a dataset, an image, a mask or an annotation that cannot be used
    ├── RunError              a folder that is not a run, or a run that lacks what is asked of it
    ├── RunFailedError        a run that began well and could not be finished   (exit code 3)
    └── RunInterruptedError   a run that somebody stopped                       (exit code 130)

A message or a hint names a field, which is an argument or a setting, by :func:`named_field`::

    raise DataError(
        f"{named_field('data.pixel_labels', 15)}: only 14 training images have a region",
        f"ask for 14 at most, or add {named_field('data.box_labels', 'N')}",
    )

A Python caller reads ``pixel_labels=15: only 14 training images have a region; ask for 14 at most,
or add box_labels=N`` and finds ``data.pixel_labels`` in the error's ``field``. The command line
writes the same error with a flag in place of each field (``biasaudit.cli.flags``); no text outside
``cli/`` holds a flag.

The command line prints ``error: message`` and the hint, without a traceback, and exits with
``exit_code``. Any other exception is a defect of this program and keeps its traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

WriteField = Callable[[str, bool], str]
"""A field's name, and whether a value follows, to what a reader sees in its place."""

# Two control characters, which no name and no path holds, set a field apart from the text around
# it. Errors alone resolve them: a note or a warning names no field.
_FIELD = re.compile("\x02([^\x02\x03]+?)(=?)\x03")


def named_field(field: str, value: object = None) -> str:
    """Name a field in the message or the hint of an error.

    Args:
        field: A setting by its dotted name (``data.pixel_labels``), or an argument (``split``).
        value: What was given, or what to give, such as ``N``; None names the field alone.
    """
    return f"\x02{field}\x03" if value is None else f"\x02{field}=\x03{value}"


def as_argument(field: str, valued: bool) -> str:
    """Write a field as a Python caller does: ``data.pixel_labels`` as ``pixel_labels=``.

    A setting of a section is called by its last part; one that lies deeper keeps its dotted name.
    """
    name = field.partition(".")[2] if field.count(".") == 1 else field
    return name + "=" * valued


class BiasAuditError(Exception):
    """A problem that the user can solve.

    Args:
        message: What is wrong, naming the file or the field.
        hint: The way out, as an instruction. Empty where the message says it already.
        field: The field at fault; the first one that the message names unless given.

    Attributes:
        message: What is wrong, as a Python caller reads it.
        hint: The way out, likewise.
        field: Dotted name of the setting at fault (``data.pixel_labels``) or name of the argument
            (``split``); None where a file is at fault or several are.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "", *, field: str | None = None) -> None:
        found = _FIELD.search(message)
        self._texts = (message, hint)
        self.message, self.hint = self.written(as_argument)
        self.field = field or (found[1] if found else None)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def written(self, write: WriteField) -> tuple[str, str]:
        """Return message and hint with their fields in a reader's own writing.

        Args:
            write: How a field is written.
        """
        message, hint = (_FIELD.sub(lambda f: write(f[1], bool(f[2])), t) for t in self._texts)
        return message, hint


class ConfigError(BiasAuditError):
    """A setting, an option or a name that does not exist or does not fit."""


class DataError(BiasAuditError):
    """A dataset, an image, a mask or an annotation that cannot be used."""


class RunError(BiasAuditError):
    """A folder that is not a run, or a run that lacks what is asked of it."""


class RunFailedError(BiasAuditError):
    """A run that began well and could not be finished."""

    exit_code = 3


class RunInterruptedError(BiasAuditError):
    """A run that somebody stopped, by SIGINT or SIGTERM."""

    exit_code = 130


def near_names(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known name, or all of them.

    Args:
        name: What the user wrote.
        known: The names that exist.
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'? known: {', '.join(names)}"
    return f"known: {', '.join(names)}" if names else "none is known here"
