"""The view model of one audit: its runs as columns, and its tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from biasaudit.report.format import NAME_LENGTH, Estimate, clean, difference
from biasaudit.results import Audit, Run, Split

VAL = "val"
T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """One run of an audit.

    Attributes:
        label: Mode and label budget, and the seed where runs differ in nothing else.
        audit: The run's figures, table and pictures.
    """

    label: str
    audit: Audit

    @property
    def run(self) -> Run:
        """The run's figures."""
        return self.audit.run


@dataclass(frozen=True)
class Row:
    """One line of a table: a figure for each run.

    Attributes:
        name: What is measured.
        note: One short remark, such as the right answer of a group.
        kind: ``rate`` (a share, shown in percent), ``auroc`` or ``gap`` (percentage points).
        entries: The runs' figures, in column order.
        constant_baseline: What a constant answer scores.
        key: ``val``, the group's name, ``overall`` or ``auroc``.
    """

    name: str
    note: str
    kind: str
    entries: tuple[Estimate, ...]
    constant_baseline: float | None = None
    key: str = ""

    @property
    def n(self) -> int | None:
        """The number of images, where all runs agree on it."""
        counts = {entry.n for entry in self.entries if entry.value is not None}
        return counts.pop() if len(counts) == 1 else None


@dataclass(frozen=True)
class AuditView:
    """Runs that were asked the same question, on one split.

    Attributes:
        number: Counts from 1; part of the anchors.
        split: The split with counterfactual groups, or None where no run has one.
        groups: Its bias-conflicting groups, in the order of the results: what its figures speak
            of. All groups where none is said to be conflicting.
        pools: Where there is no such split, the subsets measured beside val.
        aligned: Its bias-aligned groups, which stand in the table alone.
    """

    number: int
    object: str
    context: str | None
    dataset: str
    split: str | None
    groups: tuple[str, ...]
    columns: tuple[Column, ...]
    pools: tuple[str, ...] = ()
    aligned: tuple[str, ...] = ()

    @property
    def image_sets(self) -> tuple[str, ...]:
        """What single images are sorted by: groups, or else pools, or else val."""
        return self.groups or self.pools or (VAL,)

    @property
    def target(self) -> str | None:
        """The split that the headline speaks of; of several pools, the one with most errors."""
        if self.split is not None or not self.pools:
            return self.split
        return min(self.pools, key=self._mean_accuracy)

    def splits(self) -> list[Split | None]:
        """Return each run's share of the target."""
        return [self.split_of(column, self.target) for column in self.columns]

    def overall(self) -> tuple[Estimate, ...]:
        """Return each run's accuracy on the target: over its groups where it has some."""
        return tuple(_overall(split) for split in self.splits())

    def apart(self) -> list[tuple[str, str, tuple[Estimate, ...]]]:
        """Return key, name and accuracies of each group, or of each pool."""
        if self.split is None:
            return [(name, clean(name, NAME_LENGTH), self._pool(name)) for name in self.pools]
        return [(name, group_words(name), self.group(name)) for name in self.groups]

    def val(self) -> tuple[Estimate, ...]:
        """Return each run's accuracy on the validation images."""
        return self._pool(VAL)

    def constant_baseline(self) -> float | None:
        """Return what a constant answer scores on the target."""
        return first(s.overall.constant_baseline for s in self.splits() if s is not None)

    def group(self, name: str) -> tuple[Estimate, ...]:
        """Return each run's accuracy in one group."""
        found = [s.groups.get(name) if s is not None else None for s in self.splits()]
        return tuple(
            Estimate.of(c.accuracy, c.accuracy_ci, c.n) if c is not None else Estimate(None)
            for c in found
        )

    def answer(self, name: str) -> bool | None:
        """Return the right answer of a group, where the results give it."""
        groups = [s.groups[name] for s in self.splits() if s is not None and name in s.groups]
        return first(group.answer for group in groups)

    def table(self) -> list[Row]:
        """Return the rows of the paper's Table 4, and the AUROC below them."""
        rows = [
            Row(
                name, "", "rate", tuple(_overall(s) for s in plain), _constant_baseline(plain), name
            )
            for name, plain in self._plain_splits()
        ]
        for name in (*self.groups, *self.aligned):
            answer = self.answer(name)
            note = "" if answer is None else f"right answer: {'yes' if answer else 'no'}"
            note += ", as the context says" if name in self.aligned else ""
            rows.append(Row(group_words(name), note, "rate", self.group(name), None, name))
        if self.split is not None:
            note = "mean of the groups" if self.groups else ""
            if self.aligned:
                note = "mean of the conflicting groups"
            rows.append(
                Row("overall", note, "rate", self.overall(), self.constant_baseline(), "overall")
            )
            auroc = tuple(_auroc(split) for split in self.splits())
            rows.append(Row("AUROC", "of the groups together", "auroc", auroc, 0.5, "auroc"))
        for name in self.pools:
            auroc = tuple(_auroc(self.split_of(column, name)) for column in self.columns)
            words = clean(name, NAME_LENGTH)
            rows.append(Row(f"AUROC, {words}", "", "auroc", auroc, 0.5, "auroc"))
        return rows

    def gaps(self) -> list[Row]:
        """Return how far groups or pools lie from val; positive where val is better."""
        val = self.val()
        if all(entry.value is None for entry in val):
            return []
        named = self.apart()
        if self.split is not None:
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

    def _plain_splits(self) -> list[tuple[str, list[Split | None]]]:
        names = dict.fromkeys(
            name
            for column in self.columns
            for name, split in column.run.splits.items()
            if not split.groups and name != self.split
        )
        return [(name, [self.split_of(c, name) for c in self.columns]) for name in names]

    def _pool(self, name: str) -> tuple[Estimate, ...]:
        return tuple(_overall(self.split_of(column, name)) for column in self.columns)

    def _mean_accuracy(self, name: str) -> float:
        known = [entry.value for entry in self._pool(name) if entry.value is not None]
        return sum(known) / len(known) if known else 1.0

    @staticmethod
    def split_of(column: Column, name: str | None) -> Split | None:
        """Return one run's split of this name."""
        return column.run.splits.get(name) if name is not None else None


def rows_of(audit: AuditView, table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the per-image rows of an audit's image sets, each image once; ``group`` names the set.

    Args:
        audit: The audit.
        table: One run's per-image table, or None.
    """
    if table is None:
        return None
    if audit.split is None:
        rows = table[table["split"].isin(audit.image_sets)]
        rows = rows.assign(group=rows["split"])
    else:
        rows = table[(table["split"] == audit.split) & table["group"].isin(audit.groups)]
    return rows.drop_duplicates(["group", "id"]).set_index(["group", "id"])


def group_words(name: str) -> str:
    """Return a group's name as it reads in a sentence."""
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


def _constant_baseline(splits: Iterable[Split | None]) -> float | None:
    return first(split.overall.constant_baseline for split in splits if split is not None)


def first(values: Iterable[T | None]) -> T | None:
    """Return the first value that exists."""
    return next((value for value in values if value is not None), None)
