"""Text and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from biasaudit.report.format import clean


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines; all columns but the first are numbers."""
    align = ["---", *["---:"] * (len(heads) - 1)]
    table = [list(map(plain, heads)), align, *[list(map(plain, row)) for row in rows]]
    return [f"| {' | '.join(line)} |" for line in table]


def plain(text: str) -> str:
    """Escape what Markdown, HTML in it, or a mention would read as more than text."""
    escaped = re.sub(r"([\\`*|<>])", r"\\\1", clean(text))
    return escaped.replace("](", "]\\(").replace("@", "&#64;")
