"""The view model of one audit: its runs as columns, and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from biasaudit.report.load import RunView
from biasaudit.report.numbers import NAME_LENGTH, Estimate, clean, difference
from biasaudit.results import AttentionOverlap, Run, Split

VAL = "val"
T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """One run of an audit.

    Attributes:
        label: Mode and label budget, and the seed where runs differ in nothing else.
        view: The run's figures, table and pictures.
    """

    label: str
    view: RunView

    @property
    def run(self) -> Run:
        """The run's figures."""
        return self.view.run


@dataclass(frozen=True)
class Row:
    """One line of a table: a figure for each run.

    Attributes:
        name: What is measured.
        note: One short remark, such as the right answer of a cell.
        kind: ``rate`` (a share, shown in percent), ``auroc`` or ``gap`` (percentage points).
        entries: The runs' figures, in column order.
        floor: What a constant answer scores.
        key: ``val``, the cell's name, ``overall`` or ``auroc``.
    """

    name: str
    note: str
    kind: str
    entries: tuple[Estimate, ...]
    floor: float | None = None
    key: str = ""

    @property
    def n(self) -> int | None:
        """The number of images, where all runs agree on it."""
        counts = {entry.n for entry in self.entries if entry.value is not None}
        return counts.pop() if len(counts) == 1 else None


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


@dataclass(frozen=True)
class Audit:
    """Runs that were asked the same question, on one split.

    Attributes:
        number: Counts from 1; part of the anchors.
        split: The split with counterfactual cells, or None where no run has one.
        cells: Its cells, in the order of the results.
    """

    number: int
    object: str
    context: str | None
    dataset: str
    split: str | None
    cells: tuple[str, ...]
    columns: tuple[Column, ...]

    def splits(self) -> list[Split | None]:
        """Return each run's share of the audited split."""
        return [self._split(column, self.split) for column in self.columns]

    def overall(self) -> tuple[Estimate, ...]:
        """Return each run's accuracy over the cells."""
        return tuple(_overall(split) for split in self.splits())

    def val(self) -> tuple[Estimate, ...]:
        """Return each run's accuracy on the validation images."""
        return tuple(_overall(self._split(column, VAL)) for column in self.columns)

    def floor(self) -> float | None:
        """Return what a constant answer scores on the audited split."""
        return _first(s.overall.floor for s in self.splits() if s is not None)

    def cell(self, name: str) -> tuple[Estimate, ...]:
        """Return each run's accuracy in one cell."""
        found = [s.cells.get(name) if s is not None else None for s in self.splits()]
        return tuple(
            Estimate.of(c.accuracy, c.accuracy_ci, c.n) if c is not None else Estimate(None)
            for c in found
        )

    def answer(self, name: str) -> bool | None:
        """Return the right answer of a cell, where the results give it."""
        cells = [s.cells[name] for s in self.splits() if s is not None and name in s.cells]
        return _first(cell.answer for cell in cells)

    def table(self) -> list[Row]:
        """Return the rows of the paper's Table 4, and the AUROC below them."""
        rows = [
            Row(name, "", "rate", tuple(_overall(s) for s in plain), _floor(plain), name)
            for name, plain in self._plain_splits()
        ]
        for name in self.cells:
            answer = self.answer(name)
            note = "" if answer is None else f"right answer: {'yes' if answer else 'no'}"
            rows.append(Row(cell_words(name), note, "rate", self.cell(name), None, name))
        if self.split is not None:
            note = "mean of the cells" if self.cells else ""
            rows.append(Row("overall", note, "rate", self.overall(), self.floor(), "overall"))
            auroc = tuple(_auroc(split) for split in self.splits())
            rows.append(Row("AUROC", "of the cells together", "auroc", auroc, 0.5, "auroc"))
        return rows

    def gaps(self) -> list[Row]:
        """Return how far each cell lies from val, in accuracy; positive where val is better."""
        val = self.val()
        if self.split is None or all(entry.value is None for entry in val):
            return []
        named = [(name, cell_words(name), self.cell(name)) for name in self.cells]
        named.append(("overall", "overall", self.overall()))
        return [
            Row(
                f"val minus {words}",
                "",
                "gap",
                tuple(difference(a, b) for a, b in zip(val, entries, strict=True)),
                None,
                key,
            )
            for key, words, entries in named
        ]

    def overlap(self) -> list[OverlapRow]:
        """Return the attention overlap of each cell, and of val, that has any."""
        sources = [
            (words, [self._attention(c, split, cell) for c in self.columns])
            for words, split, cell in self._overlap_places()
        ]
        return [_overlap_row(words, found) for words, found in sources if any(found)]

    def _plain_splits(self) -> list[tuple[str, list[Split | None]]]:
        names = dict.fromkeys(
            name
            for column in self.columns
            for name, split in column.run.splits.items()
            if not split.cells and name != self.split
        )
        return [(name, [self._split(c, name) for c in self.columns]) for name in names]

    def _overlap_places(self) -> list[tuple[str, str, str | None]]:
        places: list[tuple[str, str, str | None]] = [(VAL, VAL, None)]
        if self.split is not None:
            places += [(cell_words(cell), self.split, cell) for cell in self.cells]
        return places

    def _attention(self, column: Column, name: str, cell: str | None) -> AttentionOverlap | None:
        split = self._split(column, name)
        if split is None or (cell is not None and cell not in split.cells):
            return None
        attention = split.overall.attention if cell is None else split.cells[cell].attention
        return attention if attention.n_valid else None

    @staticmethod
    def _split(column: Column, name: str | None) -> Split | None:
        return column.run.splits.get(name) if name is not None else None


def cell_words(name: str) -> str:
    """Return a cell's name as it reads in a sentence."""
    words = name.replace("-without-", " without ").replace("-with-", " with ")
    return clean(words, 2 * NAME_LENGTH)


def _overall(split: Split | None) -> Estimate:
    if split is None:
        return Estimate(None)
    return Estimate.of(split.overall.accuracy, split.overall.accuracy_ci, split.overall.n)


def _auroc(split: Split | None) -> Estimate:
    if split is None:
        return Estimate(None)
    return Estimate.of(split.overall.auroc, split.overall.auroc_ci, split.overall.n)


def _floor(splits: Iterable[Split | None]) -> float | None:
    return _first(split.overall.floor for split in splits if split is not None)


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


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
        _first(a.area_fraction for a in found if a is not None),
    )
