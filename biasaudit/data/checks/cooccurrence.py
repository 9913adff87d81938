"""Which contexts go with which objects, and what the counterfactual groups can show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from biasaudit.data.sample import Dataset, Sample, SplitRule, context_shown
from biasaudit.data.splits.resolve import groups_of, held_out
from biasaudit.statistics import images_needed, power_one

COIN, GOOD = 0.5, 0.75
"""A group is large enough if it tells a classifier that is right 3 times in 4 from a coin."""


@dataclass(frozen=True)
class Together:
    """How often an object and a context occur in one subset.

    Attributes:
        object: The object.
        context: The context, or another object.
        both: Images that show both.
        object_only: Images with the object, and known to be without the context.
        context_only: Images with the context alone.
        neither: Images without the object, and known to be without the context.
        unknown: Images of which nobody said whether they show the context; in none of the others.
    """

    object: str
    context: str
    both: int
    object_only: int
    context_only: int
    neither: int
    unknown: int = 0

    @property
    def lift(self) -> float:
        """How many times as often they meet as by chance, where the context is known.

        NaN where one never occurs.
        """
        n = self.both + self.object_only + self.context_only + self.neither
        expected = (self.both + self.object_only) * (self.both + self.context_only)
        return self.both * n / expected if expected else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON takes them."""
        lift = self.lift
        return asdict(self) | {"lift": None if math.isnan(lift) else lift}


@dataclass(frozen=True)
class GroupSize:
    """A group of object and context and what it is good for.

    Attributes:
        group: Its name.
        alignment: ``conflicting`` or ``aligned``.
        subset: Where its images come from.
        n: Images.
        needed: Images that a conclusion takes (:data:`GOOD` against :data:`COIN`, at 5%, with
            a power of 80%).
    """

    group: str
    alignment: str
    subset: str
    n: int
    needed: int

    @property
    def verdict(self) -> str:
        """``empty``, ``small`` or ``enough``."""
        if not self.n:
            return "empty"
        return "small" if self.n < self.needed else "enough"

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON takes it."""
        return asdict(self) | {"verdict": self.verdict}


def together(
    samples: Sequence[Sample], object: str, context: str, classes: Collection[str] = ()
) -> Together:
    """Count how often an object and a context occur, together and alone.

    Args:
        samples: The images.
        object: An object class.
        context: A context, or another object class.
        classes: The object classes, which are labelled on every image.
    """
    states = [context_shown(s, context, classes) for s in samples]
    found = Counter(
        (object in sample.labels, state == 1.0)
        for sample, state in zip(samples, states, strict=True)
        if not math.isnan(state)
    )
    return Together(
        object,
        context,
        found[True, True],
        found[True, False],
        found[False, True],
        found[False, False],
        sum(map(math.isnan, states)),
    )


def every_pair(dataset: Dataset, subset: str = "train") -> list[Together]:
    """Return every object with every context of the annotations, the highest lift first.

    A pair that never meets has a lift of 0; a pair of which one never occurs comes last.
    """
    samples = dataset.subset(subset) if subset in dataset.subsets else ()
    pairs = [
        together(samples, o, c, dataset.classes) for o in dataset.classes for c in dataset.contexts
    ]
    return sorted(pairs, key=lambda p: (math.isnan(p.lift), -p.lift, -p.both))


def class_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Return how many images of each subset show each object class, zeros included."""
    return {
        name: {
            subset: sum(name in sample.labels for sample in samples)
            for subset, samples in dataset.subsets.items()
        }
        for name in dataset.classes
    }


def unknown_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Return of how many images of each subset nobody said whether they show each context.

    Contexts that every image is annotated for are left out.
    """
    counts = {
        name: {
            subset: sum(math.isnan(context_shown(s, name, dataset.classes)) for s in samples)
            for subset, samples in dataset.subsets.items()
        }
        for name in dataset.contexts
    }
    return {name: of for name, of in counts.items() if any(of.values())}


def group_sizes(dataset: Dataset, object: str, context: str) -> list[GroupSize]:
    """Return the four groups of ``biased-OBJECT``, the bias-conflicting ones first, empty ones too.

    Raises:
        DataError: No such object or context.
    """
    dataset.check_object(object)
    dataset.check_context(context)
    subset = held_out(dataset)
    groups = groups_of(dataset, subset, SplitRule(object, context))
    alignments = ("conflicting", "conflicting", "aligned", "aligned")
    return [
        GroupSize(name, alignment, subset, len(members), images_for_a_group())
        for (name, members), alignment in zip(groups.items(), alignments, strict=True)
    ]


@cache
def images_for_a_group() -> int:
    """Return how many images tell :data:`GOOD` from :data:`COIN`."""
    return images_needed(lambda n: power_one(n, GOOD, COIN)) or 0
