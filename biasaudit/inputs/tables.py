"""CSV: texts from outside, bounded; and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from biasaudit.inputs.files import GIGA, Source, check_regular, read_text, reading

if TYPE_CHECKING:
    import pandas as pd

TABLE_BYTES = 2 * GIGA
MOST_COLUMNS = 2000
_ROWS_AT_ONCE = 4_000
"""Read, written or looked at together; more would only take more memory."""
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
    """Return what :func:`frame_parts` yields, in one."""
    return b"".join(frame_parts(table))


def frame_parts(table: pd.DataFrame) -> Iterator[bytes]:
    """Yield a table as CSV, some rows at once; numbers in full, texts as :func:`guarded` has them.

    A text that is no UTF-8 (a file's name may be none) is written with question marks.
    """
    parts = range(0, max(1, len(table)), _ROWS_AT_ONCE)
    texts = [name for name in table if table[name].dtype.kind not in "biuf"]
    quoting = csv.QUOTE_MINIMAL
    if any(_has_return(table[name].iloc[at:][:_ROWS_AT_ONCE]) for at in parts for name in texts):
        quoting = csv.QUOTE_NONNUMERIC  # the csv module quotes a lone \r from 3.13 on alone
    for at in parts:
        plain = table.iloc[at : at + _ROWS_AT_ONCE].copy(deep=False)
        for name in texts:
            values = plain[name].astype(object)
            plain[name] = values.map(lambda v: guarded(v) if isinstance(v, str) else v)
        text: str = plain.to_csv(index=False, header=at == 0, lineterminator="\n", quoting=quoting)
        yield text.encode(errors="replace")


def _has_return(values: pd.Series) -> bool:
    return any(isinstance(value, str) and "\r" in value for value in values.tolist())


def read_frame(
    source: Source,
    texts: Sequence[str] = (),
    parse: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows,
) -> pd.DataFrame:
    """Read a CSV file, some rows at once, as a table of texts; numbers are the caller's to make.

    Args:
        source: The file.
        texts: Columns whose cells :func:`guarded` may have changed.
        parse: Given some rows as texts, whose index says where they stand, returns them as they
            stay in memory.

    Raises:
        BiasAuditError: It cannot be read, is no table, or has more than :data:`MOST_COLUMNS`.
    """
    return join_tables([parse(rows) for rows in _rows_of(source, texts)])


def text_column(cells: Iterable[str]) -> pd.Series:
    """Return a column of texts that keeps the texts given; pandas' own type makes new ones."""
    import pandas as pd

    return pd.Series(list(cells), dtype=object)


def join_tables(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of tables with the same columns, one or more; categories stay such.

    The parts are taken apart, column by column, so that no table stands in memory twice.
    """
    import pandas as pd

    columns = {name: _joined([part.pop(name) for part in parts]) for name in list(parts[0])}
    return pd.DataFrame(columns, copy=False)


def _joined(parts: Sequence[pd.Series]) -> pd.Series:
    import pandas as pd

    if not all(isinstance(part.dtype, pd.CategoricalDtype) for part in parts):
        return pd.concat(parts, ignore_index=True)
    return pd.Series(_united([part.array for part in parts]))


def _united(parts: Sequence[pd.Categorical]) -> pd.Categorical:
    """Return categories in the order of their appearance.

    pandas' own union has each text in memory three times.
    """
    import numpy as np
    import pandas as pd

    names = {name: None for part in parts for name in part.categories}
    places = {name: place for place, name in enumerate(names)}
    kind = np.min_scalar_type(-len(names) - 1)
    codes = []
    for part in parts:
        # the last one is that of -1, a value that is missing
        own = np.array([*(places[name] for name in part.categories), -1], dtype=kind)
        codes.append(own[part.codes])
    categories = pd.Index(list(names), dtype=object)
    return pd.Categorical.from_codes(np.concatenate(codes), categories=categories)


def stands_twice(table: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    """Return (N,) whether the same texts stand in these columns of an earlier row.

    Rows are told apart by a hash of 64 bits, and those alike by the texts themselves.
    """
    import numpy as np
    import pandas as pd

    parts = [
        pd.util.hash_pandas_object(
            table.iloc[at : at + _ROWS_AT_ONCE][list(keys)].astype(object),
            index=False,
            categorize=False,
        )
        for at in range(0, len(table), _ROWS_AT_ONCE)
    ]
    hashes = pd.Series(np.concatenate([np.zeros(0, np.uint64), *parts]))
    suspects = np.flatnonzero(hashes.duplicated(keep=False))
    found = np.zeros(len(table), dtype=bool)
    found[suspects] = table.iloc[suspects][list(keys)].astype(object).duplicated()
    return pd.Series(found, table.index)


def _rows_of(source: Source, texts: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield a table's rows, some at once, as texts."""
    import pandas as pd

    check_regular(source, TABLE_BYTES)
    with reading(source), source.file.open("rb") as stream:
        if stream.readline().count(b",") >= MOST_COLUMNS:
            raise source.refusal(f"has more than {MOST_COLUMNS} columns")
        stream.seek(0)
        try:
            parts = pd.read_csv(
                stream, dtype=object, keep_default_na=False, chunksize=_ROWS_AT_ONCE
            )
            for rows in parts:
                if not isinstance(rows.index, pd.RangeIndex):
                    # pandas takes cells without a header for names
                    raise source.refusal("rows have more cells than the header has columns")
                for column in rows.columns.intersection(texts):
                    # interned: ids stand in memory once, whatever number of tables has them
                    cells = rows[column].tolist()
                    known = {cell: sys.intern(unguarded(cell)) for cell in set(cells)}
                    rows[column] = text_column(known[cell] for cell in cells).set_axis(rows.index)
                yield rows
        except (ValueError, OverflowError, MemoryError) as error:
            told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise source.refusal(f"cannot be read ({told})") from None


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
