"""The file ``dataset.toml``: what every format says, and the registry of formats.

A format is one pydantic model, registered by name, whose fields are the keys of the file and
whose :meth:`DatasetFile.read` gives the dataset::

    @READERS.register("coco")
    class CocoDataset(DatasetFile): ...
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, DataError, near_names
from biasaudit.registry import Registry

DATASET_FILE = "dataset.toml"


class DatasetFile(BaseModel):
    """The keys that every format shares; paths are relative to the file's own folder.

    Attributes:
        format: Name of the format, as registered.
        name: How reports call the dataset; the folder's name unless given.
        object: The object to audit unless the user names another.
        context: Its suspected context.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    name: str | None = Field(default=None, min_length=1)
    object: str | None = None
    context: str | None = None

    def read(self, file: Path) -> Dataset:
        """Read the dataset that this file describes.

        Args:
            file: The path of the file itself.

        Raises:
            DataError: An annotation or an image cannot be used.
        """
        raise NotImplementedError


READERS: Registry[type[DatasetFile]] = Registry("format")


def read_dataset_file(file: Path) -> Dataset:
    """Read the dataset that a ``dataset.toml`` describes.

    Raises:
        DataError: The file is not TOML, a key is unknown, missing or wrong, or the format's
            reader found a fault.
    """
    keys = _parse(file)
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
    dataset = description.read(file)
    _check_subject(file, dataset)
    return dataset


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: not TOML ({error})") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None


def _check_subject(file: Path, dataset: Dataset) -> None:
    """Hold the file's ``object`` and ``context`` to the categories that were read."""
    known = {"object": dataset.classes, "context": (*dataset.contexts, *dataset.classes)}
    for key, names in known.items():
        value = getattr(dataset, key)
        if value is not None and value not in names:
            raise DataError(
                f"{file}: {key}: no category is called '{value}'", near_names(value, names)
            )
    if dataset.object is not None and dataset.object == dataset.context:
        raise DataError(f"{file}: object and context are both '{dataset.object}'")


def first_fault(error: ValidationError) -> str:
    """Say in a few words what the first fault is and in which field.

    Returns:
        Such as ``images[3].width: field required``.
    """
    fault = error.errors(include_url=False)[0]
    where = ""
    for part in fault["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    if fault["type"] == "extra_forbidden":
        return f"unknown key '{where}'"
    message = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{where}: {message}" if where else message


def _hint(error: ValidationError, schema: type[DatasetFile]) -> str:
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        return near_names(str(fault["loc"][0]), schema.model_fields)
    return ""
