"""The file ``dataset.toml``: what every format says, and the registry of formats.

A format is one pydantic model, registered by name, whose fields are the keys of the file and
whose :meth:`DatasetFile.read` gives the dataset::

    @READERS.register("coco")
    class CocoDataset(DatasetFile): ...

Whatever the format, the file may name splits of its own, each with the two counterfactual groups
of an object and a context::

    [splits.bicycle-grass]
    object = "bicycle"
    context = "grass"
    subset = "val"

A subset ``train`` alone is enough to train on, where the file says how much of it to hold back,
and images of ``test`` alone to audit on; a table of contexts tagged by hand goes with any format::

    val = 0.15                   # of the training images, of every class, drawn by val_seed
    val_by = "source"            # whole sources, so that none stands on both sides
    tags = "contexts.csv"        # as 'biasaudit data contexts' writes it

More ways to declare one: :class:`biasaudit.data.splits.declared.DeclaredSplit`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from biasaudit.data.checks.faults import LEAK, Complain, refuse
from biasaudit.data.formats.tags import read_tags, tagged
from biasaudit.data.formats.validation import held_back
from biasaudit.data.sample import BIASED, EDITED, Dataset, Sample, pairs_of
from biasaudit.data.splits.declared import DeclaredSplit
from biasaudit.errors import ConfigError, DataError, near_names
from biasaudit.inputs.documents import first_fault, first_of, read_toml
from biasaudit.inputs.files import Source
from biasaudit.registry import Registry

DATASET_FILE = "dataset.toml"


class DatasetFile(BaseModel, ABC):
    """The keys that every format shares; paths are relative to the file's own folder.

    Attributes:
        format: Name of the format, as registered.
        name: How reports call the dataset; the folder's name unless given.
        object: The object to audit unless the user names another; the file may give a list.
        context: Its suspected context; the file may give a list, and each object is audited with
            each context.
        splits: Splits by name, beside those that are built in.
        val: Share of the training images to hold back as ``val``, where the dataset has no such
            subset.
        val_seed: Seed by which they are drawn.
        val_by: ``source`` holds back whole sources.
        tags: Table of contexts tagged by hand: ``image`` and a column a context.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    name: str | None = Field(default=None, min_length=1)
    object: str | None = None
    context: str | None = None
    splits: dict[str, DeclaredSplit] = Field(default_factory=dict)
    val: float | None = Field(default=None, gt=0, lt=1)
    val_seed: int = Field(default=0, ge=0)
    val_by: Literal["source"] | None = None
    tags: str | None = None

    @abstractmethod
    def read(self, file: Path, complain: Complain = refuse) -> Dataset:
        """Read the dataset that this file describes.

        Args:
            file: The path of the file itself.
            complain: Told of each fault of a single image or annotation. If it returns, what is
                faulty is left out.

        Raises:
            DataError: An annotation or an image cannot be used.
        """


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not name or names.count(name) > 1:
            raise ValueError(f"'{name}' is given twice" if name else "a name is empty")
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_each_once)]
"""Names of a format's field: each is given once and none is empty."""
READERS: Registry[type[DatasetFile]] = Registry("format")


def read_dataset_file(
    file: Path, complain: Complain = refuse, subsets: Mapping[str, str] | None = None
) -> Dataset:
    """Read the dataset that a ``dataset.toml`` describes.

    Args:
        file: Its path.
        complain: Told of each fault of a single image or annotation; refuses it unless given.
        subsets: What its table ``subsets`` is to say of some subsets in place of what it says.

    Raises:
        DataError: The file is not TOML, a key is unknown, missing or wrong, or the format's
            reader found a fault.
    """
    keys = read_toml(Source(file))
    if subsets and isinstance(keys.get("subsets", {}), dict):
        keys["subsets"] = {**keys.get("subsets", {}), **subsets}
    objects, contexts = (_several(file, keys, key) for key in ("object", "context"))
    if contexts:
        keys["context"] = next((c for c in contexts if c != keys.get("object")), contexts[0])
    if not isinstance(keys.get("format"), str):
        raise DataError(f"{file}: format is missing", near_names("", READERS))
    try:
        schema = READERS[keys["format"]]
    except ConfigError as error:
        raise DataError(f"{file}: {error.message}", error.hint) from None
    try:
        description = schema.model_validate(keys)
    except ValidationError as error:
        raise DataError(f"{file}: {first_fault(error)}", _hint(error, schema)) from None
    dataset = _with_tags(file, description, description.read(file, complain), complain)
    dataset = _with_val(file, description, dataset)
    _check_leak(file, dataset.subsets, complain)
    _check_names(file, dataset, "", dataset.object, dataset.context)
    for name, split in description.splits.items():
        _check_split(file, dataset, name, split)
    rules = {name: split.rule(file, name) for name, split in description.splits.items()}
    return replace(dataset, splits=rules, pairs=_pairs(file, dataset, objects, contexts))


