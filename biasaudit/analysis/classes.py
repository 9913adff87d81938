"""Every class's decisions: recall, precision, and where an image has one class, the confusion."""

from __future__ import annotations

import numpy as np
import pandas as pd

from biasaudit.results import ClassAnswers, ClassFigures, Confusion, Interval
from biasaudit.statistics import rate, wilson_interval


def class_answers(table: pd.DataFrame) -> dict[str, ClassAnswers]:
    """Return the figures of every class, by subset.

    Args:
        table: One row an image and class (:data:`biasaudit.results.CLASS_COLUMNS`).
    """
    subsets = list(table["subset"].unique())
    return {str(subset): _answers(table[table["subset"] == subset]) for subset in subsets}


def _answers(rows: pd.DataFrame) -> ClassAnswers:
    names = [str(name) for name in rows["class"].unique()]
    found = {name: _figures(rows[rows["class"] == name]) for name in names}
    images, kinds = pd.factorize(rows["id"])
    answers = ClassAnswers(n=len(kinds), classes=found)
    labels = np.bincount(images, weights=rows["label"])
    if len(names) > 1 and (labels == 1).all():
        answers.confusion = _confusion(rows, names)
        right = sum(answers.confusion.counts[i][i] for i in range(len(names)))
        answers.top_1, answers.top_1_ci = _share(right, answers.n)
    return answers


def _figures(rows: pd.DataFrame) -> ClassFigures:
    there, said = rows["label"] == 1, rows["decision"] == 1
    right = int((there & said).sum())
    recall, recall_ci = _share(right, int(there.sum()))
    precision, precision_ci = _share(right, int(said.sum()))
    return ClassFigures(
        n=int(there.sum()),
        recall=recall,
        recall_ci=recall_ci,
        predicted=int(said.sum()),
        precision=precision,
        precision_ci=precision_ci,
    )


def _share(right: int, n: int) -> tuple[float | None, Interval | None]:
    return (rate(right, n), wilson_interval(right, n)) if n else (None, None)


def _confusion(rows: pd.DataFrame, names: list[str]) -> Confusion:
    rows = rows.astype({"id": object, "class": object})
    place = {name: i for i, name in enumerate(names)}
    own = rows[rows["label"] == 1].set_index("id")["class"].map(place)
    tops = rows[rows["top"] == 1].drop_duplicates("id").set_index("id")["class"].map(place)
    chosen = tops.reindex(own.index).fillna(len(names)).astype(int)
    counts = np.zeros((len(names), len(names) + 1), dtype=int)
    np.add.at(counts, (own.to_numpy(), chosen.to_numpy()), 1)
    return Confusion(
        classes=names, counts=counts[:, :-1].tolist(), elsewhere=counts[:, -1].tolist()
    )
