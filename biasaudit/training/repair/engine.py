"""Repair from end to end: features of originals and edits, a recipe chosen, one row replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch import Tensor

from biasaudit.data.annotation.labels import LabelChoice
from biasaudit.data.loading.batches import SampleTensors, region_square
from biasaudit.data.sample import Dataset, Sample, context_shown
from biasaudit.errors import ConfigError, DataError, named_field
from biasaudit.models.classifier import Classifier
from biasaudit.training.repair.choose import Answered, Candidate, best, compare, grid, on
from biasaudit.training.repair.edits import KINDS, Edit, EditRecipe, assign_folds, make_edits
from biasaudit.training.repair.features import FeatureReader, Features, LastLayer, last_layer
from biasaudit.training.repair.refit import CROPPED, EDITED, ORIGINAL, Examples, Recipe, Row, refit

Tell = Callable[[str, int], None]


@dataclass(frozen=True)
class RepairOptions:
    """How a repair is done.

    Attributes:
        max_val_loss: How much val accuracy of the object may fall, in [0, 1].
        seed: Of edits, folds and bootstrap samples, 0 or more.
        folds: Cross-validation folds, 2 or more.
        flip: Whether training images count mirrored too.
        edits: How many edits, and how.
        recipes: What is compared; with one alone nothing is chosen.
        refits: How many bootstrap refits of the chosen recipe are averaged.
        softmax: Whether the logits belong to exclusive classes.
        batch_size: Images a pass.
        cache: Folder that keeps features, None for none.
        contexts: Contexts whose labels of the training images are read.
    """

    max_val_loss: float = 0.02
    seed: int = 0
    folds: int = 5
    flip: bool = True
    edits: EditRecipe = field(default_factory=EditRecipe)
    recipes: tuple[Recipe, ...] = field(default_factory=lambda: tuple(grid()))
    refits: int = 1
    softmax: bool = False
    batch_size: int = 32
    cache: Path | None = None
    contexts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repaired:
    """What a repair found; the model itself is changed by :func:`replace_row`.

    Attributes:
        layer: Dotted name of the last layer within the classifier.
        column: The audited class's row.
        before: The row as it was.
        after: The row to be.
        chosen: The recipe and its figures.
        candidates: All recipes that were compared.
        edits: How many edits were made of each kind.
        val_before: The row as it was, on val.
        val_after: The row to be, on val.
    """

    layer: str
    column: int
    before: Row
    after: Row
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    edits: dict[str, int]
    val_before: Answered
    val_after: Answered


@dataclass(frozen=True)
class Material:
    """What a refit sees: features of training images, their edits, and val.

    Attributes:
        last: The last layer.
        column: The audited class's row.
        train: Originals, edits and crops.
        val: The val subset.
        edits: How many edits were made of each kind.
        reader: Gives the features of further images.
        others: What the other classes say.
    """

    last: LastLayer
    column: int
    train: Examples
    val: Examples
    edits: dict[str, int]
    reader: FeatureReader
    others: Others

    @property
    def before(self) -> Row:
        """The row as it is, as a refit counts it."""
        return self.others.without_anchor(row_of(self.last, self.column))


def gather(
    model: Classifier,
    dataset: Dataset,
    object: str,
    labels: LabelChoice,
    image_size: int,
    options: RepairOptions,
    tell: Tell = lambda _, __: None,
) -> Material:
    """Compute the features of everything that a refit sees; arguments as for :func:`repair`.

    Raises:
        ConfigError: No linear last layer.
        DataError: No label.
    """
    if not labels.entries:
        raise DataError(
            f"{named_field('pixel_labels')}: a repair needs labelled images",
            "ask for one or more",
            field="pixel_labels",
        )
    last = last_layer(model, len(dataset.classes), image_size)
    column = dataset.class_index[object]
    others = Others(last, column, options.softmax)
    reader = FeatureReader(model, last, options.batch_size, options.cache)
    train, counts = _train_examples(reader, dataset, object, labels, image_size, options, tell)
    val = _val_examples(reader, dataset, object, image_size, tell)
    return Material(
        last, column, others.with_offsets(train), others.with_offsets(val), counts, reader, others
    )


def repair(
    model: Classifier,
    dataset: Dataset,
    object: str,
    labels: LabelChoice,
    image_size: int,
    options: RepairOptions,
    tell: Tell = lambda _, __: None,
) -> Repaired:
    """Refit the row of one class on training images and edits of the labelled ones.

    Args:
        model: In evaluation mode; it is not changed.
        dataset: Its ``train`` and ``val`` are used, nothing else.
        object: The audited class.
        labels: Which images give their regions; those of images without the object are edited in
            the kinds that keep the answer alone.
        image_size: Side S in px at which the model is used.
        options: How.
        tell: Called with what is counted (``images``, ``edits``, ``recipes``) and how many more.

    Raises:
        ConfigError: No linear last layer, or no recipe that keeps val.
        DataError: No label.
    """
    material = gather(model, dataset, object, labels, image_size, options, tell)
    candidates = compare(
        material.train,
        material.val,
        material.before,
        options.recipes,
        options.max_val_loss,
        options.seed,
        lambda count: tell("recipes", count),
    )
    chosen = best(candidates)
    recipe = replace(chosen.recipe, refits=options.refits)
    fitted = refit(material.train, recipe, material.before, options.seed)
    return Repaired(
        material.last.name,
        material.column,
        row_of(material.last, material.column),
        material.others.with_anchor(fitted),
        chosen,
        tuple(candidates),
        material.edits,
        on(material.val, material.before),
        on(material.val, fitted),
    )


def row_of(last: LastLayer, column: int) -> Row:
    """Return one class's row."""
    weight = last.layer.weight[column].detach().double().cpu().numpy()
    return Row(weight, float(last.layer.bias[column].detach()))


