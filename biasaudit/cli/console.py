"""Where the command line prints: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from biasaudit import processes

# What a terminal obeys instead of showing it: control characters, marks that turn the direction
# of writing, line and paragraph separators, and halves of surrogate pairs, which are no text.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LONGEST = 4000


def visible(text: str, keep: str = "") -> str:
    """Return a text with every character that a terminal would obey written as an escape.

    Args:
        text: Names of files and classes may hold anything.
        keep: Characters that stay.
    """

    def shown(found: re.Match[str]) -> str:
        code = ord(found[0])
        if found[0] in keep:
            return found[0]
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    return _UNSEEN.sub(shown, text)


def one_line(text: str) -> str:
    """Return a text as one line of bearable length that a terminal shows as it is."""
    line = visible(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]}...{line[-_LONGEST // 2 :]}"


def json_line(text: str) -> str:
    """Return a JSON text that a terminal shows as it is, and that means the same."""
    return _UNSEEN.sub(lambda c: c[0] if c[0] == "\n" else f"\\u{ord(c[0]):04x}", text)


def echo_json(value: Any) -> None:
    """Print a value as indented JSON to stdout."""
    typer.echo(json_line(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)))


class PlainConsole(Console):
    """A console whose texts cannot steer the terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of what is printed, their texts made visible."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text, keep="\n"), segment.style)


# No emoji: a path or a module with ":x:" in it is printed as it is.
out = PlainConsole(highlight=False, emoji=False)
err = PlainConsole(stderr=True, highlight=False, emoji=False)

_UNLIMITED = 100_000


def quieten(quiet: bool) -> None:
    """Silence stderr's progress and notes; errors are printed all the same, by :func:`main`."""
    err.quiet = out.quiet = not processes.first()  # of several processes one speaks
    err.quiet |= quiet
    logging.getLogger("biasaudit").setLevel(logging.ERROR if err.quiet else logging.WARNING)


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
    wide = PlainConsole(highlight=False, markup=False, emoji=False, width=_UNLIMITED)
    for part in (title, table, caption):
        if isinstance(part, Table):
            wide.print(part, width=wide.measure(part).maximum)
        elif part:
            wide.print(str(part), soft_wrap=True)
    table.title, table.caption = title, caption
