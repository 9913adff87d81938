"""Files of an audit: their names, their tables, and how they change together or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, TypeAdapter

from biasaudit.errors import RunError
from biasaudit.inputs.documents import RECORD_BYTES, fault_in, read_as
from biasaudit.inputs.files import Source, digest_of_file, is_folder, lies_there
from biasaudit.inputs.tables import frame_bytes, read_frame, stands_twice
from biasaudit.results.locking import sole_writer
from biasaudit.results.schema import FORMAT_VERSION, Results

RESULTS_FILE = "results.json"
PER_IMAGE_FILE = "per_image.csv"
CLASSES_FILE = "classes.csv"
PAIRS_FILE = "pairs.csv"
GALLERY_FILE = "gallery.npz"
MAPS_FILE = "maps.npz"
PER_IMAGE_COLUMNS = (
    "split",  # "biased-boat", "val"
    "group",  # "boat-without-water"; empty outside the split's groups
    "id",  # the sample's id
    "label",  # 1: the object is there, 0: it is not
    "score",  # raw score (logit) of the object
    "decision",  # 1 where score > 0; where one class is chosen: where the object has the highest
    "correct",  # 1 where decision equals label
    "energy_pointing_game",  # NaN where the image has no region or the map is all zero
    "iou",  # at 20% of the map's maximum; NaN likewise
    "area_fraction",  # of the region; NaN where there is none
    "context",  # 1: the suspected context is there, 0: it is not; NaN where nobody said
    "pointing_game",  # 1 where the map's maximum lies inside the region; NaN as above
    "pixel_average_precision",  # of the map as a score for the region's pixels; NaN as above
    "context_energy",  # share of the attention on the context's region; NaN where it has none
    "context_area",  # share of the image inside the context's region; NaN where it has none
    "pair",  # id of the image that this one is an edited version of; empty for one as it is
    "quadrant",  # right or wrong answer, attention on or off the object: "right-off"
    "decision_at_operating_point",  # 1 where score > the fitted threshold; NaN where there is none
    "subset",  # that the image was drawn from: "val", "test"
    "source",  # where the image comes from, as the dataset names it; empty where it does not
    "alignment",  # of the group: "aligned", "conflicting"; empty outside groups, and for controls
    "edit",  # how an edited image was made, the context aside; empty for one as it is
)
METRIC_PREFIX = "metric_"
"""What the column of a plug-in's localization metric begins with; NaN where it was not measured."""
_TEXTS = ("split", "group", "id", "pair", "quadrant", "subset", "source", "alignment", "edit")
_KEYS = ("split", "group", "id")
_ANSWERS = ("label", "decision", "correct")
_RESULTS_BYTES = 4 * RECORD_BYTES
_COMMIT = "audit.commit"
"""Lists the new files of an audit, from when all are written until all are in place."""
_LOCK = "audit.lock"
_PATIENCE = 30.0
"""Seconds to wait for another process that replaces the same files."""


class _Version(BaseModel):
    """What files of every format have."""

    format_version: int = FORMAT_VERSION


def refuse_newer(file: Path) -> None:
    """Refuse a file of a newer format, whatever else it holds.

    Args:
        file: One that is not there, or no record, passes.

    Raises:
        RunError: A newer version wrote it.
    """
    try:
        found: _Version = read_as(
            Source(file, RunError), TypeAdapter(_Version), _RESULTS_BYTES, "a record"
        )
    except RunError:
        return
    if found.format_version > FORMAT_VERSION:
        raise RunError(
            f"{file}: format_version {found.format_version} is newer than {FORMAT_VERSION}",
            "update biasaudit",
        )


def read_results(path: Path) -> Results:
    """Read a results file, or the one in a run's folder.

    Raises:
        RunError: There is none, it is not JSON of this format, a newer version wrote it, or a
            file beside it is not the one that it was written with.
    """
    if is_folder(path):
        settle(path)
    file = path / RESULTS_FILE if is_folder(path) else path
    if not lies_there(path):
        kind = "file" if path.suffix == ".json" else "folder"
        raise RunError(f"{path}: no such {kind}", "give one that 'biasaudit evaluate' wrote")
    if not lies_there(file):
        raise RunError(f"{path}: no {RESULTS_FILE} there", "run 'biasaudit evaluate' on it")
    refuse_newer(file)
    source = Source(file, RunError, hint="give a results.json that 'biasaudit evaluate' wrote")
    results: Results = read_as(source, TypeAdapter(Results), _RESULTS_BYTES, "a results file")
    if wrong := fault_in(results.model_dump(), finite=True):
        raise source.refusal(wrong)
    _check_companions(file, results.files)
    return results


def _check_companions(file: Path, digests: Mapping[str, str]) -> None:
    """Refuse a file beside the results that another audit, or nobody, left there."""
    for name, digest in digests.items():
        companion = file.parent / Path(name).name
        if not lies_there(companion):
            continue
        if digest_of_file(Source(companion, RunError)) != digest:
            raise RunError(
                f"{companion}: is not the file that {file.name} beside it was written with",
                "evaluate the run again",
            )


