"""Scores and decisions of every class, on every image that the model was not trained on.

The passes of an audit give the scores of all classes at once; only images of val and the held-out
subset that no split holds are passed for them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import RunError
from biasaudit.evaluation.parts import by_process
from biasaudit.evaluation.predict import Subject, batches, decisions_of
from biasaudit.results import CLASS_COLUMNS, class_rows, join_classes

HELD_OUT = ("val", "test")
"""Subsets that every image is answered of, if the dataset has them."""

Scores = Mapping[str, NDArray[np.float32]]
"""(C,) raw scores of every class of the model, by the sample's id."""


def images_of(dataset: Dataset) -> list[Sample]:
    """Return the images of val and the held-out subset, each once."""
    found = {s.id: s for name in HELD_OUT if name in dataset.subsets for s in dataset.subset(name)}
    return list(found.values())


def scores_of(
    subject: Subject,
    samples: Sequence[Sample],
    passed: Scores | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> dict[str, NDArray[np.float32]]:
    """Return the scores of all classes of some images; those passed already are not passed again.

    Args:
        subject: The classifier under audit.
        samples: The images.
        passed: Scores that are known, by id.
        tell: Called with the number of images just done.
    """
    known = dict(passed or {})
    open_ = [sample for sample in samples if sample.id not in known]

    @torch.no_grad()
    def part(own: Sequence[Sample], start: int) -> Scores:
        found: dict[str, NDArray[np.float32]] = {}
        for batch in batches(subject, own, ()):
            scores = subject.model(batch.images.to(subject.device)).scores.float().cpu().numpy()
            found |= {own[i].id: scores[k] for k, i in enumerate(batch.indices.tolist())}
            tell(len(batch))
        return found

    for found in by_process(open_, subject.batch_size, part):
        known |= found
    return known


def answer_classes(subject: Subject, dataset: Dataset, scores: Scores) -> pd.DataFrame:
    """Return the decisions on every class that dataset and model know, subset by subset.

    Args:
        subject: The classifier under audit.
        dataset: Its subsets but ``train`` are answered, as far as all their images have scores.
        scores: Of every image, by id.

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
        every = np.stack([scores[sample.id] for sample in samples])
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
    return join_classes(tables) if tables else pd.DataFrame(columns=list(CLASS_COLUMNS))


def _check(scores: NDArray[np.float32], classes: Sequence[str], samples: Sequence[Sample]) -> None:
    wrong = np.argwhere(np.isnan(scores))
    if len(wrong):
        row, column = wrong[0]
        raise RunError(
            f"the model's score of '{classes[column]}' for image '{samples[row].id}' is not a "
            "number",
            "its training may have diverged, or its weights do not fit",
        )
