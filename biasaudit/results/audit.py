"""The audit of one model: its figures, its per-image table, its pictures, as one object.

What a folder holds of it, side by side: ``results.json`` (figures), ``per_image.csv`` (one row an
image), ``gallery.npz`` (pictures and maps for a report), and where they were asked for
``pairs.csv`` (every other object-context pair) and ``maps.npz`` (every attention map).
``classes.csv`` holds the decision on every class of every image of val and the held-out subset.
"""

from __future__ import annotations

import html
import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.errors import RunError
from biasaudit.inputs.files import is_folder, lies_there
from biasaudit.inputs.tables import frame_parts
from biasaudit.results.beside import (
    LOCALIZATION_FILE,
    Beside,
    LocalizationFile,
    Segmentation,
    holds_segmenter,
    read_localization,
    read_segmentation,
)
from biasaudit.results.class_table import read_classes
from biasaudit.results.elsewhere import write_or_move
from biasaudit.results.files import (
    CLASSES_FILE,
    GALLERY_FILE,
    MAPS_FILE,
    PAIRS_FILE,
    PER_IMAGE_FILE,
    RESULTS_FILE,
    Content,
    read_per_image,
    read_results,
    replace_together,
    whole,
)
from biasaudit.results.gallery import Gallery, Pictures
from biasaudit.results.schema import Group, Overall, Results, Run, Split, Verdict

_MAP_OF = ("split", "group", "id")


@dataclass(frozen=True)
class Columns:
    """The columns of an audit's tables that somebody needs, beside those that name the rows.

    Attributes:
        images: Of ``per_image.csv``.
        pairs: Of ``pairs.csv``.
        classes: Of ``classes.csv``.
    """

    images: Sequence[str]
    pairs: Sequence[str]
    classes: Sequence[str]


