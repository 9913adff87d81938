"""Write a ``dataset.toml``: from what lies in a folder, and keys added to one."""

from __future__ import annotations

import json
import re
from pathlib import Path

from biasaudit.data.formats.toml_file import DATASET_FILE
from biasaudit.errors import DataError, near_names

SUBSETS = ("train", "val", "test")
HELD_BACK = 0.15
_LEAST = 2
"""Class folders that make a folder look like a dataset."""


def describe_folder(folder: Path, object: str | None = None, context: str | None = None) -> str:
    """Return the text of a ``dataset.toml`` for a folder of class folders.

    Args:
        folder: Holds ``train/CLASS/*.jpg`` (and ``val``, ``test``), itself or in one folder below;
            or the class folders themselves, which are then the training images.
        object: The class to audit; the first one where None.
        context: Its suspected context.

    Raises:
        DataError: It holds no images in class folders, or a ``dataset.toml`` already, or no class
            of that name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", "name the folder that holds the images")
    if (folder / DATASET_FILE).exists():
        raise DataError(f"{folder / DATASET_FILE}: is there already", "edit it, or remove it")
    images, subsets = _images(folder)
    first = next(iter(subsets.values()))
    classes = _classes(first)
    if object is not None and object not in classes:
        raise DataError(f"{first}: no class folder '{object}'", near_names(object, classes))
    lines = ['format = "folder"', f"images = {_text(images.relative_to(folder).as_posix())}"]
    lines.append(f"object = {_text(object or classes[0])}")
    lines += [f"context = {_text(context)}"] if context else []
    if "train" in subsets and "val" not in subsets:
        lines.append(f"val = {HELD_BACK}  # of the training images, held back to validate on")
    if images in subsets.values():
        lines += ["", "[subsets]", 'train = "."']
    return "\n".join(lines) + "\n"


def _images(folder: Path) -> tuple[Path, dict[str, Path]]:
    """Return the folder of the images, and where in it each subset lies."""
    below = sorted(one for one in folder.iterdir() if one.is_dir())
    for place in (folder, *below):
        subsets = {name: place / name for name in SUBSETS if _classes(place / name)}
        if subsets:
            return place, subsets
    for place in (folder, *below):
        if len(_classes(place)) >= _LEAST:
            return place, {"train": place}
    raise DataError(
        f"{folder}: no images in class folders, as train/CLASS/1.jpg or CLASS/1.jpg",
        f"write a {DATASET_FILE} that says format, images and subsets",
    )


def _classes(folder: Path) -> list[str]:
    """Return the names of the folders that hold images."""
    from PIL import Image

    if not folder.is_dir():
        return []
    suffixes = set(Image.registered_extensions())
    return sorted(
        one.name
        for one in folder.iterdir()
        if one.is_dir() and any(file.suffix.lower() in suffixes for file in one.iterdir())
    )


def with_keys(text: str, **keys: str) -> str:
    """Return the text of a ``dataset.toml`` with keys set at its top; the rest stays as it is.

    Args:
        text: TOML.
        keys: Values by key, as text; a key that is there takes the new value.
    """
    head, table, rest = _parts(text)
    for key, value in keys.items():
        line, pattern = f"{key} = {_text(value)}", rf"(?m)^{key}\s*=.*$"
        if re.search(pattern, head):
            head = re.sub(pattern, line.replace("\\", r"\\"), head, count=1)
        else:
            head = f"{head.rstrip()}\n{line}\n" + ("\n" if table else "")
    return head + table + rest


def _parts(text: str) -> tuple[str, str, str]:
    """Part a text before its first table."""
    found = re.search(r"(?m)^\[", text)
    return (text, "", "") if found is None else (text[: found.start()], "[", text[found.end() :])


def _text(value: str) -> str:
    """Write a text as TOML has it: a JSON string is one."""
    return json.dumps(value, ensure_ascii=False)
