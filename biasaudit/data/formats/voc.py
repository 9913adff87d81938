"""The PASCAL VOC format: image-level labels and boxes from XML, regions from label maps.

::

    format = "voc"
    root = "VOCdevkit/VOC2012"
    object = "boat"
    context = "water"
    masks = ["SegmentationClass", "SegmentationClassAug"]
    context_masks = "SegmentationClassContext"

    [subsets]
    train = "train_aug.txt"        # beside dataset.toml, or in ImageSets/Segmentation
    val = "Segmentation/val"       # ImageSets/Segmentation/val.txt
    test = "Main/val"

    [context_values]
    water = 57
    grass = 29

An image's labels are the classes that its XML names, or, where it has none, those in its label
map. An image with a label map has regions from there alone, and void (255) is in none of them; one
without has its boxes. Label maps of contexts, such as those of PASCAL-Context, are optional: an
image that has one is annotated for all contexts; of one without, it is unknown which it shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from biasaudit.data.annotation.boxes import Box, Size, box_region
from biasaudit.data.checks.faults import (
    ANNOTATION,
    DUPLICATE,
    MISSING,
    NO_CLASS,
    NO_NAME,
    OUTSIDE,
    WRONG_SIZE,
    Complain,
    dangling,
    leading_out,
    refuse,
)
from biasaudit.data.formats.label_maps import VOID, LabelCounts, Part, count_all, mask_region
from biasaudit.data.formats.toml_file import READERS, DatasetFile, Names
from biasaudit.data.formats.voc_xml import VocAnnotation, read_annotation
from biasaudit.data.loading.images import ImageFile
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import DataError, near_names
from biasaudit.inputs.documents import RECORD_BYTES
from biasaudit.inputs.files import (
    Source,
    is_dangling,
    is_file,
    is_folder,
    leads_out,
    read_text,
)
from biasaudit.inputs.places import Place

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

    train: str | None = None
    val: str | None = None
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
    classes: Names = VOC_CLASSES
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
            if is_folder(here)
            else _folder(file, "context_masks", file.parent / self.context_masks)
        )


def _folder(file: Path, key: str, folder: Path) -> Path:
    if not is_folder(folder):
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
    found = next((place for place in places if is_file(place)), None)
    if found is None:
        known = (path.relative_to(sets).with_suffix("").as_posix() for path in sets.rglob("*.txt"))
        raise DataError(
            f"{file}: subsets.{subset}: no such image list: {given}", near_names(given, known)
        )
    lines = read_text(Source(found), RECORD_BYTES).splitlines()
    return [Path(line.split()[0]).stem for line in lines if line.strip()]


_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")


@dataclass(frozen=True)
class VocFolders:
    """Where everything of a VOC tree lies.

    Attributes:
        images: JPEGImages.
        annotations: Annotations.
        masks: Folders of label maps; the first that has an image's counts.
        contexts: Folder of the contexts' label maps.
        classes: Value of each class in a label map.
        context_values: Value of each context in one of theirs.
    """

    images: Path
    annotations: Path
    masks: tuple[Path, ...]
    contexts: Path | None
    classes: Mapping[str, int]
    context_values: Mapping[str, int]


def read_samples(folders: VocFolders, names: Sequence[str], complain: Complain) -> list[Sample]:
    """Read the images of one list, in its order.

    Raises:
        DataError: An image is missing or listed twice, or an annotation is faulty, unless
            ``complain`` takes it; what is faulty is then left out.
    """
    files = {}
    for name in names:
        file = _image_file(folders.images, name)
        if file is None:
            complain(MISSING, DataError(f"{folders.images / name}.jpg: no such image file"))
        elif leads_out(file, folders.images):
            complain(OUTSIDE, leading_out(file))
        elif name in files:
            complain(DUPLICATE, DataError(f"{file}: listed twice in one subset"))
        else:
            files[name] = file
    maps = {name: _first(folders.masks, name, complain) for name in files}
    context_maps = {name: _first((folders.contexts,), name, complain) for name in files}
    counts = count_all((m for m in (*maps.values(), *context_maps.values()) if m), complain)
    return [
        _Image(folders, file, _annotation(folders, name, complain), counts, complain).sample(
            maps[name], context_maps[name]
        )
        for name, file in files.items()
    ]


def _image_file(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}{suffix}" for suffix in _IMAGE_SUFFIXES)
    return next((file for file in candidates if is_file(file)), None)


def _first(folders: Sequence[Path | None], name: str, complain: Complain) -> Path | None:
    for folder in folders:
        if folder is None:
            continue
        file = folder / f"{name}.png"
        if is_dangling(file):
            complain(MISSING, dangling(file))
        elif is_file(file):
            if not leads_out(file, folder):
                return file
            complain(OUTSIDE, leading_out(file))
    return None


def _annotation(folders: VocFolders, name: str, complain: Complain) -> VocAnnotation | None:
    file = folders.annotations / f"{name}.xml"
    if not is_file(file):
        return None
    try:
        annotation = read_annotation(file)
    except DataError as error:
        complain(ANNOTATION, error)
        return None
    known = []
    for label, box in annotation.objects:
        if label in folders.classes:
            known.append((label, box))
        else:
            complain(
                NO_NAME,
                DataError(
                    f"{file}: object '{label}' is no class of the dataset",
                    near_names(label, folders.classes),
                ),
            )
    return VocAnnotation(annotation.size, tuple(known))


@dataclass(frozen=True)
class _Image:
    """One image with all that is known of it."""

    folders: VocFolders
    file: Path
    annotation: VocAnnotation | None
    counts: Mapping[Place, LabelCounts]
    complain: Complain

    def sample(self, label_map: Path | None, context_map: Path | None) -> Sample:
        size = self.annotation.size if self.annotation else None
        label_map, size = self._checked(label_map, size)
        context_map, size = self._checked(context_map, size)
        labels = {name for name, _ in self.annotation.objects} if self.annotation else set()
        regions = self._mapped(self.folders.classes, label_map)
        if self.annotation is None:
            labels = set(regions)
        if label_map is None:
            regions = self._boxed(size)
        else:
            self._check_values(label_map)
        for name in sorted(set(regions) - labels):
            self.complain(
                NO_CLASS,
                DataError(f"{label_map}: holds '{name}', which the image's annotation does not"),
            )
        contexts = self._mapped(self.folders.context_values, context_map)
        return Sample(
            id=self.file.name,
            labels=frozenset(labels),
            contexts=frozenset(contexts),
            load_image=ImageFile(self.file, size),
            regions={name: r for name, r in regions.items() if name in labels} | contexts,
            annotated=frozenset(self.folders.context_values if context_map else ()),
            void=mask_region([Part(label_map, VOID)], self.counts) if label_map else None,
        )

    def _checked(
        self, label_map: Path | None, size: Size | None
    ) -> tuple[Path | None, Size | None]:
        """Hold a label map to the image's size, as far as that is known; leave a faulty one out."""
        counted = self.counts.get(label_map) if label_map else None
        if counted is None:
            return None, size
        if size in (None, counted.size):
            return label_map, counted.size
        self.complain(
            WRONG_SIZE,
            DataError(
                f"{label_map}: the mask is {counted.size[0]}x{counted.size[1]} pixels, the image's "
                f"annotation says {size[0]}x{size[1]}"
            ),
        )
        return None, size

    def _mapped(self, values: Mapping[str, int], label_map: Path | None) -> dict[str, Region]:
        if label_map is None:
            return {}
        found = {
            name: mask_region([Part(label_map, value)], self.counts)
            for name, value in values.items()
        }
        return {name: region for name, region in found.items() if region is not None}

    def _boxed(self, size: Size | None) -> dict[str, Region]:
        """Give classes whose every object has a box their boxes as region."""
        boxes: dict[str, list[Box | None]] = defaultdict(list)
        for name, box in self.annotation.objects if self.annotation else ():
            boxes[name].append(box)
        return {
            name: box_region([box for box in given if box], self.file, size)
            for name, given in boxes.items()
            if all(given)
        }

    def _check_values(self, label_map: Path) -> None:
        known = {0, VOID, *self.folders.classes.values()}
        for value in sorted(set(self.counts[label_map].pixels) - known):
            self.complain(
                NO_NAME,
                DataError(
                    f"{label_map}: value {value} has no class",
                    f"classes have the values 1 to {len(self.folders.classes)}, void is {VOID}",
                ),
            )
