"""A table of texts, out of CSV or Parquet, whose rows can say where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasaudit.errors import ConfigError, DataError, near_names
from biasaudit.inputs.files import Source, check_regular
from biasaudit.inputs.tables import TABLE_BYTES, read_rows


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        file: The table.
        number: Of the line in a CSV file's text, of the row in a Parquet file; from 1 on.
        values: Text by column, without blanks around it.
    """

    file: Path
    number: int
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return a cell's text; empty where there is none."""
        return self.values.get(column, "")

    def items(self, column: str) -> list[str]:
        """Return the parts of a cell that ``;`` separates."""
        return [part.strip() for part in self.text(column).split(";") if part.strip()]

    def error(self, column: str, message: str, hint: str = "") -> DataError:
        """Return an error that says where it stands."""
        return DataError(f"{self.file}: row {self.number}: {column}: {message}", hint)


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        file: Where it comes from.
        columns: Names in order.
        rows: The rows.
    """

    file: Path
    columns: Sequence[str]
    rows: Sequence[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def need(self, columns: Iterable[str]) -> None:
        """Raise DataError for a column that the table lacks."""
        for name in columns:
            if name not in self.columns:
                raise DataError(
                    f"{self.file}: no column '{name}'",
                    f"{near_names(name, self.columns)}; [columns] in dataset.toml renames",
                )


def read_table(file: Path) -> Table:
    """Read a CSV file (comma, semicolon or tab) or, by its suffix, a Parquet file.

    Raises:
        DataError: It cannot be read.
        ConfigError: It is Parquet and pyarrow is not installed.
    """
    source = Source(file, hint="correct manifest in dataset.toml", missing="no such table")
    check_regular(source, TABLE_BYTES)
    table = _parquet(file) if file.suffix in (".parquet", ".pq") else _csv(source)
    if not table.rows:
        raise DataError(f"{file}: the table has no rows")
    return table


def _csv(source: Source) -> Table:
    header, lines = read_rows(source)
    rows = []
    for number, cells in lines:
        if len(cells) > len(header):
            raise DataError(
                f"{source.file}: row {number}: more cells than the header has columns",
                "put a text that holds the separator between quotes",
            )
        rows.append(Row(source.file, number, _texts(dict(zip(header, cells, strict=False)))))
    return Table(source.file, header, rows)


def _parquet(file: Path) -> Table:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise ConfigError(
            f"{file}: Parquet needs pyarrow, which is not installed",
            "pip install 'biasaudit[parquet]', or save the table as CSV",
        ) from None
    try:
        table = parquet.read_table(file)
        cells = table.to_pylist()
    except (ArrowException, OSError, ValueError, OverflowError, MemoryError, LookupError) as error:
        told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(f"{file}: not a Parquet file ({told})") from None
    rows = [Row(file, number, _texts(one)) for number, one in enumerate(cells, 1)]
    return Table(file, table.column_names, rows)


def _texts(cells: Mapping[str, Any]) -> dict[str, str]:
    return {name.strip(): _text(value) for name, value in cells.items() if name}


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(_text(part) for part in value)
    return str(value).strip()
