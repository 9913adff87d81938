"""Where the command line prints: results to stdout, everything else to stderr."""

from __future__ import annotations

from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def quieten(quiet: bool) -> None:
    """Silence stderr's progress and notes; errors are printed all the same, by :func:`main`."""
    err.quiet = quiet
