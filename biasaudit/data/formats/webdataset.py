"""The WebDataset format: images and what is said of them, side by side in tar archives.

::

    format = "webdataset"
    contexts = ["water", "grass"]
    object = "boat"
    context = "water"

    [shards]
    train = "s3://bucket/photos-train-{0000..0127}.tar"
    val = "photos-val-{0000..0003}.tar"
    test = ["photos-test-0.tar", "photos-test-1.tar"]

A sample is the files of one name up to its first dot, as WebDataset has it; its id is that of its
archive and this name, ``photos-train-0000/1``:

==================  ============================================================================
``1.jpg``           the image; also png, webp, ...
``1.json``          ``{"labels": ["boat"], "contexts": {"water": 1, "grass": 0}, "source": "A"}``;
                    a context that is left out is unknown, a list names those that are there and
                    says that the others of ``contexts`` are not
``1.cls``           where the JSON has no labels: a name, or a number that ``classes`` gives a name
``1.mask.png``      optional: ``[mask_values]`` says what its values mean; without it, any but 0
                    is the image's one label
==================  ============================================================================

An archive is listed once, at the start, and an image is read from its place in it when asked for:
images come in any order. Archives are local files or URLs, and not compressed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from biasaudit.data.checks.faults import (
    ANNOTATION,
    DUPLICATE,
    MISSING,
    NO_NAME,
    OUTSIDE,
    UNREADABLE,
    Complain,
    refuse,
)
from biasaudit.data.formats.masked import Found, MaskValues, join
from biasaudit.data.formats.toml_file import READERS, DatasetFile, Names
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, DataError, near_names
from biasaudit.inputs.documents import json_table
from biasaudit.inputs.files import Source
from biasaudit.inputs.places import Member, Place, Remote, members, place_of

IMAGES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "ppm", "gif", "avif", "jp2")
TEXTS = ("json", "cls")
MASK = "mask.png"
MOST_SHARDS = 100_000
_SAMPLE = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)")
_RANGE = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")


class Shards(BaseModel):
    """Archives by subset: one pattern, or several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: str | tuple[str, ...] | None = None
    val: str | tuple[str, ...] | None = None
    test: str | tuple[str, ...] | None = None


@dataclass
class _Files:
    """The files of one sample, by what follows the first dot of their names."""

    key: str
    files: dict[str, Member] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


@READERS.register("webdataset")
class WebDataset(DatasetFile):
    """``dataset.toml`` with ``format = "webdataset"``.

    Attributes:
        shards: Archives of each subset: paths or URLs, in which ``{0000..0127}`` and ``{a,b}``
            stand for several.
        classes: The object classes in score order; those that samples name, sorted, unless given.
        contexts: The contexts that samples name.
        mask_values: Value of each object and context in masks.
    """

    shards: Shards
    classes: Names = ()
    contexts: Names = ()
    mask_values: MaskValues = Field(default_factory=dict)

    def read(self, file: Path, complain: Complain = refuse) -> Dataset:
        """List the archives, read texts and masks; images are decoded when asked for.

        Raises:
            DataError: An archive, or what it says of a sample, cannot be used.
            ConfigError: The package that reads a URL is not installed.
        """
        found: dict[str, list[Found]] = {}
        for subset, given in self.shards:
            if given is None:
                continue
            listed = _listed(file, subset, (given,) if isinstance(given, str) else given, complain)
            found[subset] = [
                one for files in listed if (one := self._found(files, complain)) is not None
            ]
        named = {name for samples in found.values() for one in samples for name in one.labels}
        classes = self.classes or tuple(sorted(named))
        if not classes:
            raise DataError(f"{file}: shards: no sample has a class")
        return Dataset(
            name=self.name or file.parent.resolve().name,
            classes=classes,
            contexts=(
                *self.contexts,
                *(n for n in self.mask_values if n not in (*classes, *self.contexts)),
            ),
            subsets={
                subset: join(samples, self.mask_values, classes, complain)
                for subset, samples in found.items()
            },
            object=self.object,
            context=self.context,
            root=str(file.parent),
        )

    def _found(self, files: _Files, complain: Complain) -> Found | None:
        """Return what is known of a sample; complain of one that cannot be used."""
        image = next((files.files[kind] for kind in IMAGES if kind in files.files), None)
        first = next(iter(files.files.values()))
        if image is None:
            complain(MISSING, DataError(f"{first}: the sample '{files.key}' has no image"))
            return None
        try:
            told = _json(files)
            labels = self._labels(files, told, first)
            contexts = self._contexts(told, files)
        except DataError as error:
            complain(ANNOTATION, error)
            return None
        unknown = sorted(labels - set(self.classes)) if self.classes else []
        for name in unknown:
            hint = near_names(name, self.classes)
            complain(NO_NAME, DataError(f"{first}: no class is called '{name}'", hint))
        known = labels - set(unknown)
        return Found(
            files.key,
            image,
            known,
            frozenset(name for name, there in contexts.items() if there),
            self._masks(files, known, complain),
            source="" if told.get("source") is None else str(told["source"]),
            annotated=frozenset(contexts),
        )

    def _labels(self, files: _Files, told: dict[str, Any], first: Member) -> frozenset[str]:
        if "labels" in told:
            return frozenset(_names(files, "labels", told["labels"]))
        if "cls" not in files.texts:
            raise DataError(
                f"{first}: the sample '{files.key}' has no labels", "add a .cls or a .json file"
            )
        text = files.texts["cls"].decode("utf-8", "replace").strip()
        if not text.lstrip("+-").isdigit():
            return frozenset({text} - {""})
        number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
        if not 0 <= number < len(self.classes):
            shown = text if len(text) <= 20 else f"{text[:20]}..."
            raise DataError(
                f"{files.files['cls']}: {shown} is the number of no class",
                "list classes in dataset.toml, in the order of the numbers",
            )
        return frozenset({self.classes[number]})

    def _contexts(self, told: dict[str, Any], files: _Files) -> dict[str, bool]:
        given = told.get("contexts", {})
        if isinstance(given, dict):
            named = {str(name): value for name, value in given.items()}
            wrong = [n for n, v in named.items() if v is not None and v not in (0, 1)]
            if wrong:
                raise DataError(f"{files.files['json']}: contexts: '{wrong[0]}' is neither 0 nor 1")
            found = {name: bool(v) for name, v in named.items() if v is not None}
        else:
            there = _names(files, "contexts", given)
            found = dict.fromkeys(self.contexts, False) | dict.fromkeys(there, True)
        for name in found:
            if name not in self.contexts:
                raise DataError(
                    f"{files.files['json']}: no context is called '{name}'",
                    near_names(name, self.contexts),
                )
        return found

    def _masks(
        self, files: _Files, labels: frozenset[str], complain: Complain
    ) -> list[tuple[Place, str | None]]:
        mask = files.files.get(MASK)
        if mask is None:
            return []
        if self.mask_values or len(labels) == 1:
            return [(mask, None if self.mask_values else next(iter(labels)))]
        error = DataError(
            f"{mask}: the sample has {len(labels)} labels, and a binary mask is of one",
            "say in [mask_values] what the values of masks mean",
        )
        complain(ANNOTATION, error)
        return []


