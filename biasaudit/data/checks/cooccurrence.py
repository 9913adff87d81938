"""Which contexts go with which objects, and what the counterfactual groups can show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from biasaudit.data.sample import Dataset, Sample
from biasaudit.data.splits.resolve import held_out
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
        object_only: Images with the object alone.
        context_only: Images with the context alone.
        neither: Images with neither.
    """

    object: str
    context: str
    both: int
    object_only: int
    context_only: int
    neither: int

    @property
    def lift(self) -> float:
        """How many times as often they meet as they would by chance; NaN where one never occurs."""
        n = self.both + self.object_only + self.context_only + self.neither
        expected = (self.both + self.object_only) * (self.both + self.context_only)
        return self.both * n / expected if expected else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON takes them."""
        lift = self.lift
        return asdict(self) | {"lift": None if math.isnan(lift) else lift}


@dataclass(frozen=True)
class GroupSize:
    """A counterfactual group and what it is good for.

    Attributes:
        group: Its name.
        subset: Where its images come from.
        n: Images.
        needed: Images that a conclusion takes (:data:`GOOD` against :data:`COIN`, at 5%, with
            a power of 80%).
    """

    group: str
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


def together(samples: Sequence[Sample], object: str, context: str) -> Together:
    """Count how often an object and a context occur, together and alone."""
    found = Counter(
        (object in s.labels, context in s.contexts or context in s.labels) for s in samples
    )
    return Together(
        object,
        context,
        found[True, True],
        found[True, False],
        found[False, True],
        found[False, False],
    )


def every_pair(dataset: Dataset, subset: str = "train") -> list[Together]:
    """Return every object with every context of the annotations, the highest lift first.

    A pair that never meets has a lift of 0; a pair of which one never occurs comes last.
    """
    samples = dataset.subset(subset)
    pairs = [together(samples, o, c) for o in dataset.classes for c in dataset.contexts]
    return sorted(pairs, key=lambda p: (math.isnan(p.lift), -p.lift, -p.both))


def group_sizes(dataset: Dataset, object: str, context: str) -> list[GroupSize]:
    """Return the two groups of ``biased-OBJECT``, empty ones too.

    Raises:
        DataError: No such object or context.
    """
    dataset.check_object(object)
    dataset.check_context(context)
    subset = held_out(dataset)
    counts = together(dataset.subset(subset), object, context)
    return [
        GroupSize(f"{object}-without-{context}", subset, counts.object_only, images_for_a_group()),
        GroupSize(f"{context}-without-{object}", subset, counts.context_only, images_for_a_group()),
    ]


@cache
def images_for_a_group() -> int:
    """Return how many images tell :data:`GOOD` from :data:`COIN`."""
    return images_needed(lambda n: power_one(n, GOOD, COIN)) or 0
