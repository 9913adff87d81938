"""Where the attention lies, by cell or pool: the rows of the report's overlap table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biasaudit.report.format import NAME_LENGTH, Estimate, clean
from biasaudit.report.view import VAL, Audit, Column, cell_words, first
from biasaudit.results import AttentionOverlap


@dataclass(frozen=True)
class OverlapRow:
    """Where the attention lies in one cell.

    Attributes:
        name: The cell, or the split.
        energy: Energy pointing game of each run.
        iou: Intersection over union of each run.
        area_fraction: The region's share of the image: what a uniform map would score.
    """

    name: str
    energy: tuple[Estimate, ...]
    iou: tuple[Estimate, ...]
    area_fraction: float | None


def overlap(audit: Audit) -> list[OverlapRow]:
    """Return the attention overlap of val and of each cell or pool that has any."""
    sources = [
        (words, [_attention(c, split, cell) for c in audit.columns])
        for words, split, cell in _places(audit)
    ]
    return [_overlap_row(words, found) for words, found in sources if any(found)]


def _places(audit: Audit) -> list[tuple[str, str, str | None]]:
    places: list[tuple[str, str, str | None]] = [(VAL, VAL, None)]
    if audit.split is not None:
        places += [(cell_words(cell), audit.split, cell) for cell in audit.cells]
    return places + [(clean(name, NAME_LENGTH), name, None) for name in audit.pools]


def _attention(column: Column, name: str, cell: str | None) -> AttentionOverlap | None:
    split = Audit.split_of(column, name)
    if split is None or (cell is not None and cell not in split.cells):
        return None
    attention = split.overall.attention if cell is None else split.cells[cell].attention
    return attention if attention.n_valid else None


def _overlap_row(name: str, found: Sequence[AttentionOverlap | None]) -> OverlapRow:
    return OverlapRow(
        name,
        tuple(
            Estimate.of(a.energy_pointing_game, a.energy_pointing_game_ci, a.n_valid)
            if a is not None
            else Estimate(None)
            for a in found
        ),
        tuple(
            Estimate.of(a.iou, a.iou_ci, a.n_valid) if a is not None else Estimate(None)
            for a in found
        ),
        first(a.area_fraction for a in found if a is not None),
    )
