"""The built-in datasets, known by name before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biasaudit.errors import ConfigError, DataError, named_field, near_names
from biasaudit.registry import Registry

if TYPE_CHECKING:
    from biasaudit.data.checks.faults import Complain
    from biasaudit.data.sample import Dataset

Builder = Callable[..., "Dataset"]
"""Makes a built-in dataset: told whom to complain to, and the settings by keyword."""

DATASETS: Registry[Builder] = Registry("dataset")


@DATASETS.register("harbour")
def _harbour(_: Complain, /, **settings: Any) -> Dataset:
    """Drawn scenes of boats, cars, houses and trees; 98 boats out of 100 lie on water."""
    from biasaudit.data.synthetic.harbour import HarbourSettings, harbour

    _check_settings("harbour", HarbourSettings, settings)
    return _drawn(harbour, HarbourSettings(**settings))


@DATASETS.register("camera")
def _camera(_: Complain, /, **settings: Any) -> Dataset:
    """A drawn device in two orientations, told apart by a gap; its surroundings tell too."""
    from biasaudit.data.synthetic.camera import CameraSettings, camera

    _check_settings("camera", CameraSettings, settings)
    return _drawn(camera, CameraSettings(**settings))


_LISTS = ("train", "val", "test")


@DATASETS.register("voc2012")
def _voc2012(complain: Complain, /, **settings: Any) -> Dataset:
    """PASCAL VOC 2012 as 'biasaudit data fetch voc2012' leaves it; boats, no context annotated."""
    from biasaudit.data.formats.toml_file import read_dataset_file

    for setting in settings:
        if setting not in ("folder", *_LISTS):
            raise ConfigError(
                f"data.options.{setting}: 'voc2012' has no such setting",
                near_names(setting, ["folder", *_LISTS]),
                field=f"data.options.{setting}",
            )
    lists = {name: str(settings[name]) for name in _LISTS if settings.get(name)}
    return read_dataset_file(voc2012_file(settings.get("folder")), complain, lists)


def voc2012_file(folder: object = None) -> Path:
    """Return the ``dataset.toml`` of the fetched PASCAL VOC 2012.

    Args:
        folder: Where it lies; where fetching puts it unless given.

    Raises:
        DataError: There is none.
    """
    from biasaudit.data.download import default_folder
    from biasaudit.data.formats.toml_file import DATASET_FILE
    from biasaudit.inputs.files import expanded, is_file

    place = expanded(str(folder or default_folder("voc2012")))
    if not is_file(place / DATASET_FILE):
        raise DataError(
            f"voc2012: not in {place}",
            "fetch it: biasaudit data fetch voc2012; or say where: "
            f"{named_field('data.options.folder', 'FOLDER')}",
            field="data.options.folder",
        )
    return place / DATASET_FILE


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