@dataclass(frozen=True)
class Audit:
    """The audit of one model on one dataset.

    Attributes:
        run: Its figures.
        per_image: One row an image (:data:`biasaudit.results.PER_IMAGE_COLUMNS`), or None where
            the figures alone were read.
        pictures: Thumbnails, maps and regions, or None.
        pairs: Rows of every other object-context pair, ``split`` being the pair, or None.
        gallery: The same pictures in memory, where the audit was just made.
        maps: (N, h, w) attention of every row of ``per_image``, where it was asked for; NaN in
            rows whose map was not kept.
        source: Where it was read, as messages call it; empty for one just made.
        classes: One row an image and class (:data:`biasaudit.results.CLASS_COLUMNS`), or None.
        localization: What ``biasaudit localize`` left beside it, or None.
    """

    run: Run
    per_image: pd.DataFrame | None = None
    pictures: Pictures | None = None
    pairs: pd.DataFrame | None = None
    gallery: Gallery | None = None
    maps: NDArray[np.float32] | None = None
    source: str = ""
    classes: pd.DataFrame | None = None
    localization: LocalizationFile | None = None

    @property
    def name(self) -> str:
        """Mode, label budget and seed, or the external model's name."""
        return self.run.name

    @property
    def split(self) -> Split | None:
        """The split that the audit is about: the first with groups, else the last but ``val``."""
        splits = self.run.splits
        with_groups = [split for split in splits.values() if split.groups]
        others = [split for name, split in splits.items() if name != "val"]
        return next(iter(with_groups), None) or (others[-1] if others else splits.get("val"))

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on object and context; None without groups."""
        return None if self.split is None else self.split.verdict

    @property
    def overall(self) -> Overall | None:
        """The figures of that split as a whole."""
        return None if self.split is None else self.split.overall

    @property
    def by_group(self) -> pd.DataFrame:
        """One row a group of every split: n, accuracy, its interval, attention on the object."""
        rows = []
        for name, split in self.run.splits.items():
            parts: dict[str, Overall | Group] = {"": split.overall, **split.groups}
            for group, found in parts.items():
                low, high = found.accuracy_ci or (None, None)
                energy = found.attention.energy_pointing_game
                rows.append((name, group, found.n, found.accuracy, low, high, energy))
        names = ["n", "accuracy", "accuracy_low", "accuracy_high", "energy_pointing_game"]
        return pd.DataFrame(rows, columns=["split", "group", *names]).set_index(["split", "group"])

    def save(self, folder: Path | str) -> Path:
        """Write the audit to a folder: all of its files, or none.

        What an earlier audit left there and this one lacks is removed:
        :func:`biasaudit.analysis.earlier.added_to` joins the two first.

        Returns:
            The folder.

        Raises:
            RunFailedError: The folder cannot be written; the audit is in another one then.
        """
        folder = Path(folder)
        contents = self._contents()
        known = (PER_IMAGE_FILE, CLASSES_FILE, GALLERY_FILE, MAPS_FILE, PAIRS_FILE)

        def write(place: Path) -> None:
            place.mkdir(parents=True, exist_ok=True)
            replace_together(place, contents, [name for name in known if name not in contents])

        write_or_move(folder, self.name, write)
        return folder

    def _contents(self) -> dict[str, Content]:
        """Return what gives each file, the results last: they hold the digests of the others."""
        contents: dict[str, Content] = {}
        if self.per_image is not None:
            contents[PER_IMAGE_FILE] = _csv(self.per_image)
        if self.gallery is not None:
            contents[GALLERY_FILE] = whole(self.gallery.to_bytes)
        if self.maps is not None and self.per_image is not None:
            contents[MAPS_FILE] = whole(partial(_maps_bytes, self.per_image, self.maps))
        if self.pairs is not None:
            contents[PAIRS_FILE] = _csv(self.pairs)
        if self.classes is not None:
            contents[CLASSES_FILE] = _csv(self.classes)
        contents[RESULTS_FILE] = self._results
        return contents

    def _results(self, digests: Mapping[str, str]) -> Iterable[bytes]:
        return [Results(runs=[self.run], files=dict(digests)).to_json().encode()]

    @classmethod
    def load(cls, folder: Path | str) -> Audit:
        """Read the audit that a folder holds.

        Raises:
            RunError: There is none, or several, or a file of it cannot be read.
        """
        found = load_audits([Path(folder)])
        if len(found) != 1:
            raise RunError(f"{folder}: holds {len(found)} runs", "name one run's folder")
        return found[0]

    def __repr__(self) -> str:
        return f"Audit({self.name!r}, {self.run.object!r}, context={self.run.context!r})"

    def __str__(self) -> str:
        """Return the verdict in one line, and a line for each group of each split."""
        lines = [self.name if self.verdict is None else f"{self.name}: {self.verdict}"]
        for (split, group), row in self.by_group.iterrows():
            parts = [f"  {split}" if not group else f"    {group}", f"n {row['n']:.0f}"]
            if row["accuracy"] == row["accuracy"]:
                parts.append(f"accuracy {row['accuracy']:.3f}")
            if row["accuracy_low"] == row["accuracy_low"]:
                parts.append(f"[{row['accuracy_low']:.3f}, {row['accuracy_high']:.3f}]")
            lines.append("  ".join(parts))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        headline = "" if self.verdict is None else f": {self.verdict}"
        table = self.by_group.to_html(float_format="{:.3f}".format)
        return f"<p><b>{html.escape(self.name)}</b>{html.escape(headline)}</p>{table}"


def _csv(table: pd.DataFrame) -> Content:
    return lambda _: frame_parts(table)


def load_audits(paths: Sequence[Path], columns: Columns | None = None) -> list[Audit]:
    """Read the audits under these paths, in order.

    A path is a run's folder, or a ``results.json`` of one or several runs. The per-image table
    and the pictures are looked for beside the results; for a file of several runs, in folders
    that bear the runs' names, there or under ``runs/``.

    Args:
        paths: One or more.
        columns: Those of the tables that are kept in memory; all where None.

    Raises:
        RunError: No path, no results there, or a file that cannot be read.
    """
    if not paths:
        raise RunError("no run to report on", "name a run's folder or a results.json")
    audits = [audit for path in paths for audit in _audits(Path(path), columns)]
    if not audits:
        raise RunError(f"{paths[0]}: holds no run", "run 'biasaudit evaluate' first")
    return audits


def load_all(
    given: Sequence[Audit | Path], columns: Columns | None = None
) -> tuple[list[Audit], Beside]:
    """Read all that a report can show: audits, runs that were localized, segmenters.

    Args:
        given: Audits as they are, or paths: those that :func:`load_audits` takes, folders of
            runs that were localized alone or their ``localization.json``, and folders of
            segmenters or their ``evaluation.json``.
        columns: As for :func:`load_audits`.

    Raises:
        RunError: A path holds none of them, or a file cannot be read.
    """
    audits: list[Audit] = []
    localized: list[LocalizationFile] = []
    segmented: list[Segmentation] = []
    for one in given:
        if isinstance(one, Audit):
            audits.append(one)
        elif holds_segmenter(one):
            segmented.append(read_segmentation(one))
        elif not lies_there(one / RESULTS_FILE) and (found := read_localization(one)) is not None:
            localized.append(found)
        elif one.name == LOCALIZATION_FILE and (alone := read_localization(one.parent)) is not None:
            localized.append(alone)
        else:
            audits += load_audits([one], columns)
    return audits, Beside(tuple(localized), tuple(segmented))


def _audits(path: Path, columns: Columns | None) -> list[Audit]:
    results = read_results(path)
    folder = path if is_folder(path) else path.parent
    source = str(path / RESULTS_FILE if is_folder(path) else path)
    if len(results.runs) == 1:
        return [_audit(results.runs[0], folder, source, columns)]
    return [_audit(run, _folder_of(run, folder), source, columns) for run in results.runs]


def _folder_of(run: Run, parent: Path) -> Path | None:
    """Return the run's own folder below ``parent``; a name that leads elsewhere has none."""
    if run.name in ("", ".", "..") or set(run.name) & set("/\\:\0"):
        return None
    named = [parent / run.name, parent / "runs" / run.name]
    # a run that was evaluated from a folder of another name
    others = sorted(file.parent for file in parent.glob(f"*/{RESULTS_FILE}"))
    places = [place for place in (*named, *others) if lies_there(place / RESULTS_FILE)]
    return next((place for place in places if _holds(place, run)), None)


