"""The table ``classes.csv``: one row an image and class, the decision on each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from biasaudit.errors import RunError
from biasaudit.inputs.files import Source
from biasaudit.inputs.tables import read_frame, stands_twice
from biasaudit.results.files import refuse_row

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
    """Return the rows of one subset, image by image; texts as categories, answers as bytes.

    Args:
        subset: Its name.
        ids: N images.
        classes: C classes.
        labels: (N, C) 1 where the class is there.
        scores: (N, C) raw scores.
        decisions: (N, C) 1 where the answer is yes.
        top: (N, C) 1 where no other class has a higher score.
    """
    label, decision, chosen = (
        np.asarray(values).astype(np.int8).ravel() for values in (labels, decisions, top)
    )
    places = np.arange(len(classes), dtype=np.int32), np.arange(len(ids), dtype=np.int32)
    columns = {
        "subset": _named(np.zeros(len(label), dtype=np.int8), [subset]),
        "id": _named(np.repeat(places[1], len(classes)), ids),
        "class": _named(np.tile(places[0], len(ids)), classes),
        "label": label,
        "score": np.asarray(scores, dtype=np.float32).ravel(),
        "decision": decision,
        "correct": (label == decision).astype(np.int8),
        "top": chosen,
    }
    return pd.DataFrame(columns, columns=list(CLASS_COLUMNS))


def _named(
    places: NDArray[np.integer], names: Sequence[str] | NDArray[np.object_]
) -> pd.Categorical:
    """Return texts as their places among names, of which none stands twice."""
    return pd.Categorical.from_codes(places, categories=pd.Index(names, dtype=object))


def read_classes(file: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table of classes, columns as in :data:`CLASS_COLUMNS`.

    Args:
        file: The CSV.
        columns: Those that are kept, beside subset, id and class; all where None. The others are
            checked all the same.

    Raises:
        RunError: The file cannot be read, lacks a column, or holds a value that the column
            cannot have.
    """
    source = Source(file, RunError, hint="evaluate the run again")
    kept = CLASS_COLUMNS if columns is None else (*_TEXTS, *columns)
    table = read_frame(source, _TEXTS, lambda rows: _checked(file, rows)[list(kept)])
    refuse_row(file, stands_twice(table, _TEXTS), "the image and class stand twice")
    return table


def _checked(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return rows of texts as rows of the table."""
    missing = [column for column in CLASS_COLUMNS if column not in table]
    if missing:
        raise RunError(f"{file}: no column '{missing[0]}'", "evaluate the run again")
    for column in _ANSWERS:
        refuse_row(file, ~table[column].isin(("0", "1")), f"{column} is neither 0 nor 1")
        table[column] = table[column].astype(np.int8)
    score = pd.to_numeric(table["score"], errors="coerce")
    refuse_row(file, ~np.isfinite(score), "score is not a number")
    table["score"] = score.astype(np.float32)
    wrong = table["correct"] != (table["decision"] == table["label"])
    refuse_row(file, wrong, "correct is not what label and decision say")
    for column in _TEXTS:
        table[column] = _named(*pd.factorize(table[column].to_numpy(dtype=object)))
    return table