def expanded(pattern: str) -> list[str]:
    """Return what a pattern with braces stands for, in order.

    >>> expanded("{train,val}-{08..10}.tar")[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']

    Raises:
        ValueError: More than :data:`MOST_SHARDS`.
    """
    parts: list[Sequence[str]] = []
    end, count = 0, 1
    for found in _RANGE.finditer(pattern):
        choices: Sequence[str] = (found[3] or "").split(",")
        if found[1] is not None:
            first, last = int(found[1]), int(found[2])
            if last - first >= MOST_SHARDS:
                raise ValueError(f"stands for more than {MOST_SHARDS} archives")
            choices = [str(n).zfill(len(found[1])) for n in range(first, last + 1)]
        parts += [[pattern[end : found.start()]], choices]
        end, count = found.end(), count * len(choices)
        if count > MOST_SHARDS:
            raise ValueError(f"stands for more than {MOST_SHARDS} archives")
    return ["".join(chosen) for chosen in product(*parts, [pattern[end:]])]


def _listed(file: Path, subset: str, patterns: Sequence[str], complain: Complain) -> list[_Files]:
    """List the samples of a subset's archives, called by archive and key."""
    found: dict[str, _Files] = {}
    for called, archive in _archives(file, subset, patterns).items():
        try:
            listed = members(archive, _is_text)
        except DataError as error:
            complain(UNREADABLE, error)
            continue
        for member, text in listed:
            match = _SAMPLE.fullmatch(member.name)
            if match is None:
                continue
            if match[1].startswith("/") or ".." in match[1].split("/"):
                told = f"{member}: the name leads out of the archive"
                complain(OUTSIDE, DataError(told, "write the archive again"))
                continue
            key, kind = f"{called}/{match[1]}", match[2].lower()
            files = found.setdefault(key, _Files(key))
            if kind in files.files:
                told = f"{member}: the archive has this name twice"
                complain(DUPLICATE, DataError(told, "give each sample a name of its own"))
                continue
            files.files[kind] = member
            if kind in TEXTS:
                files.texts[kind] = text
    return list(found.values())


def _archives(file: Path, subset: str, patterns: Sequence[str]) -> dict[str, Path | Remote]:
    """Return a subset's archives by what ids call them: their path without ``.tar``."""
    archives: dict[str, Path | Remote] = {}
    where = f"{file}: shards.{subset}"
    for pattern in patterns:
        try:
            places = [(text, place_of(text)) for text in expanded(pattern)]
        except ConfigError as error:
            raise DataError(f"{where}: {error.message}", error.hint) from None
        except ValueError as error:
            raise DataError(f"{where}: {error}", "correct the pattern") from None
        for text, place in places:
            called = str(place).partition("?")[0].partition("://")[2] if place else text
            called = (called or str(place)).removesuffix(".tar")
            if called in archives:
                raise DataError(f"{where}: '{text}' is named twice", "name each archive once")
            archives[called] = file.parent / text if place is None else place
    if not archives:
        raise DataError(f"{where}: names no archive", "name one, or take it out")
    return archives


def _is_text(name: str) -> bool:
    match = _SAMPLE.fullmatch(name)
    return match is not None and match[2].lower() in TEXTS


def _json(files: _Files) -> dict[str, Any]:
    if "json" not in files.texts:
        return {}
    member = files.files["json"]
    return json_table(Source(Path(member.name), called=str(member)), files.texts["json"])


def _names(files: _Files, key: str, given: object) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise DataError(f"{files.files['json']}: {key}: not a list of names")
    return names
