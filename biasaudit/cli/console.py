"""Where the command line prints: results to stdout, everything else to stderr."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.table import Table

# No emoji: a path or a module with ":x:" in it is printed as it is.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

_UNLIMITED = 100_000


def quieten(quiet: bool) -> None:
    """Silence stderr's progress and notes; errors are printed all the same, by :func:`main`."""
    err.quiet = quiet
    logging.getLogger("biasaudit").setLevel(logging.ERROR if quiet else logging.WARNING)


def note(line: str) -> None:
    """Print a line that a user should read to stderr."""
    err.print(f"note: {line}", markup=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """Print a table: as wide as the terminal, in a file or a pipe as wide as it needs.

    Off a terminal title and caption are a line each, however narrow the columns are.
    """
    if out.is_terminal:
        out.print(table)
        return
    title, caption, table.title, table.caption = table.title, table.caption, None, None
    wide = Console(highlight=False, markup=False, emoji=False, width=_UNLIMITED)
    for part in (title, table, caption):
        if isinstance(part, Table):
            wide.print(part, width=wide.measure(part).maximum)
        elif part:
            wide.print(str(part), soft_wrap=True)
    table.title, table.caption = title, caption