@torch.no_grad()
def replace_row(model: Classifier, layer: str, column: int, row: Row) -> None:
    """Write one class's row into the last layer; no other number of the network changes.

    Args:
        model: Whose layer to change.
        layer: Dotted name of the linear layer.
        column: The row.
        row: What it is to be.
    """
    linear = model.get_submodule(layer)
    if not isinstance(linear, torch.nn.Linear):
        raise ConfigError(f"the layer '{layer}' is not linear")
    linear.weight[column] = torch.from_numpy(row.weight).to(linear.weight)
    linear.bias[column] = row.bias


class Others:
    """What the other classes say, where one class of several is chosen.

    Softmax probabilities follow from the differences of logits. The log-odds of one class are its
    logit less the log-sum-exp of the others', which the refit leaves alone: an offset of every
    image. And the ridge counts from the mean of the other rows, since adding one vector to all
    rows changes no answer.

    Args:
        last: The last layer.
        column: The audited class.
        softmax: Whether classes exclude each other; else there is neither offset nor anchor.
    """

    def __init__(self, last: LastLayer, column: int, softmax: bool) -> None:
        weight = last.layer.weight.detach().double().cpu().numpy()
        bias = last.layer.bias.detach().double().cpu().numpy()
        rest = np.arange(len(weight)) != column
        self._softmax = softmax
        self._weight, self._bias = weight[rest], bias[rest]
        self._anchor = Row(self._weight.mean(axis=0), float(self._bias.mean()))

    def with_offsets(self, examples: Examples) -> Examples:
        """Return the examples, each with what the other classes say of it."""
        if not self._softmax:
            return examples
        logits = examples.features.astype(np.float64) @ self._weight.T + self._bias
        return replace(
            examples,
            offsets=self._anchor.scores(examples.features) - logsumexp(logits, axis=1),
        )

    def without_anchor(self, row: Row) -> Row:
        """Return a row as it is counted from the mean of the others."""
        return self._moved(row, -1)

    def with_anchor(self, row: Row) -> Row:
        """Return a row as the layer holds it."""
        return self._moved(row, 1)

    def _moved(self, row: Row, sign: int) -> Row:
        if not self._softmax:
            return row
        return Row(row.weight + sign * self._anchor.weight, row.bias + sign * self._anchor.bias)


def _train_examples(
    reader: FeatureReader,
    dataset: Dataset,
    object: str,
    labels: LabelChoice,
    size: int,
    options: RepairOptions,
    tell: Tell,
) -> tuple[Examples, dict[str, int]]:
    """Return originals, mirrored originals, edits and crops, and how many edits of each kind."""
    samples = dataset.subset("train")
    images = SampleTensors(samples, dataset.classes, size)
    answers = np.array([object in sample.labels for sample in samples])
    shown = _contexts(samples, options.contexts, dataset.classes)
    folds = assign_folds(samples, object, options.folds, options.seed)
    made: list[Edit] = []
    counted = dict.fromkeys(KINDS, 0)
    parts = [reader(_pixels(images), lambda n: tell("images", n))]
    if options.flip:
        parts.append(reader((i.flip(-1) for i in _pixels(images)), lambda n: tell("images", n)))
    regions = _regions(samples, object, labels, size)
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
    parts.append(reader(_noted(edits, made), lambda n: tell("edits", n)))
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


def _val_examples(
    reader: FeatureReader, dataset: Dataset, object: str, size: int, tell: Tell
) -> Examples:
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


def _regions(
    samples: Sequence[Sample], object: str, labels: LabelChoice, size: int
) -> dict[int, Tensor]:
    """Return by image what an edit has the answer of: the object, or what lies in its place.

    An image that shows the object gives no region but the object's.
    """
    places = {sample.id: number for number, sample in enumerate(samples)}
    found: dict[int, Tensor] = {}
    for entry in labels.entries:
        row = places[entry.id]
        if entry.object == object or object not in samples[row].labels:
            region = region_square(samples[row], entry.object, size, entry.form).float()
            found[row] = torch.maximum(found.get(row, region), region)
    return found


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
