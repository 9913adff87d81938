"""A validation subset taken from the training images, where a dataset has none of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from biasaudit.data.sample import Sample
from biasaudit.errors import DataError


def held_back(
    samples: Sequence[Sample], share: float, seed: int = 0, *, by_source: bool = False
) -> tuple[list[Sample], list[Sample]]:
    """Part the training images into those to train on and those to validate on.

    Images are drawn within each combination of classes, so that every class is held back in about
    the same share; or source by source, so that no source stands on both sides. The same images and
    seed give the same parts, whatever their order.

    Args:
        samples: The training subset.
        share: Of the images to hold back, in (0, 1).
        seed: 0 or more.
        by_source: Whether to hold back whole sources. An image without one stands for itself.

    Returns:
        The images to train on and those held back, each in the order of ``samples``.

    Raises:
        DataError: One part would be empty.
    """
    ordered = sorted(samples, key=lambda sample: sample.id)
    rng = np.random.default_rng(seed)
    ids = _sources(ordered, share, rng) if by_source else _strata(ordered, share, rng)
    kept = [sample for sample in samples if sample.id not in ids]
    held = [sample for sample in samples if sample.id in ids]
    if not kept or not held:
        what = "source" if by_source else "image"
        raise DataError(
            f"val: {share:g} of {len(samples)} training images leaves no {what} on one side",
            "choose another share, or write a subset val",
        )
    return kept, held


def _strata(samples: Sequence[Sample], share: float, rng: np.random.Generator) -> set[str]:
    """Return the ids held back: every 1/share-th of the images, put stratum after stratum."""
    strata: dict[tuple[str, ...], list[str]] = {}
    for sample in samples:
        strata.setdefault(tuple(sorted(sample.labels)), []).append(sample.id)
    line = [strata[key][i] for key in sorted(strata) for i in rng.permutation(len(strata[key]))]
    marks = np.floor(np.arange(len(line) + 1) * share + rng.random())
    return {id for id, before, after in zip(line, marks, marks[1:], strict=False) if after > before}


def _sources(samples: Sequence[Sample], share: float, rng: np.random.Generator) -> set[str]:
    """Return the ids held back: sources in drawn order, each where it brings the classes nearer."""
    members: dict[str, list[Sample]] = {}
    for sample in samples:
        members.setdefault(sample.source or f"\0{sample.id}", []).append(sample)
    names = sorted({name for sample in samples for name in sample.labels})
    wanted = share * _counts(samples, names)
    held = np.zeros(len(names) + 1)
    found: set[str] = set()
    sources = sorted(members)
    for source in (sources[i] for i in rng.permutation(len(sources))):
        more = held + _counts(members[source], names)
        if np.abs(wanted - more).sum() < np.abs(wanted - held).sum():
            held, found = more, found | {sample.id for sample in members[source]}
    return found


def _counts(samples: Sequence[Sample], names: Sequence[str]) -> np.ndarray:
    """Return how many images there are, and how many of each class."""
    counted = Counter(name for sample in samples for name in sample.labels)
    return np.array([len(samples), *(counted[name] for name in names)], dtype=float)
