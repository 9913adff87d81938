"""Two audits held against each other: every split that both measured, every pair that both did."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import pandas as pd

from biasaudit.analysis.compare import Comparison, compare
from biasaudit.analysis.harm import class_harm
from biasaudit.analysis.seeds import worsened
from biasaudit.errors import ConfigError, RunError, named_field, near_names
from biasaudit.results import Audit

_FIGURES = ["first", "second", "difference", "low", "high", "p_adjusted"]


class Comparisons(dict[str, Comparison]):
    """Two audits compared: a :class:`Comparison` by split; printed, one line a figure.

    Args:
        found: By split.
        first: What the first audit is called.
        second: What the second is called.
    """

    def __init__(
        self, found: Mapping[str, Comparison], first: str = "first", second: str = "second"
    ) -> None:
        super().__init__(found)
        self.first, self.second = first, second

    @property
    def table(self) -> pd.DataFrame:
        """One row a figure of every split: both values, the difference, its interval, its p-value.

        ``p_adjusted`` is by Holm, over the figures of a split; ``outcome`` is "better", "worse"
        (for the second audit) or "no difference shown".
        """
        rows = [
            {"split": split, "n": one.n, **asdict(change)}
            for split, one in self.items()
            for change in one.changes
        ]
        table = pd.DataFrame(rows)
        table["low"], table["high"] = zip(*table.pop("interval"), strict=True)
        return table[["split", "n", "figure", *_FIGURES, "outcome"]]

    def __str__(self) -> str:
        lines = [f"{self.second}, compared with {self.first}:"]
        for split, one in self.items():
            lines.append(f"{split} ({one.n} images)")
            width = max(len(change.figure) for change in one.changes)
            for change in one.changes:
                low, high = change.interval
                lines.append(
                    f"  {change.figure:<{width}}  {change.first:.3f} to {change.second:.3f}  "
                    f"{change.difference:+.3f} [{low:+.3f}, {high:+.3f}]  {change.outcome}"
                )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        names = html.escape(f"{self.second}, compared with {self.first}")
        table = self.table.to_html(index=False, float_format="{:.3f}".format)
        return f"<p>{names}</p>{table}"


def table_of(audit: Audit) -> pd.DataFrame:
    """Return the per-image table of an audit.

    Raises:
        RunError: The audit has none.
    """
    if audit.per_image is None:
        raise RunError(
            f"{audit.source or audit.name}: no per_image.csv of '{audit.name}' beside its results",
            "evaluate the run again",
        )
    return audit.per_image


def rows_of(audit: Audit, split: str) -> pd.DataFrame:
    """Return the rows of one split."""
    table = table_of(audit)
    return table[table["split"] == split]


def shared_splits(audits: Sequence[Audit], asked: Sequence[str] = ()) -> list[str]:
    """Return the splits that all audits measured, those with groups first; or the asked ones.

    Raises:
        RunError: They measured none in common.
        ConfigError: An asked split is not among them.
    """
    tables = [table_of(audit) for audit in audits]
    known = [
        str(name)
        for name in tables[0]["split"].unique()
        if all((table["split"] == name).any() for table in tables)
    ]
    if not known:
        raise RunError("the two were evaluated on no split in common", "evaluate both alike")
    for name in asked:
        if name not in known:
            raise ConfigError(
                f"{named_field('split', name)}: not evaluated in both", near_names(name, known)
            )
    first = tables[0]
    grouped = {name: (first.loc[first["split"] == name, "group"] != "").any() for name in known}
    return list(asked) or sorted(known, key=lambda name: not grouped[name])


def compare_audits(
    first: Audit, second: Audit, splits: Sequence[str] = (), seed: int = 0
) -> Comparisons:
    """Compare two audits image by image, split by split.

    Raises:
        RunError: They were not made on the same images, or one has no per-image table.
        ConfigError: An asked split was not measured in both.
    """
    found = {
        name: compare(rows_of(first, name), rows_of(second, name), seed=seed)
        for name in shared_splits((first, second), splits)
    }
    other_classes = class_harm(first, second)
    told = {name: replace(one, harm=other_classes) for name, one in found.items()}
    return Comparisons(told, first.name, second.name)


def worse_pairs(first: Audit, second: Audit) -> dict[str, float] | None:
    """Return the object-context pairs that got worse from one audit to another.

    Returns:
        Change of the overall accuracy by pair, the worst first; None where the pairs of an audit
        were not answered.
    """
    if first.pairs is None or second.pairs is None:
        return None
    before, after = first.pairs, second.pairs
    shared = sorted(set(before["split"]) & set(after["split"]))
    return worsened(
        {name: (before[before["split"] == name], after[after["split"] == name]) for name in shared}
    )
