"""What became of each image's answer against the lead run: mended, broken, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

from biasaudit.analysis import Outcome, compare
from biasaudit.errors import RunError
from biasaudit.report.format import Estimate
from biasaudit.report.view import AuditView
from biasaudit.results import Audit


@dataclass(frozen=True)
class Change:
    """One run against the lead run, on the same images.

    Attributes:
        label: The run.
        mended: By group (or for the one pool of the headline), images that this run gets right
            and the lead run wrong.
        broken: Likewise, images that this run gets wrong and the lead run right.
        difference: Overall accuracy, this run's less the lead run's, with its interval for paired
            images.
        outcome: What :func:`biasaudit.analysis.compare` says of it.
    """

    label: str
    mended: tuple[int, ...]
    broken: tuple[int, ...]
    difference: Estimate
    outcome: Outcome


def changes_against(audit: AuditView, lead: int) -> list[Change | None]:
    """Compare every run of an audit with the lead run, image by image.

    Args:
        audit: The audit.
        lead: Column of the run to compare with.

    Returns:
        One entry a column; None for the lead run itself, and where a run or the lead run has no
        per-image table or was audited on other images.
    """
    first = audit.columns[lead].audit
    return [
        None if place == lead else _change(audit, column.label, first, column.audit)
        for place, column in enumerate(audit.columns)
    ]


def compared_sets(audit: AuditView) -> tuple[str, ...]:
    """Return the image sets whose answers are compared: all groups, or the headline's pool."""
    return audit.groups or (() if audit.target is None else (audit.target,))


def _change(audit: AuditView, label: str, first: Audit, second: Audit) -> Change | None:
    if first.per_image is None or second.per_image is None or audit.target is None:
        return None
    rows = [table[table["split"] == audit.target] for table in (first.per_image, second.per_image)]
    try:
        found = compare(*rows)
    except RunError:  # other images, or another object: nothing to compare
        return None
    overall = found.changes[0]
    sets = compared_sets(audit) if audit.groups else ("",)
    return Change(
        label,
        tuple(len(found.mended.get(name, ())) for name in sets),
        tuple(len(found.broken.get(name, ())) for name in sets),
        Estimate.of(overall.difference, overall.interval, found.n),
        found.outcome,
    )
