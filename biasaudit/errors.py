"""Every error that a user can cause, as one tree.

::

    BiasAuditError            one line that says what is wrong, one hint that says the way out
    ├── ConfigError           a setting, an option or a name that does not exist
    ├── DataError             a dataset, an image, a mask or an annotation that cannot be used
    ├── RunError              a folder that is not a run, or a run that lacks what is asked of it
    └── RunFailedError        a run that began well and could not be finished   (exit code 3)

The command line prints ``error: message`` and the hint, without a traceback, and exits with
``exit_code``. Any other exception is a defect of this program and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BiasAuditError(Exception):
    """A problem that the user can solve.

    Args:
        message: What is wrong, naming the file or the option and the field.
        hint: The way out, as an instruction. Empty where the message says it already.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "", *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ConfigError(BiasAuditError):
    """A setting, an option or a name that does not exist or does not fit."""


class DataError(BiasAuditError):
    """A dataset, an image, a mask or an annotation that cannot be used."""


class RunError(BiasAuditError):
    """A folder that is not a run, or a run that lacks what is asked of it."""


class RunFailedError(BiasAuditError):
    """A run that began well and could not be finished."""

    exit_code = 3


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
