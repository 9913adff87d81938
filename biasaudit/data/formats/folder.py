"""The ImageFolder format: one folder a class, as torchvision reads it, and masks beside it.

::

    format = "folder"
    images = "images"          # images/train/boat/1.jpg, images/val/..., images/test/...
    masks = "masks"            # masks/train/boat/1.png, optional
    background = ["none"]      # folders whose images show no object
    object = "boat"

A mask is binary (any value but 0 is the object) unless values are named, which also brings
contexts; a value that is not named, such as 255 for void, belongs to no region. Of an image without
a mask it is unknown which contexts it shows::

    context = "water"
    [mask_values]
    boat = 1
    water = 2
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from biasaudit.data.checks.faults import (
    MISSING,
    NO_NAME,
    OUTSIDE,
    UNREADABLE,
    Complain,
    dangling,
    leading_out,
    refuse,
)
from biasaudit.data.formats.label_maps import SUFFIXES
from biasaudit.data.formats.masked import Found, MaskValues, join
from biasaudit.data.formats.toml_file import READERS, DatasetFile
from biasaudit.data.sample import Dataset
from biasaudit.errors import DataError, near_names
from biasaudit.inputs.files import entries, is_dangling, is_file, is_folder, leads_out, utf8


class SubsetFolders(BaseModel):
    """Folders in ``images`` by subset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: str | None = None
    val: str | None = None
    test: str | None = None


@READERS.register("folder")
class FolderDataset(DatasetFile):
    """``dataset.toml`` with ``format = "folder"``.

    Attributes:
        images: Folder that holds the subsets' folders.
        subsets: Their names, where they are not train, val and test, as far as these are there.
        masks: Folder with the same tree, of masks.
        background: Class folders whose images show no object.
        mask_values: Value of each object and context in the masks; without it masks are binary.
    """

    images: str = "images"
    subsets: SubsetFolders = Field(default_factory=SubsetFolders)
    masks: str | None = None
    background: tuple[str, ...] = ()
    mask_values: MaskValues = Field(default_factory=dict)

    def read(self, file: Path, complain: Complain = refuse) -> Dataset:
        """List the folders and read the masks; images are decoded when asked for.

        Raises:
            DataError: A folder is missing, or a mask cannot be read.
        """
        root = _existing(file, "images", file.parent / self.images)
        masks = _existing(file, "masks", file.parent / self.masks) if self.masks else None
        folders = self._subset_folders(file, root)
        classes = self._classes(file, next(iter(folders.values())))
        subsets = {}
        for subset, folder in folders.items():
            found = [
                self._found(root, masks, image, name, complain)
                for image, name in _listed(folder, [*classes, *self.background], complain)
            ]
            subsets[subset] = join(found, self.mask_values, classes, complain)
        return Dataset(
            name=self.name or file.parent.resolve().name,
            classes=tuple(classes),
            contexts=tuple(name for name in self.mask_values if name not in classes),
            subsets=subsets,
            object=self.object,
            context=self.context,
            root=str(file.parent),
        )

    def _subset_folders(self, file: Path, root: Path) -> Mapping[str, Path]:
        folders = {}
        for subset, given in self.subsets:
            if given is not None:
                folders[subset] = _existing(file, f"subsets.{subset}", root / given)
            elif is_folder(root / subset):
                folders[subset] = root / subset
        if not folders:
            raise DataError(
                f"{file}: images: {root} holds none of the folders train, val and test",
                "say in [subsets] which folder holds the class folders; '.' is this one",
            )
        return folders

    def _classes(self, file: Path, train: Path) -> list[str]:
        names = [entry.name for entry in entries(train) if is_folder(entry)]
        for name in self.background:
            if name not in names:
                raise DataError(
                    f"{file}: background: no folder '{name}' in {train}", near_names(name, names)
                )
        classes = [name for name in names if name not in self.background]
        if not classes:
            raise DataError(f"{train}: holds no class folder", "put images into one for each class")
        return classes

    def _found(
        self, root: Path, masks: Path | None, image: Path, name: str, complain: Complain
    ) -> Found:
        relative = image.relative_to(root)
        one = Found(relative.as_posix(), image, frozenset({name} - set(self.background)))
        mask = _beside(masks, relative, complain) if masks else None
        if mask is not None:
            one.masks.append((mask, None if self.mask_values else name))
        return one


def _existing(file: Path, key: str, folder: Path) -> Path:
    if not is_folder(folder):
        raise DataError(f"{file}: {key}: no such folder: {folder}")
    return folder


def _listed(folder: Path, names: list[str], complain: Complain) -> list[tuple[Path, str]]:
    """List (image, its class folder) in the order of torchvision's ImageFolder."""
    from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

    here = [entry.name for entry in entries(folder) if is_folder(entry)]
    for name in here:
        if name not in names:
            complain(
                NO_NAME,
                DataError(f"{folder / name}: no such class in train", near_names(name, names)),
            )
    known = [name for name in here if name in names]
    numbers = {name: number for number, name in enumerate(known)}
    listed = make_dataset(str(folder), numbers, IMG_EXTENSIONS, allow_empty=True) if known else []
    return [
        (Path(path), known[number]) for path, number in listed if _sound(folder, path, complain)
    ]


def _sound(folder: Path, path: str, complain: Complain) -> bool:
    """Whether an image's name is text and the image lies where it seems to lie."""
    if not utf8(path):
        name = path.encode(errors="replace").decode()
        complain(UNREADABLE, DataError(f"{name}: the name is not UTF-8", "rename the file"))
    elif not is_file(path):
        complain(MISSING, dangling(Path(path)))
    elif leads_out(Path(path), folder):
        complain(OUTSIDE, leading_out(Path(path)))
    else:
        return True
    return False


def _beside(masks: Path, relative: Path, complain: Complain) -> Path | None:
    """Return the mask of an image: the same path, with the suffix of a lossless format."""
    for suffix in SUFFIXES:
        path = (masks / relative).with_suffix(suffix)
        if is_dangling(path):
            complain(MISSING, dangling(path))
        elif is_file(path):
            if not leads_out(path, masks):
                return path
            complain(OUTSIDE, leading_out(path))
    return None
