"""What each scene holds, drawn for a whole subset at once so that the shares come out exact.

Nothing but the ground may give a boat away. So the other objects' labels, the number of things,
the second ground and its place are all drawn by the same quotas in every group of scenes,
with a boat or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from biasaudit.data.synthetic.harbour.settings import LAND, OBJECTS, HarbourSettings

SUBSETS = ("train", "val", "test")
BANKS = ("far", "near", "left", "right")
"""Where the second ground lies: beneath the horizon, along the lower edge, at a side."""

_OTHERS = OBJECTS[1:]
_OTHER_SETS = tuple(s for n in (1, 2, 3) for s in combinations(_OTHERS, n))
_OTHER_WEIGHTS = tuple(
    {1: 0.64, 2: 0.34, 3: 0.02}[len(s)] / {1: 3, 2: 3, 3: 1}[len(s)] for s in _OTHER_SETS
)
_BANK_ON_LAND = 0.5

T = TypeVar("T")


@dataclass(frozen=True)
class Composition:
    """What one scene holds.

    Attributes:
        things: Class of each object, at least one; a class may come twice.
        ground: The main ground.
        bank: The second ground, or None. Water always has one, for cars to stand on.
        bank_place: One of ``BANKS``; means nothing without a bank.
        rocks: Number of rocks, which have no label.
    """

    things: tuple[str, ...]
    ground: str
    bank: str | None
    bank_place: str
    rocks: int

    @property
    def labels(self) -> frozenset[str]:
        """The object classes that are present."""
        return frozenset(self.things)

    @property
    def contexts(self) -> frozenset[str]:
        """The grounds that are present, and the sky, which always is."""
        return frozenset({self.ground, "sky"} | ({self.bank} if self.bank else set()))


def compose(settings: HarbourSettings, subset: str) -> list[Composition]:
    """Return what the scenes of one subset hold, in order.

    ``test`` holds the four groups of boat and water: the boats without water first, then water
    without boats, boats on water, and neither. The last two have a stream of random numbers of
    their own, so that the first two do not depend on them.
    """
    key = (SUBSETS.index(subset),)
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=key))
    if subset == "test":
        own = np.random.SeedSequence(settings.seed, spawn_key=(len(SUBSETS),))
        aligned = np.random.default_rng(own)
        return [
            *_group(settings.group, True, False, rng),
            *_group(settings.group, False, True, rng),
            *_group(settings.group, True, True, aligned),
            *_group(settings.group, False, False, aligned),
        ]
    number = getattr(settings, subset)
    boats = number // 2
    scenes: list[Composition] = []
    for boat, total, share in (
        (True, boats, settings.water_given_boat),
        (False, number - boats, settings.water_given_no_boat),
    ):
        wet = round(total * share)
        scenes += _group(wet, boat, True, rng) + _group(total - wet, boat, False, rng)
    return [scenes[i] for i in rng.permutation(number)]


def spread(
    number: int, choices: Sequence[T], weights: Sequence[float], rng: np.random.Generator
) -> list[T]:
    """Return ``number`` choices in random order, each as often as its weight says.

    Whole parts are given out first, the rest by largest remainder, ties at random.

    Args:
        number: How many to return.
        choices: What to choose from.
        weights: One non-negative weight for each choice, not all zero.
        rng: Decides the order and the ties.
    """
    share = number * np.asarray(weights, dtype=float) / sum(weights)
    counts = np.floor(share + 1e-9).astype(int)
    rest = number - counts.sum()
    order = np.lexsort((rng.random(len(counts)), np.round(counts - share, 9)))
    counts[order[:rest]] += 1
    dealt = np.repeat(np.arange(len(choices)), counts)
    return [choices[i] for i in rng.permutation(dealt)]


def _group(number: int, boat: bool, wet: bool, rng: np.random.Generator) -> list[Composition]:
    """Return scenes that agree on whether there is a boat and on whether there is water."""
    grounds = ["water"] * number if wet else spread(number, LAND, (1, 1, 1), rng)
    banked = (
        [True] * number
        if wet
        else spread(number, (True, False), (_BANK_ON_LAND, 1 - _BANK_ON_LAND), rng)
    )
    others = spread(number, _OTHER_SETS, _OTHER_WEIGHTS, rng)
    places = spread(number, BANKS, (2, 2, 1, 1), rng)
    rocks = spread(number, (0, 1, 2, 3), (3, 4, 2, 1), rng)
    extras = spread(number, (0, 1), (3, 1), rng)
    return [
        Composition(
            _things(boat, others[i], extras[i], rng),
            grounds[i],
            _bank(grounds[i], rng) if banked[i] else None,
            places[i],
            rocks[i],
        )
        for i in range(number)
    ]


def _things(
    boat: bool, others: tuple[str, ...], extra: int, rng: np.random.Generator
) -> tuple[str, ...]:
    """Return the other objects, the boat, and more of the same where there is none.

    The number of things is the same with a boat and without: a scene without a boat holds one
    more of the others instead.
    """
    things = [*others, *(["boat"] if boat else [])]
    while len(things) < len(others) + 1 + extra:
        things.append(things[int(rng.integers(len(things)))])
    return tuple(things)


def _bank(ground: str, rng: np.random.Generator) -> str:
    choices = [g for g in LAND if g != ground]
    return choices[int(rng.integers(len(choices)))]
