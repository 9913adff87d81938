"""The table ``classes.csv``: one row an image and class, the decision on each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from biasaudit.errors import RunError
from biasaudit.inputs.files import Source
from biasaudit.inputs.tables import read_frame

CLASS_COLUMNS = (
    "subset",  # "val", "test"
    "id",  # the sample's id
    "class",  # an object class that both the dataset and the model know
    "label",  # 1: the class is there, 0: it is not
    "score",  # its raw score (log-odds)
    "decision",  # 1: yes, by a score above 0; where one class is chosen: this one is
    "correct",  # 1 where decision equals label
    "top",  # 1 where no other class of the model has a higher score
)
_TEXTS = ("subset", "id", "class")
_ANSWERS = ("label", "decision", "correct", "top")


def class_rows(
    subset: str,
    ids: Sequence[str],
    classes: Sequence[str],
    *,
    labels: ArrayLike,
    scores: ArrayLike,
    decisions: ArrayLike,
    top: ArrayLike,
) -> pd.DataFrame:
    """Return the rows of one subset, image by image.

    Args:
        subset: Its name.
        ids: N images.
        classes: C classes.
        labels: (N, C) 1 where the class is there.
        scores: (N, C) raw scores.
        decisions: (N, C) 1 where the answer is yes.
        top: (N, C) 1 where no other class has a higher score.
    """
    label, decision = (np.asarray(values).astype(int).ravel() for values in (labels, decisions))
    columns = {
        "subset": subset,
        "id": np.repeat(np.asarray(ids, dtype=object), len(classes)),
        "class": np.tile(np.asarray(classes, dtype=object), len(ids)),
        "label": label,
        "score": np.asarray(scores, dtype=np.float32).ravel(),
        "decision": decision,
        "correct": (label == decision).astype(int),
        "top": np.asarray(top).astype(int).ravel(),
    }
    return pd.DataFrame(columns, columns=list(CLASS_COLUMNS))


def read_classes(file: Path) -> pd.DataFrame:
    """Read a table of classes, columns as in :data:`CLASS_COLUMNS`.

    Raises:
        RunError: The file cannot be read, lacks a column, or holds a value that the column
            cannot have.
    """
    again = "evaluate the run again"
    table = read_frame(Source(file, RunError, hint=again), _TEXTS)
    missing = [column for column in CLASS_COLUMNS if column not in table]
    if missing:
        raise RunError(f"{file}: no column '{missing[0]}'", again)
    for column in _ANSWERS:
        _refuse(file, ~table[column].isin(("0", "1")), f"{column} is neither 0 nor 1")
        table[column] = table[column].astype(int)
    score = pd.to_numeric(table["score"], errors="coerce")
    _refuse(file, ~np.isfinite(score), "score is not a number")
    table["score"] = score.astype(np.float32)
    wrong = table["correct"] != (table["decision"] == table["label"])
    _refuse(file, wrong, "correct is not what label and decision say")
    _refuse(file, table.duplicated(list(_TEXTS)), "the image and class stand twice")
    return table


def _refuse(file: Path, wrong: pd.Series, what: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0]) + 2
        raise RunError(f"{file}: row {row}: {what}", "evaluate the run again")
