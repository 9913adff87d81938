"""What an audit's images can show, and what the audit cannot tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from biasaudit.report.format import images_told
from biasaudit.report.grouping import external
from biasaudit.report.view import AuditView, Column
from biasaudit.statistics import detectable, power_paired, wilson_interval

DISAGREEMENT = 0.2
"""Two runs are taken to disagree on this share of the images, where nobody has counted yet."""
SMALL = 30
"""Below this many images an interval is wider than ±17 points at an accuracy of 50%."""


@dataclass(frozen=True)
class Carry:
    """What so many images can show.

    Attributes:
        name: The group or pool, or the mean of the groups.
        n: Images.
        width: How far an accuracy near one half may lie from the truth, in points either way.
        difference: The smallest true difference of two runs on these images that is shown four
            times out of five (exact McNemar at 5%); None where none is, however large.
    """

    name: str
    n: int
    width: float
    difference: float | None

    @property
    def sentence(self) -> str:
        """The same in plain words."""
        told = (
            f"{self.name}, {images_told(self.n)}: an accuracy near 50% is known to "
            f"±{self.width:.0f} points"
        )
        if self.difference is None:
            return f"{told}; no difference between two runs, however large, would surely be shown."
        return (
            f"{told}; two runs must differ by about {100 * self.difference:.0f} points to be told "
            "apart."
        )


def carry(audit: AuditView) -> list[Carry]:
    """Return what the images of each group or pool can show, and those of all groups together."""
    counts = [(words, _count(audit, place)) for place, (_, words, _) in enumerate(audit.apart())]
    names: dict[int, list[str]] = {}
    for words, n in counts:
        if n:
            names.setdefault(n, []).append(words)
    found = [_carry(_joined(same), n, n) for n, same in names.items()]
    if audit.groups and len(counts) > 1 and all(n for _, n in counts):
        # A mean of groups varies as the rate of one group of this size.
        same = round(len(counts) ** 2 / sum(1 / n for _, n in counts))
        found.append(_carry("overall", sum(n for _, n in counts), same))
    return found


def _joined(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]} each"


def _count(audit: AuditView, place: int) -> int:
    return max((entry.n for entry in audit.apart()[place][2]), default=0)


def _carry(name: str, n: int, same: int) -> Carry:
    low, high = wilson_interval(round(same / 2), same)
    smallest = detectable(lambda d: power_paired(same, d, max(d, DISAGREEMENT)), 1.0)
    return Carry(name, n, 50 * (high - low), None if math.isnan(smallest) else smallest)


def limits(audit: AuditView) -> list[str]:
    """Return what this audit cannot tell, as sentences with its own figures."""
    found = [_skipped(audit.columns), _small(audit), _one_seed(audit.columns)]
    if len(audit.columns) > 2:
        found.append(
            f"{len(audit.columns)} runs stand side by side. The best of several is partly lucky, "
            "and its own figure does not allow for the choice; the differences do."
        )
    context = audit.context or "the suspected context"
    found += [
        "Where no difference is shown, there may still be one that these images are too few to "
        "show.",
        f"The groups test one pair, {audit.object} and {context}. The classifier may lean on "
        "another context that no group separates."
        if audit.groups
        else f"No groups part {audit.object} from a context, so these figures show how far the "
        "classifier falls on other images, not what it leans on.",
        "An attention map shows where the score is sensitive, not why the decision fell. "
        "Attention can move onto the object while the decision still reads the context: read "
        "the overlap together with the accuracy in the groups.",
        _val(audit.columns),
    ]
    return [sentence for sentence in found if sentence]


def _skipped(columns: Sequence[Column]) -> str:
    left_out = [run.skipped for column in columns if (run := column.run).skipped is not None]
    if not left_out:
        return ""
    most = max(left_out, key=lambda one: one.n)
    named = ", ".join(most.images[:3]) + (", ..." if most.n > 3 else "")
    return f"{images_told(most.n)} of the dataset could not be read and were left out: {named}."


def _small(audit: AuditView) -> str:
    counts = [(words, _count(audit, place)) for place, (_, words, _) in enumerate(audit.apart())]
    few = [f"{words} ({n})" for words, n in counts if 0 < n < SMALL]
    if not few:
        return ""
    return f"Few images carry {' and '.join(few)}: read the interval, not the point."


def _val(columns: Sequence[Column]) -> str:
    if all(external(column.run) for column in columns):
        return (
            "What the models were trained on is not known here: val may be like it or not, and "
            "may even have been part of it."
        )
    return (
        "Val is drawn like the training images and shares their bias. A high accuracy there says "
        "nothing about other images."
    )


def _one_seed(columns: Sequence[Column]) -> str:
    columns = [column for column in columns if not external(column.run)]
    if not columns:
        return ""
    settings = {(c.run.mode, c.run.pixel_labels, c.run.box_labels) for c in columns}
    if len(columns) > len(settings):
        return ""
    return (
        "Each setting was trained with one seed. The intervals hold the chance in the images, "
        "not the chance in training; another seed may differ by more."
    )
