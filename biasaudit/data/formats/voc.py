"""The PASCAL VOC format: image-level labels and boxes from XML, regions from label maps.

::

    format = "voc"
    root = "VOCdevkit/VOC2012"
    object = "boat"
    context = "water"
    masks = ["SegmentationClass", "SegmentationClassAug"]
    context_masks = "PascalContext59"

    [subsets]
    train = "train_aug.txt"        # beside dataset.toml, or in ImageSets/Segmentation
    val = "Segmentation/val"       # ImageSets/Segmentation/val.txt
    test = "Main/val"

    [context_values]
    water = 56
    grass = 29

An image's labels are the classes that its XML names, or, where it has none, those in its label
map. An image with a label map has regions from there alone, and void (255) is in none of them; one
without has its boxes. Label maps of contexts, such as those of PASCAL-Context, are optional: an
image that has one is annotated for all contexts; of one without, it is unknown which it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from biasaudit.data.checks.faults import Complain, refuse
from biasaudit.data.formats.toml_file import READERS, DatasetFile
from biasaudit.data.formats.voc_subset import VocFolders, read_samples
from biasaudit.data.sample import Dataset
from biasaudit.errors import DataError, near_names

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
"""The 20 classes; in a label map they are 1 to 20."""

_Folders = Annotated[
    list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)
]
_Value = Annotated[int, Field(ge=0, le=65535)]


class Lists(BaseModel):
    """Image lists by subset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: str
    val: str
    test: str | None = None


@READERS.register("voc")
class VocDataset(DatasetFile):
    """``dataset.toml`` with ``format = "voc"``.

    Attributes:
        root: Folder with JPEGImages, Annotations, ImageSets and SegmentationClass.
        subsets: Image lists: a ``.txt`` file, or ``Segmentation/train`` for one in ImageSets.
        classes: The classes in the order of their values in label maps, from 1 on.
        masks: Folders of label maps in ``root``; the first that has an image's counts.
        context_masks: Folder of the contexts' label maps, in ``root`` or beside the file.
        context_values: Value of each context in them.
    """

    root: str = "VOCdevkit/VOC2012"
    subsets: Lists
    classes: tuple[str, ...] = VOC_CLASSES
    masks: _Folders = Field(default_factory=lambda: ["SegmentationClass"])
    context_masks: str | None = None
    context_values: dict[str, _Value] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _contexts_are_whole(self) -> VocDataset:
        if bool(self.context_masks) != bool(self.context_values):
            raise ValueError("context_masks and [context_values] belong together")
        for name, value in self.context_values.items():
            if name in self.classes:
                raise ValueError(f"context_values.{name}: a class is called that already")
            if value == 255:
                raise ValueError(f"context_values.{name}: 255 is void")
        return self

    def read(self, file: Path, complain: Complain = refuse) -> Dataset:
        """Read lists, annotations and label maps; images are decoded when asked for.

        Raises:
            DataError: A folder, a list, an image or an annotation is missing or faulty.
        """
        root = file.parent / self.root
        folders = VocFolders(
            images=_folder(file, "root", root / "JPEGImages"),
            annotations=root / "Annotations",
            masks=tuple(_mask_folders(file, root, self.masks)),
            contexts=self._contexts_folder(file, root),
            classes={name: value for value, name in enumerate(self.classes, start=1)},
            context_values=self.context_values,
        )
        names: Mapping[str, Sequence[str]] = {
            subset: _read_list(file, root, subset, given)
            for subset, given in self.subsets
            if given is not None
        }
        return Dataset(
            name=self.name or file.parent.resolve().name,
            classes=self.classes,
            contexts=tuple(self.context_values),
            subsets={
                subset: read_samples(folders, listed, complain) for subset, listed in names.items()
            },
            object=self.object,
            context=self.context,
            root=str(file.parent),
        )

    def _contexts_folder(self, file: Path, root: Path) -> Path | None:
        if self.context_masks is None:
            return None
        here = root / self.context_masks
        return (
            here
            if here.is_dir()
            else _folder(file, "context_masks", file.parent / self.context_masks)
        )


def _folder(file: Path, key: str, folder: Path) -> Path:
    if not folder.is_dir():
        raise DataError(f"{file}: {key}: no such folder: {folder}")
    return folder


def _mask_folders(file: Path, root: Path, names: Sequence[str]) -> list[Path]:
    """Return the folders; the one that VOC itself has may lack, as boxes stand in for it."""
    return [
        root / name if name == "SegmentationClass" else _folder(file, "masks", root / name)
        for name in names
    ]


def _read_list(file: Path, root: Path, subset: str, given: str) -> list[str]:
    """Read image names; a line may hold more (an answer, a path to the image and to its mask)."""
    sets = root / "ImageSets"
    name = given if given.endswith(".txt") else f"{given}.txt"
    places = [file.parent / name, sets / name, sets / "Segmentation" / name, sets / "Main" / name]
    if not given.endswith(".txt"):
        places = places[1:]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        known = (path.relative_to(sets).with_suffix("").as_posix() for path in sets.rglob("*.txt"))
        raise DataError(
            f"{file}: subsets.{subset}: no such image list: {given}", near_names(given, known)
        )
    try:
        lines = found.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{found}: cannot be read ({error})") from None
    return [Path(line.split()[0]).stem for line in lines if line.strip()]
