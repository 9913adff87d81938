"""The four groups of object and context, and how the effect is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biasaudit.analysis.decision_text import phrase
from biasaudit.analysis.origins import UNKNOWN, Origin, origins_of
from biasaudit.analysis.verdict_text import group_names
from biasaudit.report.format import NAME_LENGTH, clean, percent, points
from biasaudit.report.view import AuditView
from biasaudit.results import Verdict


@dataclass(frozen=True)
class Quarter:
    """One of the four groups.

    Attributes:
        name: The group.
        aligned: Whether the context points to the right answer.
        n: Images that enter the effect; edited versions where those decided.
        training: Training images of the group; None where they are not known.
        yes: Run and share of yes answers, in words.
    """

    name: str
    aligned: bool
    n: int
    training: int | None
    yes: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Matrix:
    """The table of object and context.

    Attributes:
        quarters: With and without the context where the object is there, then where it is not.
        sums: Run, and how its effect is made.
        strata: Subsets and sources that entered.
        pairs: Whether edited pairs decided, and not these images.
    """

    quarters: Sequence[Quarter]
    sums: Sequence[tuple[str, str]]
    strata: Sequence[str]
    pairs: bool


def matrix(audit: AuditView, places: Sequence[int]) -> Matrix | None:
    """Return the four groups of an audit; None where no verdict counts them.

    Args:
        audit: The audit.
        places: Columns of the runs to show.
    """
    found = [(audit.columns[at].label, split) for at, split in _verdicts(audit, places)]
    if not found or audit.context is None:
        return None
    names = group_names(audit.object, audit.context)
    order = (names[0], names[1], names[2], names[3])
    quarters = [_quarter(audit, name, order, found) for name in order]
    first = found[0][1]
    sums = [(label, _sum(verdict, audit)) for label, verdict in found if verdict.by_answer]
    return Matrix(quarters, sums, first.strata, first.evidence == "edited pairs")


def origins(audit: AuditView) -> list[Origin]:
    """Return the images that an audit rests on, by subset and source."""
    for column, split in zip(audit.columns, audit.splits(), strict=True):
        table = column.audit.per_image
        if table is None or split is None or split.verdict is None or audit.context is None:
            continue
        return origins_of(table, audit.object, audit.context, split.verdict)
    return []


def origin_words(audit: AuditView, found: Origin) -> str:
    """Return subset and source, and how many images of each group there are."""
    counts = ", ".join(
        f"{n} of unknown context"
        if group == UNKNOWN
        else f"{n} {phrase(group, audit.object, audit.context or '')}"
        for group, n in found.counts.items()
    )
    name = clean(found.name, 2 * NAME_LENGTH)
    return f"{name} ({counts}{'' if found.compared else '; not compared'})"


def unknown(found: Sequence[Origin]) -> int:
    """Return how many images nobody annotated for the context."""
    return sum(one.counts.get(UNKNOWN, 0) for one in found)


def notes(audit: AuditView) -> list[str]:
    """Return what a reader must know of how the images were chosen, each note once."""
    told = [
        text
        for split in audit.splits()
        if split is not None
        for text in (split.note, split.verdict.note if split.verdict is not None else "")
    ]
    return list(dict.fromkeys(f"{text[0].upper()}{text[1:]}." for text in told if text))


def _verdicts(audit: AuditView, places: Sequence[int]) -> list[tuple[int, Verdict]]:
    splits = audit.splits()
    found = [(at, splits[at]) for at in places]
    return [(at, one.verdict) for at, one in found if one is not None and one.verdict is not None]


def _quarter(
    audit: AuditView,
    name: str,
    order: Sequence[str],
    found: Sequence[tuple[str, Verdict]],
) -> Quarter:
    place = order.index(name)
    yes = []
    for label, verdict in found:
        group = verdict.groups.get(name)
        if group is not None and group.n:
            said = group.right if place < 2 else group.n - group.right
            yes.append((label, f"{percent(said / group.n)} ({said} of {group.n})"))
    first = found[0][1]
    n = first.groups[name].n if name in first.groups else 0
    if first.evidence == "edited pairs":
        n, yes = _versions(first, place), []
    split = next(one for one in audit.splits() if one is not None)
    known = split.groups.get(name)
    training = None if known is None else known.n_training
    return Quarter(name, place in (0, 3), n, training, yes)


def _versions(verdict: Verdict, place: int) -> int:
    """Return how many edited versions stand in one of the four groups."""
    one = verdict.by_answer.get("yes" if place < 2 else "no")
    if one is None:
        return 0
    return one.n_with if place in (0, 2) else one.n_without


def _sum(verdict: Verdict, audit: AuditView) -> str:
    parts = [
        f"{points(one.effect)} {'with' if answer == 'yes' else 'without'} {audit.object}"
        for answer, one in verdict.by_answer.items()
    ]
    if len(parts) < 2:
        return f"{parts[0]}: effect {points(verdict.effect)} points"
    return f"mean of {' and '.join(parts)} = {points(verdict.effect)} points"
