"""Datasets by name: the built-in ones, and any folder that holds a ``dataset.toml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from biasaudit.data.checks.faults import Complain, refuse
from biasaudit.data.formats import coco, folder, manifest, voc  # noqa: F401 -- register them
from biasaudit.data.formats.toml_file import DATASET_FILE, read_dataset_file
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, DataError, named_field, near_names
from biasaudit.inputs.files import expanded, is_file, is_folder
from biasaudit.registry import Registry

Builder = Callable[..., Dataset]
"""Makes a built-in dataset: told whom to complain to, and the settings by keyword."""

DATASETS: Registry[Builder] = Registry("dataset")


@DATASETS.register("harbour")
def _harbour(_: Complain, /, **settings: Any) -> Dataset:
    """Drawn scenes of boats, cars, houses and trees; 95 boats out of 100 lie on water."""
    from biasaudit.data.synthetic.harbour import HarbourSettings, harbour

    _check_settings("harbour", HarbourSettings, settings)
    return _drawn(harbour, HarbourSettings(**settings))


@DATASETS.register("camera")
def _camera(_: Complain, /, **settings: Any) -> Dataset:
    """A drawn device in two orientations, told apart by a gap; its surroundings tell too."""
    from biasaudit.data.synthetic.camera import CameraSettings, camera

    _check_settings("camera", CameraSettings, settings)
    return _drawn(camera, CameraSettings(**settings))


@DATASETS.register("voc2012")
def _voc2012(complain: Complain, /, **settings: Any) -> Dataset:
    """PASCAL VOC 2012 as 'biasaudit data fetch voc2012' leaves it; boats, no context annotated."""
    from biasaudit.data.download import default_folder

    for setting in settings:
        if setting != "folder":
            raise ConfigError(
                f"data.options.{setting}: 'voc2012' has no such setting",
                near_names(setting, ["folder"]),
                field=f"data.options.{setting}",
            )
    place = expanded(str(settings.get("folder") or default_folder("voc2012")))
    if not is_file(place / DATASET_FILE):
        raise DataError(
            f"voc2012: not in {place}",
            "fetch it: biasaudit data fetch voc2012; or say where: "
            f"{named_field('data.options.folder', 'FOLDER')}",
            field="data.options.folder",
        )
    return read_dataset_file(place / DATASET_FILE, complain)


@lru_cache(maxsize=1)
def _drawn(draw: Callable[[Any], Dataset], settings: Any) -> Dataset:
    """Return a drawn dataset, the last one again where it is asked for again.

    Its scenes are drawn once and kept, so that several runs in one process share them.
    """
    return draw(settings)


def _check_settings(name: str, schema: type[Any], settings: Mapping[str, Any]) -> None:
    known = [field.name for field in fields(schema)]
    for setting in settings:
        if setting not in known:
            raise ConfigError(
                f"data.options.{setting}: '{name}' has no such setting",
                near_names(setting, known),
                field=f"data.options.{setting}",
            )


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
        found = DATASETS[name](complain, **(options or {}))
        return replace(found, origin=name, options=dict(options or {}))
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
                "write one that says format, images and subsets",
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
