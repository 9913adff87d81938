"""CSV: texts from outside, bounded; and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from biasaudit.inputs.files import GIGA, Source, read_bytes, read_text

if TYPE_CHECKING:
    import pandas as pd

TABLE_BYTES = 2 * GIGA
MOST_COLUMNS = 2000
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(text: str) -> str:
    """Return a text as a CSV cell holds it: an apostrophe before what would be a formula.

    A spreadsheet reads ``=cmd|...`` or ``+1`` as a formula. :func:`unguarded` gives the text back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """Return the text that :func:`guarded` put into a cell."""
    return cell[1:] if _GUARDED.match(cell) else cell


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a CSV file's text; no cell of text is a formula to a spreadsheet.

    Args:
        header: The columns.
        rows: Cells; None is empty.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in (header, *rows):
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])
    return buffer.getvalue()


def frame_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV; numbers in full, texts as :func:`guarded` has them.

    A text that is no UTF-8 (a file's name may be none) is written with question marks.
    """
    plain = table.copy(deep=False)
    quoting = csv.QUOTE_MINIMAL
    for column in plain:
        values = plain[column]
        if values.dtype.kind not in "biuf":
            plain[column] = values.map(lambda v: guarded(v) if isinstance(v, str) else v)
            if values.map(lambda v: isinstance(v, str) and "\r" in v).any():
                quoting = csv.QUOTE_NONNUMERIC  # the csv module quotes a lone \r from 3.13 on alone
    text: str = plain.to_csv(index=False, lineterminator="\n", quoting=quoting)
    return text.encode(errors="replace")


def read_frame(source: Source, texts: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV file as a table of texts; what is to be a number is the caller's to say.

    Args:
        source: The file.
        texts: Columns whose cells :func:`guarded` may have changed.

    Raises:
        BiasAuditError: It cannot be read, is no table, or has more than :data:`MOST_COLUMNS`.
    """
    import pandas as pd

    content = read_bytes(source, TABLE_BYTES)
    if content.split(b"\n", 1)[0].count(b",") >= MOST_COLUMNS:
        raise source.refusal(f"has more than {MOST_COLUMNS} columns")
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (ValueError, OverflowError, MemoryError) as error:
        told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise source.refusal(f"cannot be read ({told})") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes cells without a header for names
        raise source.refusal("rows have more cells than the header has columns")
    for column in texts:
        if column in table:
            table[column] = table[column].map(unguarded)
    return table


def read_rows(source: Source) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read a CSV file (comma, semicolon or tab) by line.

    Returns:
        The header, and the number of the last line of each row with its cells.

    Raises:
        BiasAuditError: It cannot be read, or is no table.
    """
    text = read_text(source, TABLE_BYTES)
    separator = max(",\t;", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise source.refusal(f"row {reader.line_num}: cannot be read ({error})") from None
    if not rows:
        raise source.refusal("the table has no rows")
    header = [name.strip() for name in rows[0][1]]
    if len(header) > MOST_COLUMNS:
        raise source.refusal(f"has more than {MOST_COLUMNS} columns")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise source.refusal(f"two columns are called '{twice[0]}'")
    return header, rows[1:]
