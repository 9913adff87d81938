"""Datasets by name: the built-in ones, and any folder that holds a ``dataset.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from biasaudit.config import DataSettings
from biasaudit.data.built_in import DATASETS
from biasaudit.data.checks.faults import Complain, refuse
from biasaudit.data.formats import coco, folder, manifest, voc, webdataset  # noqa: F401 -- register them
from biasaudit.data.formats.toml_file import DATASET_FILE, read_dataset_file
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, DataError, named_field, near_names
from biasaudit.inputs.files import expanded, is_file, is_folder

OnError = Literal["stop", "skip"]
"""What is done about an image that cannot be read."""


def load_dataset(
    name: str,
    options: Mapping[str, Any] | None = None,
    complain: Complain = refuse,
    on_error: OnError = "stop",
) -> Dataset:
    """Load the dataset that the user calls ``name``.

    Args:
        name: A built-in dataset, a folder with a ``dataset.toml``, or the path of such a file
            (any name that ends in ``.toml``). Write ``./harbour`` for a folder that is called
            like a built-in.
        options: Settings of a built-in dataset.
        complain: Told of each fault of a single image or annotation; refuses it unless given.
        on_error: ``skip`` decodes every image at once and leaves out those that cannot be read;
            ``stop`` leaves that to whoever needs the image.

    Raises:
        ConfigError: A setting that the dataset does not have.
        DataError: No such dataset, or it cannot be used.
    """
    if name in DATASETS:
        given = dict(options or {})
        if given.get("folder"):  # in full: a run may be evaluated from elsewhere
            given["folder"] = str(expanded(str(given["folder"])).absolute())
        found = DATASETS[name](complain, **given)
        return replace(found, origin=name, options=given)
    file = _dataset_file(name)
    for setting in options or {}:
        raise ConfigError(
            f"data.options.{setting}: a dataset on disk takes no settings",
            f"write it into {file}",
            field=f"data.options.{setting}",
        )
    origin = str(expanded(name).absolute())
    found = replace(read_dataset_file(file, complain), origin=origin)
    if on_error == "skip":
        from biasaudit.data.loading.skipping import without_unreadable

        return without_unreadable(found)
    return found


def dataset_of(settings: DataSettings, on_error: str | None = None) -> Dataset:
    """Load the dataset that settings name.

    Args:
        settings: Name, options, and what is done about images that cannot be read.
        on_error: What is done about these instead.

    Raises:
        ConfigError: There is no such way, or a setting that the dataset does not have.
        DataError: No such dataset, or it cannot be used.
    """
    wanted = checked_on_error(on_error or settings.on_error)
    return load_dataset(settings.name, settings.options, on_error=wanted)


def checked_on_error(given: str) -> OnError:
    """Return what is done about an image that cannot be read.

    Raises:
        ConfigError: There is no such way.
    """
    if given not in get_args(OnError):
        raise ConfigError(named_field("data.on_error", given), near_names(given, get_args(OnError)))
    return cast(OnError, given)


def _dataset_file(name: str) -> Path:
    path = expanded(name)
    if is_folder(path):
        file = path / DATASET_FILE
        if not is_file(file):
            raise DataError(
                f"{path}: the folder holds no {DATASET_FILE}",
                "'biasaudit data init' writes one for images in class folders; else write one that "
                "says format, images and subsets",
            )
        return file
    if is_file(path):
        if path.suffix != ".toml":
            raise DataError(
                f"{path}: not a {DATASET_FILE}", f"give the folder with a {DATASET_FILE}"
            )
        return path
    raise DataError(
        f"{named_field('data.name', name)}: no such folder, and no built-in dataset of that name",
        near_names(name, DATASETS),
    )