def _with_tags(
    file: Path, description: DatasetFile, dataset: Dataset, complain: Complain
) -> Dataset:
    if description.tags is None:
        return dataset
    table = file.parent / description.tags
    if not table.is_file():
        raise DataError(f"{file}: tags: no such table: {table}", "take the key out, or correct it")
    ids = (sample.id for samples in dataset.subsets.values() for sample in samples)
    tags, contexts = read_tags(table, ids, complain)
    return tagged(dataset, tags, contexts, table)


def _with_val(file: Path, description: DatasetFile, dataset: Dataset) -> Dataset:
    if not dataset.subsets:
        raise DataError(f"{file}: no subset", "name train, or test to audit on it alone")
    if description.val is None:
        return dataset
    if "val" in dataset.subsets:
        raise DataError(
            f"{file}: val: the dataset has a subset val already", "take the key val out"
        )
    share, seed = description.val, description.val_seed
    by_source = description.val_by == "source"
    try:
        train, val = held_back(dataset.subset("train"), share, seed, by_source=by_source)
    except DataError as error:
        raise DataError(f"{file}: {error.message}", error.hint) from None
    rest = {name: found for name, found in dataset.subsets.items() if name != "train"}
    return replace(dataset, subsets={"train": train, "val": val, **rest})


def _several(file: Path, keys: dict[str, Any], key: str) -> list[str]:
    """Return the names that a list gives, and leave the first of them in its place."""
    given = keys.get(key)
    if not isinstance(given, list):
        return []
    if not given or not all(isinstance(name, str) for name in given) or len({*given}) < len(given):
        raise DataError(f"{file}: {key}: a list names each class once", f'write {key} = ["a", "b"]')
    keys[key] = given[0]
    return given


def _pairs(
    file: Path, dataset: Dataset, objects: list[str], contexts: list[str]
) -> tuple[tuple[str, str], ...]:
    """Return every object with every context, where the file names several of either."""
    if not objects and not contexts:
        return ()
    if dataset.object is None or dataset.context is None:
        raise DataError(f"{file}: names several objects or contexts and none of the other")
    found = pairs_of(objects or [dataset.object], contexts or [dataset.context])
    for name, context in found:
        _check_names(file, dataset, "", name, context)
    return found


def _check_leak(file: Path, subsets: Mapping[str, Sequence[Sample]], complain: Complain) -> None:
    """Refuse an image that is both trained on and measured on, and an empty subset."""
    train = {sample.id for sample in subsets.get("train", ())}
    for name, samples in subsets.items():
        if not samples:
            raise DataError(f"{file}: subsets.{name} has no images")
        shared = [sample.id for sample in samples if sample.id in train]
        for id in shared if name != "train" else ():
            complain(
                LEAK,
                DataError(
                    f"{file}: image '{id}' is in train and in {name} ({len(shared)} such)",
                    "take them out of one of the two",
                ),
            )


def _check_names(
    file: Path, dataset: Dataset, table: str, object: str | None, context: str | None
) -> None:
    """Hold an ``object`` and a ``context`` of the file to the categories that were read."""
    everything = (*dataset.contexts, *dataset.classes)
    for key, value, known in (
        ("object", object, dataset.classes),
        ("context", context, everything),
    ):
        if value is not None and value not in known:
            raise DataError(
                f"{file}: {table}{key}: no category is called '{value}'", near_names(value, known)
            )
    if object is not None and object == context:
        raise DataError(f"{file}: {table}object and {table}context are both '{object}'")


def _check_split(file: Path, dataset: Dataset, name: str, split: DeclaredSplit) -> None:
    if name in dataset.subsets or name.startswith((BIASED, EDITED)):
        raise DataError(
            f"{file}: splits.{name}: the name is taken",
            f"choose one that is no subset and does not begin with {BIASED} or {EDITED}",
        )
    if split.subset is not None and split.subset not in dataset.subsets:
        raise DataError(
            f"{file}: splits.{name}.subset: no subset is called '{split.subset}'",
            near_names(split.subset, dataset.subsets),
        )
    _check_names(file, dataset, f"splits.{name}.", split.object, split.context)


def _hint(error: ValidationError, schema: type[DatasetFile]) -> str:
    """Name the key that was meant: one of the file's, or one that the same table lacks."""
    fault = first_of(error)
    if fault["type"] != "extra_forbidden":
        return ""
    *table, key = fault["loc"]
    lacking = (
        str(other["loc"][-1])
        for other in error.errors(include_url=False)
        if other["type"] == "missing" and list(other["loc"][:-1]) == table
    )
    known: Collection[str] = [*lacking] if table else schema.model_fields
    if len(table) == 1 and not known:  # a table whose keys may all be left out
        kind = schema.model_fields[str(table[0])].annotation
        known = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else []
    return near_names(str(key), known) if known else "take it out"
