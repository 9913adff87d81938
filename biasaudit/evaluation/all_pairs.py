"""Every object-context pair of a dataset at once: did guidance for one pair spoil another?

One pass over the images gives the scores of all classes, and each pair's two conflicting groups
are drawn from those images. The answers before and after guidance are compared by
:func:`biasaudit.analysis.worsened`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from biasaudit.data.sample import Dataset, Sample, context_shown
from biasaudit.evaluation.predict import Subject, batches
from biasaudit.results import PER_IMAGE_COLUMNS

FROM = ("val", "test")
"""Subsets that the groups are drawn from: all that the model was not trained on."""
SMALLEST_GROUP = 8


def audit_pairs(
    subject: Subject,
    dataset: Dataset,
    besides: tuple[str, str | None],
    tell: Callable[[int], None] = lambda _: None,
) -> tuple[pd.DataFrame, int]:
    """Answer the conflicting images of every object-context pair of a dataset.

    Args:
        subject: The classifier under audit.
        dataset: Its object classes that the model knows, and its contexts, give the pairs.
        besides: The pair that is audited by itself already, and left out here.
        tell: Called with the number of images just done.

    Returns:
        Rows with the columns of ``per_image.csv``, overlaps NaN; ``split`` is the pair, as in
        "car/road". And the number of pairs left out for want of images in a group.
    """
    samples = images_of(dataset)
    scores = _scores(subject, samples, tell)
    tables, small = [], 0
    for object in (name for name in dataset.classes if name in subject.classes):
        for context in dataset.contexts:
            if (object, context) == besides:
                continue
            rows = _rows(object, context, samples, scores[:, subject.classes.index(object)])
            if rows is None:
                small += 1
            else:
                tables.append(rows)
    empty = pd.DataFrame(columns=list(PER_IMAGE_COLUMNS))
    return (pd.concat(tables, ignore_index=True) if tables else empty), small


def images_of(dataset: Dataset) -> list[Sample]:
    """Return the images that pairs are drawn from, each once."""
    found = {s.id: s for name in FROM if name in dataset.subsets for s in dataset.subset(name)}
    return list(found.values())


def _scores(
    subject: Subject, samples: Sequence[Sample], tell: Callable[[int], None]
) -> NDArray[np.float64]:
    """Return (N, C) raw scores."""
    parts = []
    with torch.no_grad():
        for batch in batches(subject, samples, ()):
            parts.append(subject.model(batch.images.to(subject.device)).scores.float().cpu())
            tell(len(batch))
    return np.asarray(torch.cat(parts).double().numpy())


def _rows(
    object: str, context: str, samples: Sequence[Sample], scores: NDArray[np.float64]
) -> pd.DataFrame | None:
    """Return the conflicting images of one pair; None where a group has too few."""
    label = np.array([object in sample.labels for sample in samples])
    shown = np.array([context_shown(sample, context, ()) for sample in samples])
    groups = {
        f"{object}-without-{context}": label & (shown == 0),
        f"{context}-without-{object}": ~label & (shown == 1),
    }
    if min(int(chosen.sum()) for chosen in groups.values()) < SMALLEST_GROUP:
        return None
    decision = (scores > 0).astype(int)
    every = pd.DataFrame(
        {
            "split": f"{object}/{context}",
            "group": "",
            "id": [sample.id for sample in samples],
            "label": label.astype(int),
            "score": scores,
            "decision": decision,
            "correct": (decision == label).astype(int),
            "context": shown,
        }
    ).reindex(columns=list(PER_IMAGE_COLUMNS))
    return pd.concat([every[chosen].assign(group=group) for group, chosen in groups.items()])
