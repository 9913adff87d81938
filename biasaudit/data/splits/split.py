"""A split: images to measure on, as one pool or in groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from biasaudit.data.sample import Sample


@dataclass(frozen=True)
class Split:
    """Images to measure on.

    Attributes:
        name: As the user names it: ``biased-boat``, ``val``.
        subset: The subset that the images were drawn from.
        object: The audited object.
        context: Its suspected context; None for a pool.
        samples: All images; those of the groups one after the other, where there are groups.
        groups: Images by group name; empty for a pool.
        answers: The right answer in each group: whether the object is there.
        note: What a reader of the figures must know about the choice, else empty.
    """

    name: str
    subset: str
    object: str
    context: str | None
    samples: tuple[Sample, ...]
    groups: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    answers: Mapping[str, bool] = field(default_factory=dict)
    note: str = ""

    @property
    def image_sets(self) -> Mapping[str, tuple[Sample, ...]]:
        """The groups; a pool is one set without a name."""
        return self.groups or {"": self.samples}
