"""A split: images to measure on, as one pool or in cells."""

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
        samples: All images; those of the cells one after the other, where there are cells.
        cells: Images by cell name; empty for a pool.
        answers: The right answer in each cell: whether the object is there.
        note: What a reader of the figures must know about the choice, else empty.
    """

    name: str
    subset: str
    object: str
    context: str | None
    samples: tuple[Sample, ...]
    cells: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    answers: Mapping[str, bool] = field(default_factory=dict)
    note: str = ""

    @property
    def groups(self) -> Mapping[str, tuple[Sample, ...]]:
        """The cells; a pool is one group without a name."""
        return self.cells or {"": self.samples}
