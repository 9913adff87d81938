"""The manifest format: one table, CSV or Parquet, with a row for each image.

::

    format = "manifest"
    manifest = "lesions.csv"
    images = "images"            # what the column image is relative to, a folder or a URL
    contexts = ["ruler", "site"] # columns that say what else the image shows
    object = "melanoma"
    context = "ruler"

    [columns]                    # only where the table calls them otherwise
    labels = "diagnosis"

=========  ====================================================================================
image      path of the image, or its URL (s3, gs, az, https, ...), which is read when asked for
labels     object classes, separated by ``;``; empty for none
subset     ``train``, ``val`` or ``test``
mask       optional: ``boat:masks/1.png;cow:masks/2.png``; the class may be left out where the
           image has one, and where ``[mask_values]`` says what the values mean
boxes      optional: ``boat:2 3 10 6;boat:8 5 12 7``, each x, y, width and height in px
source     optional: where the image comes from; each source gives its share of the pixel labels
others     a column in ``contexts``: 1, true or yes (the context is there), 0, false or no (it is
           not), nothing (nobody looked), or a text, which makes the context ``column=text`` and
           says that the column's other texts are not there
=========  ====================================================================================
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from biasaudit.data.annotation.boxes import has_area
from biasaudit.data.checks.faults import (
    ANNOTATION,
    DUPLICATE,
    EMPTY,
    MISSING,
    NO_NAME,
    OUTSIDE,
    Complain,
    leading_out,
    refuse,
)
from biasaudit.data.formats.masked import Found, MaskValues, join
from biasaudit.data.formats.table import Row, Table, read_table
from biasaudit.data.formats.toml_file import READERS, DatasetFile, Names
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, DataError, near_names
from biasaudit.inputs.files import is_file, leads_out
from biasaudit.inputs.places import Place, Remote, below, is_relative, place_of

SUBSETS = ("train", "val", "test")
_FARTHEST = 2**31
_YES, _NO = frozenset({"1", "1.0", "true", "yes", "y"}), frozenset({"0", "0.0", "false", "no", "n"})


class Columns(BaseModel):
    """How the table calls its columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str = "image"
    labels: str = "labels"
    subset: str = "subset"
    mask: str = "mask"
    boxes: str = "boxes"
    source: str = "source"


@READERS.register("manifest")
class ManifestDataset(DatasetFile):
    """``dataset.toml`` with ``format = "manifest"``.

    Attributes:
        manifest: The table.
        images: Folder, or URL, that paths of images and masks are relative to.
        columns: The table's own names of its columns.
        contexts: Columns that are contexts.
        classes: The object classes in score order; those of the table, sorted, unless given.
        mask_values: Value of each object and context in masks that are given without a class.
    """

    manifest: str
    images: str = "."
    columns: Columns = Field(default_factory=Columns)
    contexts: Names = ()
    classes: Names = ()
    mask_values: MaskValues = Field(default_factory=dict)

    def read(self, file: Path, complain: Complain = refuse) -> Dataset:
        """Read the table and the masks; images are decoded when asked for.

        Raises:
            DataError: The table, a row of it or a mask cannot be used.
            ConfigError: The table is Parquet and pyarrow is not installed.
        """
        table = read_table(file.parent / self.manifest)
        names = self.columns
        table.need([names.image, names.labels, names.subset, *self.contexts])
        classes = self.classes or tuple(sorted({n for r in table for n in r.items(names.labels)}))
        if not classes:
            raise DataError(f"{table.file}: {names.labels}: no row has a class")
        counts = Counter(row.text(names.subset) for row in table)
        reader = _Rows(_root(file, self.images), self, classes, complain, counts)
        found: dict[str, list[Found]] = {}
        for row in table:
            reader.add(row, found)
        _check_columns(table, self.contexts, complain)
        seen = {name for rows in found.values() for one in rows for name in one.contexts}
        subsets = {
            subset: join(
                [_annotated(one, seen) for one in rows], self.mask_values, classes, complain
            )
            for subset, rows in ((name, found[name]) for name in SUBSETS if name in found)
        }
        columns = [name for name in self.contexts if name in seen]
        values = sorted(seen - set(columns))
        masks = [n for n in self.mask_values if n not in (*classes, *columns, *values)]
        return Dataset(
            name=self.name or file.parent.resolve().name,
            classes=classes,
            contexts=(*columns, *values, *masks),
            subsets=subsets,
            object=self.object,
            context=self.context,
            root=str(file.parent),
        )


def _root(file: Path, images: str) -> Path | Remote:
    """Return the folder, or the URL, that images are relative to."""
    try:
        place = place_of(images)
    except ConfigError as error:
        raise DataError(f"{file}: images: {error.message}", error.hint) from None
    return file.parent / images if place is None else place


def _check_columns(table: Table, columns: Sequence[str], complain: Complain) -> None:
    """Complain of a context column that says yes or no in some rows and names a value in others."""
    for column in columns:
        told = [(row, row.text(column).lower()) for row in table if row.text(column)]
        named = [row for row, text in told if text not in _YES | _NO]
        if named and len(named) < len(told):
            complain(
                ANNOTATION,
                named[0].error(
                    column,
                    f"'{named[0].text(column)[:60]}' in a column that has yes or no in "
                    f"{len(told) - len(named)} other rows",
                    "write 1 or 0 in every row, or a text in every row",
                ),
            )


def _annotated(one: Found, seen: Collection[str]) -> Found:
    """Return an image whose answered columns stand for all contexts that they can name."""
    texts = {name for name in seen if name.partition("=")[0] in one.annotated and "=" in name}
    return replace(one, annotated=one.annotated | texts)


