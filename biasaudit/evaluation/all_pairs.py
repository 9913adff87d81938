"""Every object-context pair of a dataset at once: did guidance for one pair spoil another?

From the scores of all classes on val and the held-out subset; each pair's two conflicting groups
are drawn from those images. The answers before and after guidance are compared by
:func:`biasaudit.analysis.worsened`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.data.sample import Dataset, Sample, context_shown
from biasaudit.evaluation.classes import Scores, images_of
from biasaudit.evaluation.predict import Subject, decisions_of
from biasaudit.inputs.tables import join_tables, text_column
from biasaudit.results import PER_IMAGE_COLUMNS

SMALLEST_GROUP = 8


def audit_pairs(
    subject: Subject,
    dataset: Dataset,
    besides: tuple[str, str | None],
    scores: Scores,
) -> tuple[pd.DataFrame, int]:
    """Answer the conflicting images of every object-context pair of a dataset.

    Args:
        subject: The classifier under audit.
        dataset: Its object classes that the model knows, and its contexts, give the pairs.
        besides: The pair that is audited by itself already, and left out here.
        scores: Of every class, of every image of val and the held-out subset.

    Returns:
        Rows with the columns of ``per_image.csv``, overlaps NaN; ``split`` is the pair, as in
        "car/road". And the number of pairs left out for want of images in a group.
    """
    samples = images_of(dataset)
    every = scores.among(samples)
    decisions = decisions_of(every, subject.model.softmax)
    tables, small = [], 0
    for object in (name for name in dataset.classes if name in subject.classes):
        for context in dataset.contexts:
            if (object, context) == besides:
                continue
            column = subject.classes.index(object)
            rows = _rows(object, context, samples, every[:, column], decisions[:, column])
            if rows is None:
                small += 1
            else:
                tables.append(rows)
    empty = pd.DataFrame(columns=list(PER_IMAGE_COLUMNS))
    return (join_tables(tables) if tables else empty), small


def _rows(
    object: str,
    context: str,
    samples: Sequence[Sample],
    scores: NDArray[np.float32],
    decision: NDArray[np.int64],
) -> pd.DataFrame | None:
    """Return the conflicting images of one pair; None where a group has too few."""
    label = np.array([object in sample.labels for sample in samples])
    shown = np.array([context_shown(sample, context, ()) for sample in samples])
    groups = {
        f"{object}-without-{context}": label & (shown == 0),
        f"{context}-without-{object}": ~label & (shown == 1),
    }
    sizes = [int(chosen.sum()) for chosen in groups.values()]
    if min(sizes) < SMALLEST_GROUP:
        return None
    rows = np.concatenate([np.flatnonzero(chosen) for chosen in groups.values()])
    return pd.DataFrame(
        {
            "split": text_column([f"{object}/{context}"] * len(rows)),
            "group": text_column(n for n, chosen in groups.items() for _ in range(chosen.sum())),
            "id": text_column(samples[row].id for row in rows),
            "label": label[rows].astype(int),
            "score": scores[rows].astype(np.float64),
            "decision": decision[rows],
            "correct": (decision == label)[rows].astype(int),
            "context": shown[rows],
        }
    ).reindex(columns=list(PER_IMAGE_COLUMNS))
