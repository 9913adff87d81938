"""NPZ files from outside: what an array's header says is checked before memory is given to it."""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from biasaudit.inputs.files import GIGA, Source, check_regular

ARRAY_BYTES = GIGA
"""What is read of one array at most."""
NPZ_FAULTS = (
    *(OSError, ValueError, EOFError, LookupError, TypeError, SyntaxError, ArithmeticError),
    *(RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)
"""What zipfile and NumPy raise on a damaged file."""

_HEADER_BYTES = 4096
_PLAIN = re.compile(r"[<>|=]?[biufU]\d{1,6}")


@dataclass(frozen=True)
class Layout:
    """An array as its header describes it.

    Attributes:
        shape: Of the whole array.
        dtype: Plain numbers, truth values or texts.
        start: Bytes before the first element.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int

    @property
    def row_bytes(self) -> int:
        """Bytes of ``array[0]``."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize


def layouts(source: Source, names: Sequence[str]) -> dict[str, Layout]:
    """Return the layout of each named array; no element is read.

    Raises:
        BiasAuditError: The file is no NPZ file, lacks one of them, or a header does not fit what
            follows it.
    """
    found = {}
    with _opened(source) as archive:
        for name in names:
            with _member(source, archive, name) as stream:
                found[name] = _layout(source, archive, name, stream)
    return found


def read_array(source: Source, name: str) -> NDArray[Any]:
    """Read a whole array of at most :data:`ARRAY_BYTES`.

    Raises:
        BiasAuditError: As :func:`layouts`, it is larger, or it is damaged.
    """
    with _opened(source) as archive, _member(source, archive, name) as stream:
        layout = _layout(source, archive, name, stream)
        size = layout.row_bytes * layout.shape[0]
        if size > ARRAY_BYTES:
            raise source.refusal(f"array '{name}' has {size} bytes, more than are read")
        content = stream.read()
        return np.frombuffer(content, layout.dtype).reshape(layout.shape).copy()


def read_array_rows(source: Source, name: str, rows: Sequence[int]) -> NDArray[Any]:
    """Read some rows of an array, in the order asked for; no other row is held in memory.

    Raises:
        BiasAuditError: As :func:`layouts`, there is no such row, or it is damaged.
    """
    with _opened(source) as archive, _member(source, archive, name) as stream:
        layout = _layout(source, archive, name, stream)
        if rows and not 0 <= min(rows) <= max(rows) < layout.shape[0]:
            raise source.refusal(f"array '{name}' has {layout.shape[0]} rows, not {max(rows) + 1}")
        if len(set(rows)) * layout.row_bytes > ARRAY_BYTES:
            raise source.refusal(f"array '{name}' is too large")
        read = {}
        for row in sorted(set(rows)):
            stream.seek(layout.start + row * layout.row_bytes)
            content = stream.read(layout.row_bytes)
            read[row] = np.frombuffer(content, layout.dtype).reshape(layout.shape[1:])
        if not rows:
            return np.zeros((0, *layout.shape[1:]), layout.dtype)
        return np.stack([read[row] for row in rows])


def shapes_fit(found: Mapping[str, Layout], expected: Mapping[str, tuple[object, ...]]) -> str:
    """Say which array is not of the expected shape; nothing where all are.

    Args:
        found: As :func:`layouts` gives them.
        expected: Number of each axis, or a letter: the same number wherever it stands.
    """
    letters: dict[object, int] = {}
    for name, axes in expected.items():
        shape = found[name].shape
        fits = len(shape) == len(axes) and all(
            letters.setdefault(axis, size) == size if isinstance(axis, str) else axis == size
            for axis, size in zip(axes, shape, strict=True)
        )
        if not fits:
            return f"array '{name}' has the shape {shape}"
    return ""


@contextmanager
def _opened(source: Source) -> Iterator[zipfile.ZipFile]:
    check_regular(source)
    try:
        with zipfile.ZipFile(source.file) as archive:
            yield archive
    except NPZ_FAULTS as error:
        told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise source.refusal(f"not an npz file that can be read ({told})") from None


def _member(source: Source, archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    if f"{name}.npy" not in archive.namelist():
        raise source.refusal(f"no array '{name}'")
    return archive.open(f"{name}.npy")


def _layout(source: Source, archive: zipfile.ZipFile, name: str, stream: IO[bytes]) -> Layout:
    shape, fortran, dtype = _header(stream)
    start, size = stream.tell(), archive.getinfo(f"{name}.npy").file_size
    if fortran or dtype.kind not in "biufU" or not shape:
        raise source.refusal(f"array '{name}' is not of plain numbers or texts, row by row")
    if start + math.prod(shape) * dtype.itemsize != size:
        raise source.refusal(f"array '{name}' is not as long as its header says")
    return Layout(shape, dtype, start)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header that precedes an array in NumPy's format 1.0 or 2.0.

    Raises:
        ValueError: It is none, or describes more than plain numbers or texts.
    """
    magic = stream.read(8)
    width = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(magic)
    if width is None:
        raise ValueError("not an array")
    length = int.from_bytes(stream.read(width), "little")
    if length > _HEADER_BYTES:
        raise ValueError("the header is too long")
    said = ast.literal_eval(stream.read(length).decode("latin-1").strip())
    shape, fortran, kind = said["shape"], said["fortran_order"], said["descr"]
    if not isinstance(kind, str) or not _PLAIN.fullmatch(kind):
        raise ValueError(f"elements of type {str(kind)[:60]}")
    if not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise ValueError(f"the shape is {str(shape)[:60]}")
    return tuple(shape), bool(fortran), np.dtype(kind)