def table_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV; numbers in full, so that every figure can be recomputed.

    A name that a spreadsheet would take for a formula has an apostrophe before it, which reading
    takes off again.
    """
    return frame_bytes(table)


def read_per_image(file: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a per-image table, columns as in :data:`PER_IMAGE_COLUMNS`.

    Args:
        file: The CSV.
        columns: Those that are kept, beside split, group and id; all where None. The others are
            checked all the same.

    Raises:
        RunError: The file cannot be read, lacks a column, or holds a value that the column
            cannot have.
    """
    source = Source(file, RunError, hint="evaluate the run again")
    kept = None if columns is None else {*_KEYS, *columns}

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        checked = _checked(file, rows)
        return checked if kept is None else checked[[name for name in checked if name in kept]]

    table = read_frame(source, _TEXTS, parse)
    refuse_row(file, stands_twice(table, _KEYS), "the image stands twice")
    return table


def _checked(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return rows of texts as rows of the table."""
    missing = [column for column in PER_IMAGE_COLUMNS if column not in table]
    if missing:
        raise RunError(f"{file}: no column '{missing[0]}'", "evaluate the run again")
    for column in table:
        if column not in _TEXTS:
            table[column] = _numbers(file, table[column])
    for column in _ANSWERS:
        refuse_row(file, ~table[column].isin((0, 1)), f"{column} is neither 0 nor 1")
        table[column] = table[column].astype(int)
    refuse_row(file, table["score"].isna(), "score is not a number")
    wrong = table["correct"] != (table["decision"] == table["label"])
    refuse_row(file, wrong, "correct is not what label and decision say")
    return table


def _numbers(file: Path, column: pd.Series) -> pd.Series:
    column = column.mask(column == "")
    try:
        values = column.astype(float)  # Python's own reading: the number that was written, exactly
    except (ValueError, OverflowError):
        values = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = column.index[~np.isfinite(values) & column.notna()]
    if len(wrong):
        raise RunError(
            f"{file}: row {int(wrong[0]) + 2}: {column.name} is '{str(column[wrong[0]])[:60]}', "
            "not a number",
            "evaluate the run again",
        )
    return values


def refuse_row(file: Path, wrong: pd.Series, what: str) -> None:
    """Refuse a table of which a row is wrong.

    Args:
        file: Where it was read.
        wrong: By row, whose index says where it stands below the header.
        what: What is wrong with it.

    Raises:
        RunError: One is: it names the first.
    """
    if wrong.any():
        row = int(wrong.index[wrong][0]) + 2
        raise RunError(f"{file}: row {row}: {what}", "evaluate the run again")


def write_atomic(file: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, then renamed over it.

    The content is on the disk before the name is: a power cut leaves the old file or the new one.
    A neighbour that an interrupted writing left behind, or a link of its name, is not followed.

    Raises:
        OSError: The file cannot be written; what was there stands.
    """
    draft = file.with_name(file.name + ".partial")
    try:
        _write_new(draft, [content])
        draft.replace(file)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _write_new(file: Path, parts: Iterable[bytes]) -> str:
    """Write a file that is not there yet, in place of what bears its name; return its SHA-256."""
    digest = hashlib.sha256()
    file.unlink(missing_ok=True)
    with file.open("xb") as stream:
        for part in parts:
            stream.write(part)
            digest.update(part)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


Content = Callable[[Mapping[str, str]], Iterable[bytes]]
"""Gives a file's content, part by part. It is told the SHA-256 of the files written before it."""


def whole(make: Callable[[], bytes]) -> Content:
    """Return a file's content that is made in one piece."""
    return lambda _: [make()]


def replace_together(
    folder: Path, contents: Mapping[str, Content], gone: Sequence[str] = ()
) -> None:
    """Replace several files of a folder at once: afterwards all are new, or all are as before.

    The new files are written beside the old ones first; then a list of them, whole or not at
    all; then each takes its place. Interrupted before the list, the old files stand. Interrupted
    after it, :func:`settle` finishes what was begun. Two processes do it one after the other.

    Args:
        folder: Exists.
        contents: New content by file name, in the order of writing.
        gone: Names of files that are removed.

    Raises:
        OSError: A file cannot be written; the old ones stand.
        RunError: An interrupted replacement cannot be finished.
    """
    with sole_writer(folder / _LOCK, _PATIENCE):
        _finish(folder)
        drafts = [folder / f"{name}.new" for name in (*contents, *gone)]
        try:
            for draft in drafts:
                draft.unlink(missing_ok=True)
            digests: dict[str, str] = {}
            for name, content in contents.items():
                digests[name] = _write_new(folder / f"{name}.new", content(digests))
            plan = {"replaced": list(contents), "removed": list(gone)}
            write_atomic(folder / _COMMIT, json.dumps(plan).encode())
        except BaseException:
            for draft in drafts:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
            raise
        _finish(folder)


def settle(folder: Path) -> None:
    """Finish a replacement of files that was interrupted after its last file was written.

    Raises:
        RunError: The folder cannot be written.
    """
    if not (folder / _COMMIT).is_file():
        return
    try:
        with sole_writer(folder / _LOCK, _PATIENCE):
            _finish(folder)
    except OSError as error:
        raise _unsettled(folder, error) from None


def _finish(folder: Path) -> None:
    commit = folder / _COMMIT
    if not commit.is_file():
        return
    try:
        plan = json.loads(commit.read_text(encoding="utf-8"))
        for name in plan["removed"]:
            (folder / Path(name).name).unlink(missing_ok=True)
        for name in plan["replaced"]:
            new = folder / f"{Path(name).name}.new"
            if new.is_file():
                new.replace(folder / Path(name).name)
        commit.unlink(missing_ok=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unsettled(folder, error) from None


def _unsettled(folder: Path, error: Exception) -> RunError:
    return RunError(
        f"{folder}: an interrupted audit cannot be finished ({error})", "evaluate it again"
    )
