"""Reads what an audit left behind: run folders, or results files alone."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.errors import RunError
from biasaudit.results import (
    GALLERY_FILE,
    PAIRS_FILE,
    PER_IMAGE_FILE,
    RESULTS_FILE,
    Run,
    read_per_image,
    read_results,
)


@dataclass(frozen=True)
class Pictures:
    """The small pictures of one run, read from ``gallery.npz`` one array at a time.

    :class:`biasaudit.results.Gallery` reads all of it; a report shows some dozen images of
    perhaps thousands, and the photographs of the first run serve for the others.

    Attributes:
        file: The npz file.
        index: Row of each sample id in the file's arrays.
    """

    file: Path
    index: dict[str, int]

    @classmethod
    def open(cls, file: Path) -> Pictures:
        """Read the ids of a gallery.

        Raises:
            RunError: The file is no gallery.
        """
        ids = _array(file, "ids")
        return cls(file, {str(name): row for row, name in enumerate(ids)})

    def images(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the thumbnails of these rows, (N, S, S, 3) uint8 RGB."""
        return _array(self.file, "images")[list(rows)]

    def maps(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the attention maps of these rows, (N, h, w) uint8."""
        return _array(self.file, "maps")[list(rows)]

    def regions(self, rows: Sequence[int], size: int) -> NDArray[np.bool_]:
        """Return the object's regions of these rows, (N, S, S) bool; ``size`` is S."""
        packed = _array(self.file, "regions")[list(rows)]
        return np.unpackbits(packed, axis=-1, count=size).astype(bool)


@dataclass(frozen=True)
class RunView:
    """One run as a report sees it.

    Attributes:
        run: Its figures.
        source: Where they were read, as messages call it.
        per_image: One row an image (:data:`biasaudit.results.PER_IMAGE_COLUMNS`), or None.
        pictures: Thumbnails, maps and regions, or None.
        pairs: Rows of every other object-context pair, ``split`` being the pair, or None.
    """

    run: Run
    source: str
    per_image: pd.DataFrame | None = None
    pictures: Pictures | None = None
    pairs: pd.DataFrame | None = None


def load_runs(paths: Sequence[Path]) -> list[RunView]:
    """Read the runs under these paths, in order.

    A path is a run's folder, or a ``results.json`` of one or several runs. The per-image table
    and the pictures are looked for beside the results; for a file of several runs, in folders
    that bear the runs' names, there or under ``runs/``. A report without them says so.

    Raises:
        RunError: No path, no results there, or a file that cannot be read.
    """
    if not paths:
        raise RunError("no run to report on", "name a run's folder or a results.json")
    views = [view for path in paths for view in _views(Path(path))]
    if not views:
        raise RunError(f"{paths[0]}: holds no run", "run 'biasaudit evaluate' first")
    return views


def _views(path: Path) -> list[RunView]:
    results = read_results(path)
    folder = path if path.is_dir() else path.parent
    source = str(path / RESULTS_FILE if path.is_dir() else path)
    if len(results.runs) == 1:
        return [_view(results.runs[0], folder, source)]
    return [_view(run, _folder_of(run, folder), source) for run in results.runs]


def _folder_of(run: Run, parent: Path) -> Path | None:
    """Return the run's own folder below ``parent``; a name that leads elsewhere has none."""
    if run.name in ("", ".", "..") or set(run.name) & set("/\\:\0"):
        return None
    places = (parent / run.name, parent / "runs" / run.name)
    return next((place for place in places if _is_file(place / RESULTS_FILE)), None)


def _view(run: Run, folder: Path | None, source: str) -> RunView:
    if folder is None:
        return RunView(run, source)
    table, gallery, pairs = (folder / name for name in (PER_IMAGE_FILE, GALLERY_FILE, PAIRS_FILE))
    return RunView(
        run,
        source,
        _read_table(table) if _is_file(table) else None,
        Pictures.open(gallery) if _is_file(gallery) else None,
        _read_table(pairs) if _is_file(pairs) else None,
    )


def _is_file(file: Path) -> bool:
    """Whether the file is there; a name too long for the file system is not."""
    try:
        return file.is_file()
    except OSError:
        return False


def _read_table(file: Path) -> pd.DataFrame:
    try:
        return read_per_image(file)
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from None


def _array(file: Path, key: str) -> NDArray[Any]:
    """Read one array of a gallery, having seen that all four are there."""
    try:
        with file.open("rb") as stream:
            data = np.load(stream, allow_pickle=False)
            if not isinstance(data, np.lib.npyio.NpzFile):
                raise RunError(f"{file}: not an npz file", "evaluate the run again")
            missing = {"ids", "images", "maps", "regions"} - set(data.files)
            if missing:
                raise RunError(f"{file}: no array '{min(missing)}'", "evaluate the run again")
            array: NDArray[Any] = data[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(file, error) from None
    return array


def _unreadable(file: Path, error: Exception) -> RunError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RunError(f"{file}: cannot be read ({reason})", "evaluate the run again")
