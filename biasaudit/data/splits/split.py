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
        shown: Whether the context is there, in each group.
        controls: Groups of edited images that are there to be compared with others alone, and
            enter no accuracy.
        note: What a reader of the figures must know about the choice, else empty.
    """

    name: str
    subset: str
    object: str
    context: str | None
    samples: tuple[Sample, ...]
    groups: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    answers: Mapping[str, bool] = field(default_factory=dict)
    shown: Mapping[str, bool] = field(default_factory=dict)
    controls: frozenset[str] = frozenset()
    note: str = ""

    def alignment(self, group: str) -> str:
        """Return ``aligned`` where the context points to the right answer, else ``conflicting``.

        Empty for a pool and for a control.
        """
        if group not in self.groups or group in self.controls:
            return ""
        return "aligned" if self.answers[group] == self.shown[group] else "conflicting"

    @property
    def conflicting(self) -> dict[str, tuple[Sample, ...]]:
        """The bias-conflicting groups."""
        return {n: found for n, found in self.groups.items() if self.alignment(n) == "conflicting"}

    @property
    def image_sets(self) -> Mapping[str, tuple[Sample, ...]]:
        """The groups; a pool is one set without a name."""
        return self.groups or {"": self.samples}
