"""A protocol's table: the paper's figures beside ours, as objects, JSON and CSV."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from biasaudit.inputs.tables import csv_text
from biasaudit.reproduce.paper import Protocol, Row, Setting
from biasaudit.reproduce.work import Measured
from biasaudit.results import write_atomic, write_or_move

_COLUMNS = (
    *("row", "mode", "pixel_labels", "spent", "metric", "paper", "ours", "low", "high"),
    *("sd", "n", "seeds"),
)


@dataclass(frozen=True)
class Line:
    """One figure of a table, the paper's and ours, in percent; None where there is none.

    Attributes:
        row: What the paper calls the way to train.
        mode: The registered mode.
        pixel_labels: Labelled images that the paper spends.
        spent: Those that were spent here: fewer where the dataset has fewer.
        metric: What is measured.
        paper: The paper's figure.
        ours: The mean over the seeds that are measured.
        low: Lower limit of its 95% interval, by the images; of one seed alone.
        high: Upper limit.
        sd: Standard deviation between seeds; of two or more.
        n: Images that it was measured on.
        by_seed: Our figure by seed.
    """

    row: str
    mode: str
    pixel_labels: int
    spent: int
    metric: str
    paper: float | None
    ours: float | None
    low: float | None
    high: float | None
    sd: float | None
    n: int | None
    by_seed: Mapping[int, float]


@dataclass(frozen=True)
class Reproduction:
    """A table of the paper, as far as it is reproduced.

    Attributes:
        name: Of the protocol.
        protocol: What it trains and what the paper reports.
        lines: A figure each, row by row.
        settings: The protocol's settings, each with its source.
        changes: What the user set over them.
        notes: What differs from the paper.
        dataset: What the images are called.
    """

    name: str
    protocol: Protocol
    lines: tuple[Line, ...]
    settings: tuple[Setting, ...]
    changes: Mapping[str, Any]
    notes: tuple[str, ...]
    dataset: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return {
            "name": self.name,
            "title": self.protocol.title,
            "paper": "Li et al., CVPR 2018, arXiv 1802.10171",
            "source": self.protocol.source or None,
            "unit": "percent",
            "dataset": self.dataset,
            "settings": [asdict(setting) for setting in self.settings],
            "changes": dict(self.changes),
            "notes": list(self.notes),
            "lines": [
                {**asdict(line), "by_seed": {str(s): v for s, v in line.by_seed.items()}}
                for line in self.lines
            ],
        }

    def to_csv(self) -> str:
        """Return the lines as CSV with a header."""
        rows = []
        for line in self.lines:
            told = {**asdict(line), "seeds": " ".join(map(str, line.by_seed))}
            rows.append([told[name] for name in _COLUMNS])
        return csv_text(_COLUMNS, rows)

    def save(self, folder: Path) -> None:
        """Write ``NAME.json`` and ``NAME.csv``, each whole or not at all.

        Raises:
            RunFailedError: They cannot be written there; they are in another folder then.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, default=str) + "\n"

        def write(place: Path) -> None:
            place.mkdir(parents=True, exist_ok=True)
            write_atomic(place / f"{self.name}.json", text.encode())
            write_atomic(place / f"{self.name}.csv", self.to_csv().encode())

        write_or_move(folder, self.name, write)


def lines_of(
    protocol: Protocol, measured: Sequence[tuple[Row, int, Mapping[int, Mapping[str, Measured]]]]
) -> tuple[Line, ...]:
    """Return the lines of a table.

    Args:
        protocol: Its metrics.
        measured: Of each row the labels spent, and by seed the figures by metric.
    """
    return tuple(
        _line(row, spent, metric, {s: f[metric] for s, f in by_seed.items() if metric in f})
        for row, spent, by_seed in measured
        for metric in protocol.metrics
    )


def _line(row: Row, spent: int, metric: str, found: Mapping[int, Measured]) -> Line:
    there = {seed: m for seed, m in found.items() if m.value is not None}
    values = {seed: 100 * float(m.value or 0.0) for seed, m in there.items()}
    only = next(iter(there.values())) if len(there) == 1 else None
    low, high = (only.interval if only else None) or (None, None)
    return Line(
        row=row.name,
        mode=row.mode,
        pixel_labels=row.pixel_labels,
        spent=spent,
        metric=metric,
        paper=row.paper.get(metric),
        ours=statistics.fmean(values.values()) if values else None,
        low=None if low is None else 100 * low,
        high=None if high is None else 100 * high,
        sd=statistics.stdev(values.values()) if len(values) > 1 else None,
        n=next((m.n for m in there.values()), None),
        by_seed=values,
    )
