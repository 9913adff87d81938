"""Two pictures that tell most: the object missed, and the context taken for the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from biasaudit.report.sections.images import Item, Shot, items_with_pictures
from biasaudit.report.sections.quadrants import tables_of
from biasaudit.report.view import AuditView, group_words


@dataclass(frozen=True)
class Telling:
    """One picture, and what the runs make of it.

    Attributes:
        title: What the lead run does with it.
        item: The image.
        shots: The lead run's answer, and that of the run beside it.
    """

    title: str
    item: Item
    shots: Sequence[Shot]


def partner(audit: AuditView, lead: int) -> int | None:
    """Return the column to show beside the lead run: a repaired one, or else the most accurate.

    None where there is no other run with an accuracy.
    """
    overall = audit.overall()
    others = [i for i, e in enumerate(overall) if i != lead and e.value is not None]
    repaired = [i for i in others if "repair" in audit.columns[i].run.settings]
    return max(repaired or others, key=lambda i: (overall[i].value or 0.0, -i), default=None)


def telling(audit: AuditView, lead: int) -> list[Telling]:
    """Return a picture of each conflicting group: the surest wrong answer of the lead run.

    Preferred are images that the run beside it gets right. Groups without a wrong answer, and
    those without a picture, are left out.
    """
    tables = tables_of(audit)
    first = tables[lead]
    other = partner(audit, lead)
    if first is None or not audit.groups:
        return []
    pictures = audit.columns[lead].audit.pictures
    known = first[first.index.get_level_values("id").isin(pictures.index if pictures else [])]
    beside = None if other is None else tables[other]
    chosen = [key for group in audit.groups[:2] if (key := _pick(known, beside, group))]
    places = [lead] if other is None else [lead, other]
    found = items_with_pictures(audit, chosen)
    return [
        Telling(_title(audit, item), item, [s for at in places if (s := item.shots[at])])
        for item in found
    ]


def _pick(table: pd.DataFrame, beside: pd.DataFrame | None, group: str) -> tuple[str, str] | None:
    rows = table[(table.index.get_level_values("group") == group) & ~table["correct"]]
    if rows.empty:
        return None
    if beside is not None:
        mended = rows[rows.index.isin(beside.index[beside["correct"]])]
        rows = rows if mended.empty else mended
    key = rows["right"].idxmin()
    return str(key[0]), str(key[1])


def _title(audit: AuditView, item: Item) -> str:
    words = group_words(item.group)
    if item.label:
        return f"{words}: {audit.object} missed"
    return f"{words}: taken for {audit.object}"
