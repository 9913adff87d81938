"""Harm to other classes: what became of the images of all objects but the audited one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from biasaudit.errors import RunError
from biasaudit.results import Audit
from biasaudit.statistics import holm
from biasaudit.statistics.harm import Harm, harm

ALPHA = 0.05
_KEYS = ["subset", "id", "class"]
HARM_COLUMNS = ("label", "correct")
"""What is read of a table of classes, beside the columns that name its rows."""


@dataclass(frozen=True)
class ClassHarm:
    """Right answers on images of other objects, in two runs.

    An answer is the decision on a class that the image has: yes is right.

    Attributes:
        object: The audited object, whose own images are left to the comparison itself.
        pooled: All images of other objects, each once whatever number of objects it shows.
        by_class: The images of each other class, each test by itself.
        p_adjusted: Of each class, by Holm over the classes; NaN where it has no image.
    """

    object: str
    pooled: Harm
    by_class: Mapping[str, Harm]
    p_adjusted: Mapping[str, float]

    @property
    def shown(self) -> bool:
        """Whether harm is shown over all images of other objects."""
        return self.pooled.p_value <= ALPHA and self.pooled.difference < 0

    @property
    def classes_shown(self) -> list[str]:
        """The classes that are shown to have lost, after Holm."""
        return [
            name
            for name, p in self.p_adjusted.items()
            if p <= ALPHA and self.by_class[name].difference < 0
        ]


def class_harm(first: Audit, second: Audit) -> ClassHarm | None:
    """Hold the answers on every other class of two audits against each other.

    Args:
        first: The audit to compare with.
        second: The audit that is judged, of the same object.

    Returns:
        Over the images and classes that both answered; None where one of the audits has no table
        of classes, or no image shows another object.

    Raises:
        RunError: An image has a class in one audit and not in the other.
    """
    if first.classes is None or second.classes is None:
        return None
    object = second.run.object
    rows = _shared(first.classes, second.classes)
    rows = rows[(rows["label_x"] == 1) & (rows["class"] != object)]
    if rows.empty:
        return None
    by_class = {
        str(name): harm(found["correct_x"], found["correct_y"])
        for name, found in rows.groupby("class", sort=False, observed=True)
    }
    images = rows["subset"].astype(str) + "\0" + rows["id"].astype(str)
    return ClassHarm(
        object,
        harm(rows["correct_x"], rows["correct_y"], images),
        by_class,
        holm({name: found.p_value for name, found in by_class.items()}),
    )


def _shared(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the images and classes that both answered, each with both labels and answers."""
    own = list(HARM_COLUMNS)
    if len(first) == len(second) and all(_alike(first[key], second[key]) for key in _KEYS):
        rows = first[[*_KEYS, *own]].rename(columns={name: f"{name}_x" for name in own})
        rows = rows.assign(**{f"{name}_y": second[name].to_numpy() for name in own})
    else:
        columns = [*_KEYS, *own]
        rows = first[columns].merge(second[columns], on=_KEYS, validate="one_to_one")
    differs = rows["label_x"] != rows["label_y"]
    if differs.any():
        wrong = rows[differs].iloc[0]
        raise RunError(
            f"the two runs were audited with other labels: '{wrong['id']}' has the class "
            f"'{wrong['class']}' in one of them alone",
            "evaluate both on the same dataset",
        )
    return rows


def _alike(first: pd.Series, second: pd.Series) -> bool:
    """Whether two columns hold the same texts in the same order."""
    if all(isinstance(one.dtype, pd.CategoricalDtype) for one in (first, second)):
        # told by their places, for no list of all texts is made so
        categories = [one.cat.categories for one in (first, second)]
        if categories[0].equals(categories[1]):
            return bool((first.cat.codes.to_numpy() == second.cat.codes.to_numpy()).all())
    return bool((first.astype(object).to_numpy() == second.astype(object).to_numpy()).all())


def harm_sentence(found: ClassHarm) -> str:
    """Say what became of the images of other objects, and what could have been shown.

    Returns:
        Such as ``78 images of other objects: 11 more wrong (14 turned wrong, 3 right), p = .013.``
        Where no harm is shown, the harm that would have been stands beside it.
    """
    pooled = found.pooled
    images = f"{pooled.n} image{'s' * (pooled.n != 1)} of other objects"
    told = f"{_net(pooled)}, p = {p_words(pooled.p_value)}"
    if pooled.p_value <= ALPHA:
        classes = found.classes_shown
        by = f" By class (Holm): {', '.join(_class(found, name) for name in classes)}."
        return f"{images}: {told}." + by * bool(classes)
    if math.isnan(pooled.least):
        return f"{images}: {told}; so few can show no harm at all."
    fewest = f"fewer than {count_of(pooled.least, pooled.n)} could not be shown at all"
    if math.isnan(pooled.likely):
        return f"{images}: no harm shown: {told}; none is sure to be, and {fewest}."
    likely = count_of(pooled.likely, pooled.n)
    return (
        f"{images}: no harm shown: {told}; a loss of {likely} or more would have been in four "
        f"cases of five, {fewest}."
    )


def _net(found: Harm) -> str:
    net = found.worse - found.better
    turned = f"{found.worse} turned wrong, {found.better} right"
    if net == 0:
        return f"as many wrong ({turned})"
    return f"{abs(net)} {'more' if net > 0 else 'fewer'} wrong ({turned})"


def _class(found: ClassHarm, name: str) -> str:
    one = found.by_class[name]
    return f"{name} {one.worse - one.better} of {one.n}"


def count_of(share: float, n: int) -> int:
    """Return the whole number of images that a share of ``n`` comes to, rounded up."""
    return math.ceil(share * n - 1e-6)


def p_words(p_value: float) -> str:
    """Return a p-value as text: ``.013``, ``< .001``."""
    if p_value < 0.001:
        return "< .001"
    return "1" if p_value > 0.9995 else f"{p_value:.3f}".lstrip("0")
