"""From samples to what a refit sees: features of originals, of their edits, and of val."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biasaudit.data.annotation.labels import LabelChoice, LabelForm
from biasaudit.data.loading.batches import SampleTensors, region_square
from biasaudit.data.sample import Dataset, Sample, context_shown
from biasaudit.errors import DataError, named_field
from biasaudit.training.repair.edits import KINDS, Edit, EditRecipe, assign_folds, make_edits
from biasaudit.training.repair.features import FeatureReader, Features
from biasaudit.training.repair.refit import CROPPED, EDITED, ORIGINAL, Examples

Tell = Callable[[str, int], None]


@dataclass(frozen=True)
class TrainingImages:
    """The training images of a repair.

    Attributes:
        samples: N of them.
        images: Their pixels.
        answers: (N,) bool: whether each shows the object.
        folds: (N,) cross-validation fold of each.
        shown: (N, A) which contexts each shows; None where no context label is read.
        regions: By the number of a labelled image, its (S, S) region.
        forms: By the number of a labelled image, how that was given.
    """

    samples: Sequence[Sample]
    images: SampleTensors
    answers: NDArray[np.bool_]
    folds: NDArray[np.int64]
    shown: NDArray[np.bool_] | None
    regions: Mapping[int, Tensor]
    forms: Mapping[int, LabelForm]

    def pixels(self, number: int) -> Tensor:
        """Return the (3, S, S) uint8 image of a number."""
        return self.images.unmirrored(number)

    def edits(self, regions: Mapping[int, Tensor], recipe: EditRecipe, seed: int) -> Iterator[Edit]:
        """Yield the edits of images by their regions; grounds are of the same fold."""
        grounds = {
            row: np.flatnonzero(~self.answers & (self.folds == self.folds[row])).tolist()
            for row in regions
        }
        return make_edits(
            self.samples, self.pixels, regions, grounds, recipe, seed, self.answers.tolist()
        )


def training_images(
    dataset: Dataset,
    object: str,
    labels: LabelChoice,
    size: int,
    contexts: Sequence[str],
    folds: int,
    seed: int,
) -> TrainingImages:
    """Read what a repair knows of the training images.

    Args:
        dataset: Its ``train`` is used.
        object: The audited class.
        labels: Which images give their regions.
        size: Side S in px.
        contexts: Whose labels of all images are read.
        folds: Cross-validation folds, 2 or more.
        seed: Of the folds, 0 or more.

    Raises:
        DataError: An image is not annotated for one of ``contexts``.
    """
    samples = dataset.subset("train")
    return TrainingImages(
        samples,
        SampleTensors(samples, dataset.classes, size),
        np.array([object in sample.labels for sample in samples]),
        assign_folds(samples, object, folds, seed),
        _contexts(samples, contexts, dataset.classes),
        *regions_of(samples, object, labels, size),
    )


def train_examples(
    reader: FeatureReader,
    training: TrainingImages,
    recipe: EditRecipe,
    seed: int,
    flip: bool,
    tell: Tell,
) -> tuple[Examples, dict[str, int]]:
    """Return originals, mirrored originals, edits and crops, and how many edits of each kind.

    Args:
        reader: Gives features.
        training: The images.
        recipe: How many edits, and how.
        seed: Of the edits, 0 or more.
        flip: Whether images count mirrored too.
        tell: Called with what is counted (``images``, ``edits``) and how many more.
    """
    count = len(training.samples)
    images = training.images
    parts = [reader(_pixels(images), lambda n: tell("images", n))]
    if flip:
        parts.append(reader((i.flip(-1) for i in _pixels(images)), lambda n: tell("images", n)))
    copies = len(parts)
    numbers = np.arange(count)
    originals = Examples(
        np.concatenate(parts),
        np.concatenate([training.answers] * copies),
        np.full(copies * count, ORIGINAL, dtype=np.int64),
        np.concatenate([numbers] * copies),
        np.concatenate([training.folds] * copies),
        np.zeros(copies * count),
        None if training.shown is None else np.concatenate([training.shown] * copies),
    )
    edits = training.edits(training.regions, recipe, seed)
    edited, counted = edited_examples(reader, training, edits, EDITED, tell)
    return together(originals, edited), counted


def edited_examples(
    reader: FeatureReader,
    training: TrainingImages,
    edits: Iterable[Edit],
    origin: int,
    tell: Tell,
) -> tuple[Examples, dict[str, int]]:
    """Return the features of edits, and how many there are of each kind.

    Args:
        reader: Gives features.
        training: The images that they are made from.
        edits: Taken as they come.
        origin: Of the edits that are no crops, as :class:`Examples` calls it.
        tell: Called with ``edits`` and how many more.
    """
    made: list[Edit] = []
    features = reader(_noted(edits, made), lambda n: tell("edits", n))
    counted = dict.fromkeys(KINDS, 0)
    for edit in made:
        counted[edit.kind] += 1
    sources = np.array([edit.source for edit in made], dtype=np.int64)
    origins = [CROPPED if KINDS[edit.kind].crop else origin for edit in made]
    shown = training.shown
    examples = Examples(
        features,
        np.array([edit.answer for edit in made], dtype=bool),
        np.array(origins, dtype=np.int64),
        sources,
        training.folds[sources],
        np.zeros(len(made)),
        None if shown is None else np.zeros((len(made), shown.shape[1]), dtype=bool),
    )
    return examples, counted


def together(first: Examples, second: Examples) -> Examples:
    """Return the rows of both."""
    contexts = (
        None
        if first.contexts is None or second.contexts is None
        else np.concatenate([first.contexts, second.contexts])
    )
    return Examples(
        np.concatenate([first.features, second.features]),
        np.concatenate([first.answers, second.answers]),
        np.concatenate([first.origins, second.origins]),
        np.concatenate([first.sources, second.sources]),
        np.concatenate([first.folds, second.folds]),
        np.concatenate([first.offsets, second.offsets]),
        contexts,
    )


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
    """Return the features and answers of val; arguments as above."""
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
    return (images.unmirrored(number) for number in range(len(images)))


def regions_of(
    samples: Sequence[Sample], object: str, labels: LabelChoice, size: int
) -> tuple[dict[int, Tensor], dict[int, LabelForm]]:
    """Return by image what an edit has the answer of, the object or what lies in its place.

    An image that shows the object gives no region but the object's.

    Returns:
        The (S, S) regions, and how each was given (the last one, where several are joined).
    """
    places = {sample.id: number for number, sample in enumerate(samples)}
    found: dict[int, Tensor] = {}
    forms: dict[int, LabelForm] = {}
    for entry in labels.entries:
        row = places[entry.id]
        if entry.object == object or object not in samples[row].labels:
            region = region_square(samples[row], entry.object, size, entry.form).float()
            found[row] = torch.maximum(found.get(row, region), region)
            forms[row] = entry.form
    return found, forms


def _noted(edits: Iterable[Edit], made: list[Edit]) -> Iterator[Tensor]:
    """Pass edited images on, and note all but their pixels."""
    threads = torch.get_num_threads()
    made_one_by_one = iter(edits)
    while True:
        # An edit is many operations on one image: handing each to several threads costs more
        # than it saves.
        torch.set_num_threads(1)
        try:
            edit = next(made_one_by_one, None)
        finally:
            torch.set_num_threads(threads)
        if edit is None:
            return
        made.append(replace(edit, image=edit.image[:, :0, :0]))
        yield edit.image
