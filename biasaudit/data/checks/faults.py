"""What a reader does about a fault in a dataset: refuse it at once, or note it and go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from biasaudit.errors import DataError
from biasaudit.inputs.files import LINKS_VARIABLE

UNREADABLE = "unreadable"
MISSING = "missing file"
WRONG_SIZE = "wrong size"
NO_CLASS = "mask without its class"
NO_NAME = "class without a name"
DUPLICATE = "duplicate id"
LEAK = "in train and held out"
NEAR_DUPLICATE = "near-duplicate of a training image"
OUTSIDE = "path outside the root"
ANNOTATION = "faulty annotation"
OUTLYING = "box outside its image"
EMPTY = "region without a pixel"
NOT_TRAINED = "nothing to train on"

TOLERATED = frozenset({NO_CLASS, OUTLYING, EMPTY})
"""What no reader refuses: the region is left out or cut, and ``data check`` says so."""


def leading_out(path: Path) -> DataError:
    """Return the error of a file that is a link to one outside the dataset's folders."""
    return DataError(
        f"{path}: is a link that leads out of the dataset's folders",
        f"put the file itself there, or set {LINKS_VARIABLE}=1",
    )


def dangling(path: Path) -> DataError:
    """Return the error of a link that leads nowhere."""
    return DataError(f"{path}: is a link that leads nowhere", "mend it or take it out")


@dataclass(frozen=True, order=True)
class Fault:
    """One fault of a dataset.

    Attributes:
        file: The file that has it, or that says it of an image.
        kind: One of the names above.
        message: What is wrong, without the file.
        hint: The way out; empty where the message says it already.
    """

    file: str
    kind: str
    message: str
    hint: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the fault as JSON takes it."""
        return asdict(self)


Complain = Callable[[str, DataError], None]
"""Told of a fault's kind and of the fault; the reader leaves out what is faulty if it returns."""


def refuse(kind: str, error: DataError) -> None:
    """Refuse a dataset at its first fault, as everything but ``data check`` does."""
    if kind not in TOLERATED:
        raise error


class Notebook:
    """Notes faults instead of refusing them; call it where a :data:`Complain` is wanted."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __call__(self, kind: str, error: DataError) -> None:
        """Note a fault; its message begins with the file's name and a colon."""
        file, _, message = error.message.partition(": ")
        self.faults.append(Fault(file, kind, message, error.hint))