@dataclass
class _Rows:
    """Turns rows into what is known of their images."""

    root: Path | Remote
    description: ManifestDataset
    classes: Sequence[str]
    complain: Complain
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._told: set[str] = set()

    def add(self, row: Row, found: dict[str, list[Found]]) -> None:
        """Put a row's image into its subset; complain of a row that cannot be used."""
        columns = self.description.columns
        subset = row.text(columns.subset)
        if subset not in SUBSETS:
            if subset not in self._told:  # once, and not in every row that says so
                self._told.add(subset)
                rows = self.counts.get(subset, 1)
                many = f" ({rows} rows say so)" if rows > 1 else ""
                told = f"no such subset '{subset}'{many}"
                error = row.error(columns.subset, told, near_names(subset, SUBSETS))
                self.complain(ANNOTATION, error)
            return
        given = row.text(columns.image)
        file = self._path(row, columns.image, given)
        if file is None:
            return
        id = self._id(file, given)
        if (subset, id) in self._seen:
            self.complain(
                DUPLICATE,
                row.error(columns.image, f"'{id}' has a row already", "give each image one row"),
            )
            return
        self._seen.add((subset, id))
        labels = frozenset(self._known(row, columns.labels, row.items(columns.labels)))
        found.setdefault(subset, []).append(
            Found(
                id,
                file,
                labels,
                frozenset(self._contexts(row)),
                self._masks(row, labels),
                self._boxes(row, labels),
                row.text(columns.source),
                frozenset(c for c in self.description.contexts if row.text(c)),
            )
        )

    def _known(self, row: Row, column: str, names: Sequence[str]) -> list[str]:
        """Return the names that are classes; complain of the others."""
        for name in names:
            if name not in self.classes:
                hint = near_names(name, self.classes)
                self.complain(NO_NAME, row.error(column, f"no class is called '{name}'", hint))
        return [name for name in names if name in self.classes]

    def _id(self, file: Place, given: str) -> str:
        """Return what an image is called: its path below the images, or its URL."""
        if isinstance(file, Path) and isinstance(self.root, Path):
            return file.relative_to(self.root).as_posix()
        return Path(given).as_posix() if is_relative(given) else str(file)

    def _path(self, row: Row, column: str, given: str) -> Path | Remote | None:
        """Return the file that a group names, None where it is none of the dataset's.

        What lies behind a URL is not asked for before it is read.
        """
        try:
            place = place_of(given)
        except ConfigError as error:
            self.complain(ANNOTATION, row.error(column, error.message, error.hint))
            return None
        if isinstance(place, Remote):
            return place
        if isinstance(place, Path) and isinstance(self.root, Path):
            given = os.path.relpath(place, self.root.absolute())
        path = Path(given)
        if not given:
            self.complain(ANNOTATION, row.error(column, "names no file"))
        elif isinstance(self.root, Remote) and not path.anchor and ".." not in path.parts:
            return below(self.root, path.as_posix())
        elif isinstance(self.root, Remote) or path.anchor or ".." in path.parts:
            self.complain(
                OUTSIDE,
                row.error(
                    column, f"'{given}' leaves the images folder", f"name files in {self.root}"
                ),
            )
        elif not is_file(self.root / path):
            self.complain(MISSING, row.error(column, f"no such file: {self.root / path}"))
        elif leads_out(self.root / path, self.root):
            self.complain(OUTSIDE, leading_out(self.root / path))
        else:
            return self.root / path
        return None

    def _contexts(self, row: Row) -> list[str]:
        names = []
        for column in self.description.contexts:
            text = row.text(column)
            if text.lower() in _YES:
                names.append(column)
            elif text and text.lower() not in _NO:
                names.append(f"{column}={text}")
        return names

    def _masks(self, row: Row, labels: frozenset[str]) -> list[tuple[Place, str | None]]:
        column, values = self.description.columns.mask, self.description.mask_values
        masks: list[tuple[Place, str | None]] = []
        for item in row.items(column):
            head, mark, rest = item.partition("://")
            name, _, text = head.rpartition(":")
            text += mark + rest
            path = self._path(row, column, text)
            if path is None:
                continue
            if name and name not in self.classes and name not in self.description.contexts:
                self._known(row, column, [name])
            elif name or values:
                masks.append((path, name or None))
            elif (only := self._only(row, column, labels)) is not None:
                masks.append((path, only))
        return masks

    def _boxes(
        self, row: Row, labels: frozenset[str]
    ) -> dict[str, list[tuple[int, int, int, int]]]:
        column = self.description.columns.boxes
        boxes: dict[str, list[tuple[int, int, int, int]]] = {}
        for item in row.items(column):
            given, _, text = item.rpartition(":")
            name = given or self._only(row, column, labels)
            if name is None or not self._known(row, column, [name]):
                continue
            try:
                x, y, width, height = (float(n) for n in text.replace(",", " ").split())
                box = (round(x), round(y), round(x + width), round(y + height))
            except (ValueError, OverflowError):
                self.complain(ANNOTATION, row.error(column, f"'{text}' is not x y width height"))
                continue
            if width < 0 or height < 0 or max(map(abs, box)) >= _FARTHEST:
                self.complain(ANNOTATION, row.error(column, f"'{text}' is no box of pixels"))
                continue
            if not has_area(box):
                self.complain(EMPTY, row.error(column, f"'{text}' holds no pixel"))
                continue
            boxes.setdefault(name, []).append(box)
        return boxes

    def _only(self, row: Row, column: str, labels: frozenset[str]) -> str | None:
        """Return the image's one label, for a mask or a box that names none."""
        if len(labels) == 1:
            return next(iter(labels))
        self.complain(
            ANNOTATION,
            row.error(
                column,
                f"names no class, and the image has {len(labels)}",
                "write it as class:value",
            ),
        )
        return None
