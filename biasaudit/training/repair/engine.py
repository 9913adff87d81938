"""Repair from end to end: features of originals and edits, a recipe chosen, one row replaced."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from scipy.special import logsumexp

from biasaudit.data.annotation.labels import LabelChoice
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, DataError, named_field
from biasaudit.models.classifier import Classifier
from biasaudit.training.repair.choose import Answered, Candidate, best, compare, grid, on
from biasaudit.training.repair.edits import EditRecipe
from biasaudit.training.repair.examples import (
    Tell,
    TrainingImages,
    edited_examples,
    together,
    train_examples,
    training_images,
    val_examples,
)
from biasaudit.training.repair.features import FeatureReader, LastLayer, last_layer
from biasaudit.training.repair.foregrounds import Finder, Foregrounds, Images, seek
from biasaudit.training.repair.refit import FOUND, Examples, Recipe, Row, refit

FEWER = EditRecipe(pasted=2, blurred=1, covered=1, inpainted=0)
"""Edits of an image whose foreground was found, not drawn: there are many such images."""
SHARE = 0.5
"""Of the dose, for edits of foregrounds found, where they are used."""


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
        finder: Finds the object in images without a region, which are edited too; None edits the
            labelled images alone.
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
    finder: Finder | None = None


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
        foregrounds: What was found in images without a region; None where nothing was sought.
        found_edits: How many edits of each kind were made of that.
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
    foregrounds: Foregrounds | None = None
    found_edits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """What a refit sees: features of training images, their edits, and val.

    Attributes:
        last: The last layer.
        column: The audited class's row.
        training: The training images.
        train: Originals, edits and crops.
        val: The val subset.
        edits: How many edits were made of each kind.
        reader: Gives the features of further images.
        others: What the other classes say.
    """

    last: LastLayer
    column: int
    training: TrainingImages
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
    training = training_images(
        dataset, object, labels, image_size, options.contexts, options.folds, options.seed
    )
    train, counts = train_examples(
        reader, training, options.edits, options.seed, options.flip, tell
    )
    val = val_examples(reader, dataset, object, image_size, tell)
    return Material(
        last,
        column,
        training,
        others.with_offsets(train),
        others.with_offsets(val),
        counts,
        reader,
        others,
    )


def with_foregrounds(
    material: Material,
    model: Classifier,
    row: Row,
    finder: Finder,
    options: RepairOptions,
    tell: Tell = lambda _, __: None,
) -> tuple[Material, Foregrounds, dict[str, int]]:
    """Add edits of images without a region, by the foregrounds that are found in them.

    Args:
        material: With what is labelled alone.
        model: In evaluation mode.
        row: What prunes: fitted on the labelled images' edits.
        finder: Proposes the foregrounds.
        options: As for :func:`repair`.
        tell: As for :func:`repair`.

    Returns:
        The material with more edits, what was found, and how many edits of each kind were added.
    """
    training = material.training
    unlabelled = [int(i) for i in np.flatnonzero(training.answers) if i not in training.regions]
    found = seek(
        finder,
        model,
        Images(
            training.pixels,
            training.regions,
            training.forms,
            np.flatnonzero(~training.answers).tolist(),
            unlabelled,
        ),
        lambda images: row.scores(material.reader(images)),
        options.seed,
        tell,
    )
    edits = training.edits(found.regions, FEWER, options.seed)
    more, counts = edited_examples(material.reader, training, edits, FOUND, tell)
    train = together(material.train, material.others.with_offsets(more))
    return replace(material, train=train), found, counts


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
    foregrounds, added = None, dict[str, int]()
    if options.finder is not None:
        first = refit(material.train, best(candidates).recipe, material.before, options.seed)
        material, foregrounds, added = with_foregrounds(
            material, model, first, options.finder, options, tell
        )
        candidates += compare(
            material.train,
            material.val,
            material.before,
            # where none was kept there is nothing to weigh
            [replace(recipe, found=SHARE) for recipe in options.recipes if foregrounds.regions],
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
        foregrounds,
        added,
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
