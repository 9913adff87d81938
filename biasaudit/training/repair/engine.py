"""Repair from end to end: features of originals and edits, a recipe chosen, one row replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import logsumexp

from biasaudit.data.annotation.labels import LabelChoice
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, DataError, named_field
from biasaudit.models.classifier import Classifier
from biasaudit.training.repair.choose import Answered, Candidate, best, compare, on
from biasaudit.training.repair.examples import train_examples, val_examples
from biasaudit.training.repair.features import FeatureReader, LastLayer, last_layer
from biasaudit.training.repair.options import RepairOptions, Tell
from biasaudit.training.repair.refit import Examples, Row, refit


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
    train, counts = train_examples(reader, dataset, object, labels, image_size, options, tell)
    val = val_examples(reader, dataset, object, image_size, tell)
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
    fitted = refit(material.train, recipe, material.before, options.seed).raised(chosen.shift)
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