def _holds(folder: Path, run: Run) -> bool:
    """Whether a folder's results are those of this run."""
    try:
        found = read_results(folder).runs
    except RunError:
        return False
    return [one.name for one in found] == [run.name]


def _audit(run: Run, folder: Path | None, source: str, columns: Columns | None) -> Audit:
    if folder is None:
        return Audit(run, source=source)
    names = (PER_IMAGE_FILE, GALLERY_FILE, PAIRS_FILE, CLASSES_FILE)
    table, gallery, pairs, classes = (folder / name for name in names)
    kept = (None,) * 3 if columns is None else (columns.images, columns.pairs, columns.classes)
    return Audit(
        run,
        read_per_image(table, kept[0]) if lies_there(table) else None,
        Pictures.open(gallery) if lies_there(gallery) else None,
        read_per_image(pairs, kept[1]) if lies_there(pairs) else None,
        source=source,
        classes=read_classes(classes, kept[2]) if lies_there(classes) else None,
        localization=read_localization(folder, run.weights_sha256),
    )


def _maps_bytes(table: pd.DataFrame, maps: NDArray[np.float32]) -> bytes:
    """Return maps as a compressed npz file, with ``split``, ``group`` and ``id`` of each."""
    there = ~np.isnan(maps).any(axis=(1, 2))
    texts = {name: table[name].to_numpy(np.str_)[there] for name in _MAP_OF}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, maps=maps[there], **texts)
    return buffer.getvalue()


def read_maps(file: Path) -> dict[tuple[str, str, str], NDArray[np.float32]]:
    """Read the attention maps that an audit kept.

    Returns:
        (h, w) by split, group and id.

    Raises:
        RunError: The file holds none.
    """
    try:
        with np.load(file, allow_pickle=False) as data:
            maps, *texts = (data[name] for name in ("maps", *_MAP_OF))
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{file}: cannot be read ({error})", "evaluate the run again") from None
    keys = zip(*(text.tolist() for text in texts), strict=True)
    return dict(zip(keys, maps, strict=True))
