"""What hangs the decision on what: edits that turn it, erasures that let the score fall."""

from __future__ import annotations

from dataclasses import dataclass

from biasaudit.report.format import NAME_LENGTH, Estimate, clean
from biasaudit.report.view import VAL, AuditView, group_words
from biasaudit.results import Faithfulness, FlipRate


@dataclass(frozen=True)
class FlipRow:
    """How often one edit turned one run's answer.

    Attributes:
        group: The edited images.
        answer: The right answer after the edit, or None.
        label: The run.
        yes_to_no: Of the pairs answered yes before the edit.
        no_to_yes: Of those answered no.
    """

    group: str
    answer: bool | None
    label: str
    yes_to_no: Estimate
    no_to_yes: Estimate


@dataclass(frozen=True)
class ErasureRow:
    """How the object's probability changes as parts of the images are erased, in [-1, 1].

    Attributes:
        split: The images that show the object, of this split.
        label: The run.
        n: How many have an attention map.
        attention: Without what the attention marks.
        random: Without as many random pixels.
        object: Without the object's region.
        context: Without the context's region.
        excess: How much farther attention lets it fall than random pixels do.
        decides: Whether the decision is shown to hang on what the attention marks.
    """

    split: str
    label: str
    n: int
    attention: float | None
    random: float | None
    object: float | None
    context: float | None
    excess: Estimate
    decides: bool


def flips(audit: AuditView) -> list[FlipRow]:
    """Return one row an edited group and run; nothing where no group holds edited pairs."""
    found = [
        (column.label, split.flips)
        for column in audit.columns
        if (split := AuditView.split_of(column, audit.split)) is not None
    ]
    return [
        FlipRow(
            group_words(group),
            audit.answer(group),
            label,
            _rate(told[group].yes_to_no),
            _rate(told[group].no_to_yes),
        )
        for group in audit.groups
        for label, told in found
        if group in told
    ]


def erasures(audit: AuditView) -> list[ErasureRow]:
    """Return one row a split and run whose attention was erased: val, and the headline's."""
    names = [name for name in (VAL, audit.target) if name is not None]
    return [
        _erasure(name, column.label, split.faithfulness)
        for name in names
        for column in audit.columns
        if (split := AuditView.split_of(column, name)) is not None
        and split.faithfulness is not None
    ]


def _erasure(name: str, label: str, found: Faithfulness) -> ErasureRow:
    return ErasureRow(
        split=clean(name, NAME_LENGTH),
        label=label,
        n=found.n,
        attention=_change(found.fall_attention),
        random=_change(found.fall_random),
        object=_change(found.fall_region),
        context=_change(found.fall_context),
        excess=Estimate.of(found.excess, found.excess_ci, found.n),
        decides=found.decides,
    )


def _change(fall: float | None) -> float | None:
    """Return the change that a recorded fall is."""
    return None if fall is None else -fall


def _rate(found: FlipRate) -> Estimate:
    return Estimate.of(found.rate, found.rate_ci, found.n)
