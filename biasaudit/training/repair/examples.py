"""What a refit sees: features of training images, of copies and edits of them, and of val."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from biasaudit.data.annotation.labels import LabelChoice
from biasaudit.data.loading.batches import SampleTensors, region_square
from biasaudit.data.sample import Dataset, Sample, context_shown
from biasaudit.errors import DataError, named_field
from biasaudit.training.repair.augment import augmented_copies, one_thread
from biasaudit.training.repair.edits import KINDS, Edit, assign_folds, make_edits
from biasaudit.training.repair.features import FeatureReader, Features
from biasaudit.training.repair.options import RepairOptions, Tell
from biasaudit.training.repair.refit import CROPPED, EDITED, ORIGINAL, Examples

WHOLE, PART = 0.7, 0.35
"""Smallest share of an image's area that a copy shows. An object must not be cut off unseen, nor a
context whose label is read, nor a thing that is labelled in images without the object."""


def train_examples(
    reader: FeatureReader,
    dataset: Dataset,
    object: str,
    labels: LabelChoice,
    size: int,
    options: RepairOptions,
    tell: Tell,
) -> tuple[Examples, dict[str, int]]:
    """Return originals, augmented copies, edits and crops, and how many edits of each kind.

    Args:
        reader: Gives features.
        dataset: Its ``train`` is used.
        object: The audited class.
        labels: Which images give their regions.
        size: Side S in px.
        options: How.
        tell: Called with what is counted and how many more.

    Raises:
        DataError: Context labels are to be read that nobody gave.
    """
    samples = dataset.subset("train")
    images = SampleTensors(samples, dataset.classes, size)
    answers = np.array([object in sample.labels for sample in samples])
    shown = _contexts(samples, options.contexts, dataset.classes)
    folds = assign_folds(samples, object, options.folds, options.seed)
    made: list[Edit] = []
    counted = dict.fromkeys(KINDS, 0)
    parts = [reader(_pixels(images), lambda n: tell("images", n))]
    keep = bool(options.contexts) or any(entry.object != object for entry in labels.entries)
    least = [WHOLE if keep or answer else PART for answer in answers]
    for number in range(options.augmented):
        made_so = augmented_copies(samples, lambda i: images[i].image, least, number, options.seed)
        parts.append(reader(one_thread(made_so), lambda n: tell("images", n)))
    regions = _regions(samples, labels, size)
    grounds = {row: np.flatnonzero(~answers & (folds == folds[row])).tolist() for row in regions}
    edits = make_edits(
        samples,
        lambda i: images[i].image,
        regions,
        grounds,
        options.edits,
        options.seed,
        answers.tolist(),
    )
    parts.append(reader(one_thread(_noted(edits, made)), lambda n: tell("edits", n)))
    for edit in made:
        counted[edit.kind] += 1
    copies = len(parts) - 1
    numbers = np.arange(len(samples))
    sources = np.array([edit.source for edit in made], dtype=np.int64)
    origins = [CROPPED if KINDS[edit.kind].crop else EDITED for edit in made]
    examples = Examples(
        np.concatenate(parts),
        np.concatenate([*[answers] * copies, np.array([e.answer for e in made], dtype=bool)]),
        np.array([ORIGINAL] * (copies * len(samples)) + origins, dtype=np.int64),
        np.concatenate([*[numbers] * copies, sources]),
        np.concatenate([*[folds] * copies, folds[sources]]),
        np.zeros(copies * len(samples) + len(made)),
        None if shown is None else _for_rows(shown, copies, len(made)),
    )
    return examples, counted


def _for_rows(shown: NDArray[np.bool_], copies: int, edits: int) -> NDArray[np.bool_]:
    """Repeat what images show for each of their copies; of edits nothing is said."""
    return np.concatenate([shown] * copies + [np.zeros((edits, shown.shape[1]), dtype=bool)])


def _contexts(
    samples: Sequence[Sample], names: Sequence[str], classes: Sequence[str]
) -> NDArray[np.bool_] | None:
    """Return which contexts each image shows, (N, A); None where no label is to be read.

    Raises:
        DataError: Nobody said of an image whether it shows one of them.
    """
    if not names:
        return None
    shown = np.array([[context_shown(s, name, classes) for name in names] for s in samples])
    for name, column in zip(names, shown.T, strict=True):
        if np.isnan(column).any():
            raise DataError(
                f"{named_field('context_labels', name)}: {int(np.isnan(column).sum())} of "
                f"{len(samples)} training images are not annotated for it",
                "name contexts that every training image is annotated for",
                field="context_labels",
            )
    return np.asarray(shown > 0)


def val_examples(
    reader: FeatureReader, dataset: Dataset, object: str, size: int, tell: Tell
) -> Examples:
    """Return the val subset, every image once; arguments as for :func:`train_examples`."""
    samples = dataset.subset("val")
    features: Features = reader(
        _pixels(SampleTensors(samples, dataset.classes, size, keep=False)),
        lambda n: tell("images", n),
    )
    count = len(samples)
    zeros: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
    answers = np.array([object in sample.labels for sample in samples])
    return Examples(features, answers, zeros, np.arange(count), zeros, np.zeros(count))


def _pixels(images: SampleTensors) -> Iterator[Tensor]:
    return (images[number].image for number in range(len(images)))


def _regions(samples: Sequence[Sample], labels: LabelChoice, size: int) -> dict[int, Tensor]:
    places = {sample.id: number for number, sample in enumerate(samples)}
    return {
        places[entry.id]: region_square(
            samples[places[entry.id]], entry.object, size, entry.form
        ).float()
        for entry in labels.entries
    }


def _noted(edits: Iterable[Edit], made: list[Edit]) -> Iterator[Tensor]:
    """Pass edited images on, and note all but their pixels."""
    for edit in edits:
        made.append(replace(edit, image=edit.image[:, :0, :0]))
        yield edit.image
