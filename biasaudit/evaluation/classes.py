"""Scores and decisions of every class, on every image that the model was not trained on.

The passes of an audit give the scores of all classes at once; only images of val and the held-out
subset that no split holds are passed for them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import RunError
from biasaudit.evaluation.parts import by_process
from biasaudit.evaluation.predict import Subject, batches, decisions_of
from biasaudit.inputs.tables import join_tables
from biasaudit.results import CLASS_COLUMNS, class_rows

HELD_OUT = ("val", "test")
"""Subsets that every image is answered of, if the dataset has them."""


@dataclass(frozen=True)
class Scores:
    """Raw scores of every class of a model.

    Attributes:
        rows: Row of each image, by the sample's id.
        values: (N, C) float32.
    """

    rows: Mapping[str, int]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, ids: Sequence[str], values: Sequence[NDArray[np.float32]]) -> Scores:
        """Return the scores of these images; the last ones where an image stands twice.

        Args:
            ids: N images.
            values: Arrays (n, C), one or more, of N rows together.
        """
        return cls({name: row for row, name in enumerate(ids)}, np.concatenate(values))

    def __contains__(self, id: str) -> bool:
        return id in self.rows

    def among(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        """Return (N, C) the scores of these images."""
        return self.values[[self.rows[sample.id] for sample in samples]]


def images_of(dataset: Dataset) -> list[Sample]:
    """Return the images of val and the held-out subset, each once."""
    found = {s.id: s for name in HELD_OUT if name in dataset.subsets for s in dataset.subset(name)}
    return list(found.values())


def scores_of(
    subject: Subject,
    samples: Sequence[Sample],
    passed: Scores | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> Scores:
    """Return the scores of all classes of some images; those passed already are not passed again.

    Args:
        subject: The classifier under audit.
        samples: The images.
        passed: Scores that are known; they stand in what is returned.
        tell: Called with the number of images just done.
    """
    known = passed or Scores({}, np.zeros((0, len(subject.classes)), dtype=np.float32))
    open_ = [sample for sample in samples if sample.id not in known]

    @torch.no_grad()
    def part(own: Sequence[Sample], start: int) -> NDArray[np.float32]:
        found: list[NDArray[np.float32]] = []
        for batch in batches(subject, own, ()):
            scores = subject.model(batch.images.to(subject.device)).scores
            found.append(scores.float().cpu().numpy())
            tell(len(batch))
        return np.concatenate(found)

    if not open_:
        return known
    places = range(len(known.values), len(known.values) + len(open_))
    rows = {**known.rows, **{s.id: row for s, row in zip(open_, places, strict=True)}}
    found = by_process(open_, subject.batch_size, part)
    return Scores(rows, np.concatenate([known.values, *found]))


def answer_classes(subject: Subject, dataset: Dataset, scores: Scores) -> pd.DataFrame:
    """Return the decisions on every class that dataset and model know, subset by subset.

    Args:
        subject: The classifier under audit.
        dataset: Its subsets but ``train`` are answered, as far as all their images have scores.
        scores: Of every image.

    Returns:
        Columns as in :data:`biasaudit.results.CLASS_COLUMNS`.

    Raises:
        RunError: A score is no number.
    """
    known = [name for name in subject.classes if name in dataset.classes]
    columns = [subject.classes.index(name) for name in known]
    tables = []
    for subset, samples in dataset.subsets.items():
        if subset == "train" or not samples or not all(s.id in scores for s in samples):
            continue
        every = scores.among(samples)
        _check(every[:, columns], known, samples)
        labels = np.array(
            [name in sample.labels for sample in samples for name in known], dtype=bool
        )
        tables.append(
            class_rows(
                subset,
                [sample.id for sample in samples],
                known,
                labels=labels,
                scores=every[:, columns],
                decisions=decisions_of(every, subject.model.softmax)[:, columns],
                top=decisions_of(every, True)[:, columns],
            )
        )
    return join_tables(tables) if tables else pd.DataFrame(columns=list(CLASS_COLUMNS))


def _check(scores: NDArray[np.float32], classes: Sequence[str], samples: Sequence[Sample]) -> None:
    wrong = np.argwhere(np.isnan(scores))
    if len(wrong):
        row, column = wrong[0]
        raise RunError(
            f"the model's score of '{classes[column]}' for image '{samples[row].id}' is not a "
            "number",
            "its training may have diverged, or its weights do not fit",
        )
