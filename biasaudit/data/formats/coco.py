"""The COCO format: object classes, contexts and their regions out of ``instances`` JSON files.

Categories whose ``isthing`` is 0 are contexts. Where a file does not say, its categories are
objects, unless ``dataset.toml`` names them in ``contexts`` or lists the file itself as one of
contexts, as COCO-Stuff needs::

    format = "coco"
    images = { train = "train2017", val = "val2017" }
    object = "boat"
    context = "sea"

    [subsets]
    train = { objects = "instances_train2017.json", contexts = "stuff_train2017.json" }
    val = { objects = "instances_val2017.json", contexts = "stuff_val2017.json" }

A pixel that no annotation covers belongs to no region.

Whether an image is annotated for contexts, so that a context without an annotation is known to be
absent, is said by the first of these that there is:

1. ``annotated_contexts`` of the image's entry: a list of names, or true for all, false for none;
2. the same key of the file's ``info``, for all its images;
3. the annotations: an image with one of any context is annotated for all contexts, for annotators
   of stuff label whole images. Of one without any it is unknown which contexts it shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from biasaudit.data.annotation.boxes import outlying
from biasaudit.data.checks.faults import (
    ANNOTATION,
    EMPTY,
    MISSING,
    OUTLYING,
    OUTSIDE,
    WRONG_SIZE,
    Complain,
    leading_out,
    refuse,
)
from biasaudit.data.formats import coco_masks
from biasaudit.data.formats.coco_json import (
    Annotation,
    AnnotationFile,
    Contexts,
    ImageRecord,
    read_annotation_file,
)
from biasaudit.data.formats.toml_file import READERS, DatasetFile
from biasaudit.data.loading.images import ImageFile
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import DataError, near_names
from biasaudit.inputs.files import is_file, is_folder, leads_out

Roles = Mapping[str, bool]
"""Category name to True for an object, False for a context."""

_Files = Annotated[
    list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)
]


class SubsetFiles(BaseModel):
    """The annotation files of one subset, all of the same images.

    A plain path or a list of paths stands for ``objects``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    objects: _Files = Field(min_length=1)
    contexts: _Files = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return {"objects": given} if isinstance(given, str | list) else given


class Subsets(BaseModel):
    """Annotation files by subset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: SubsetFiles | None = None
    val: SubsetFiles | None = None
    test: SubsetFiles | None = None


class Folders(BaseModel):
    """Image folders by subset; a plain path stands for all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: str | None = None
    val: str | None = None
    test: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return dict.fromkeys(("train", "val", "test"), given) if isinstance(given, str) else given

    @property
    def shared(self) -> bool:
        """Whether all subsets lie in one folder."""
        return len({self.train, self.val, self.test} - {None}) == 1


@READERS.register("coco")
class CocoDataset(DatasetFile):
    """``dataset.toml`` with ``format = "coco"``.

    Attributes:
        images: Folder of the images, or one for each subset.
        subsets: Annotation files.
        contexts: Categories that are contexts, whatever ``isthing`` says.
    """

    images: Folders
    subsets: Subsets
    contexts: list[str] = Field(default_factory=list)

    def read(self, file: Path, complain: Complain = refuse) -> Dataset:
        """Read the annotation files; images are looked for, and decoded when asked for.

        Raises:
            DataError: An annotation file is faulty, files disagree, or an image is missing.
            ConfigError: pycocotools is not installed.
        """
        folder = file.parent
        roles: dict[str, Roles] = {}
        subsets: dict[str, Sequence[Sample]] = {}
        for name, files in self.subsets:
            if files is None:
                continue
            images_name = self._images_of(file, name)
            parts = [(folder / p, True) for p in files.objects]
            parts += [(folder / p, False) for p in files.contexts]
            reader = SubsetReader(
                images=folder / images_name,
                prefix="" if self.images.shared else f"{images_name}/",
                contexts=frozenset(self.contexts),
                complain=complain,
            )
            subsets[name] = reader.read(parts)
            roles[name] = reader.roles
        if not roles:
            raise DataError(f"{file}: subsets: names none", "name train, or test alone")
        self._check_roles(file, roles)
        first = next(iter(roles.values()))
        return Dataset(
            name=self.name or folder.resolve().name,
            classes=tuple(name for name, thing in first.items() if thing),
            contexts=tuple(name for name, thing in first.items() if not thing),
            subsets=subsets,
            object=self.object,
            context=self.context,
            root=str(folder),
        )

    def _images_of(self, file: Path, subset: str) -> str:
        name: str | None = getattr(self.images, subset)
        if name is None:
            raise DataError(f"{file}: images.{subset} is missing", "name the subset's folder")
        if not is_folder(file.parent / name):
            raise DataError(f"{file}: images: no such folder: {file.parent / name}")
        return name

    def _check_roles(self, file: Path, roles: Mapping[str, Roles]) -> None:
        """Hold the subsets to one set of categories, and ``contexts`` to that set."""
        first, train = next(iter(roles.items()))
        for name in self.contexts:
            if name not in train:
                raise DataError(
                    f"{file}: contexts: no category is called '{name}'", near_names(name, train)
                )
        if not any(train.values()):
            raise DataError(f"{file}: subsets.{first} has no object class", "see isthing, contexts")
        for subset, others in roles.items():
            for name in sorted(train.keys() ^ others.keys()):
                has, lacks = (first, subset) if name in train else (subset, first)
                raise DataError(
                    f"{file}: subsets: category '{name}' is in {has} but not in {lacks}",
                    "give every annotation file the same categories",
                )
            for name, thing in others.items():
                if thing != train[name]:
                    raise DataError(
                        f"{file}: subsets: category '{name}' is an object in one of {first} and "
                        f"{subset}, a context in the other",
                        "give it the same isthing in both",
                    )


class SubsetReader:
    """Reads the files of one subset and joins what they say of each image.

    Args:
        images: Folder of the images.
        prefix: What sample ids begin with.
        contexts: Categories that are contexts, whatever the files say.
        complain: Told of each fault of an image or an annotation; it is left out if this returns.
    """

    def __init__(
        self,
        images: Path,
        prefix: str,
        contexts: frozenset[str],
        complain: Complain = refuse,
    ) -> None:
        self.images = images
        self.prefix = prefix
        self.contexts = contexts
        self.complain = complain
        self.roles: dict[str, bool] = {}
        self._records: dict[str, ImageRecord] = {}
        self._found: dict[str, dict[str, list[_Instance]]] = {}
        self._said: dict[str, list[Contexts]] = {}

    def read(self, files: Sequence[tuple[Path, bool]]) -> list[Sample]:
        """Read (file, whether its categories are objects by default) in turn."""
        for number, (file, objects) in enumerate(files):
            content = read_annotation_file(file, self.complain)
            if number == 0:
                self._records = {image.file_name: image for image in content.images}
                self._found = {name: defaultdict(list) for name in self._records}
            else:
                self._check_same_images(file, content)
            self._add_roles(file, content, objects)
            self._add_annotated(content)
            self._add_instances(file, content)
        self._check_exist(files[0][0])
        return [self._sample(name, record) for name, record in self._records.items()]

    def _check_same_images(self, file: Path, content: AnnotationFile) -> None:
        sizes = {image.file_name: (image.width, image.height) for image in content.images}
        for name in sorted(sizes.keys() ^ self._records.keys()):
            self.complain(
                ANNOTATION,
                DataError(
                    f"{file}: image '{name}' is not in every annotation file of the subset",
                    "files of one subset must list the same images",
                ),
            )
        for name in sorted(sizes.keys() & self._records.keys()):
            size, record = sizes[name], self._records[name]
            if size != (record.width, record.height):
                self.complain(
                    WRONG_SIZE,
                    DataError(
                        f"{file}: image '{name}' is {size[0]}x{size[1]} here and "
                        f"{record.width}x{record.height} in the subset's first file"
                    ),
                )

    def _add_roles(self, file: Path, content: AnnotationFile, objects: bool) -> None:
        for category in content.categories:
            thing = objects if category.isthing is None else category.isthing
            if category.name in self.contexts:
                thing = False
            if self.roles.setdefault(category.name, thing) != thing:
                raise DataError(
                    f"{file}: category '{category.name}' is an object in one file of the subset, "
                    "a context in another",
                    "give it the same isthing in both",
                )

    def _add_annotated(self, content: AnnotationFile) -> None:
        """Note what a file says of the contexts that were looked for in its images."""
        whole = content.info.annotated_contexts if content.info else None
        for image in content.images:
            said = image.annotated_contexts
            said = whole if said is None else said
            if said is not None:
                self._said.setdefault(image.file_name, []).append(said)

    def _annotated(self, name: str, shown: Collection[str]) -> frozenset[str]:
        """Return the contexts that were looked for in an image; the rule stands in coco.py."""
        contexts = frozenset(context for context, thing in self.roles.items() if not thing)
        if name not in self._said:
            return contexts if shown else frozenset()
        every = [contexts if one is True else frozenset(one or ()) for one in self._said[name]]
        return contexts.intersection(frozenset(shown).union(*every))

    def _add_instances(self, file: Path, content: AnnotationFile) -> None:
        records = {image.id: image for image in content.images}
        categories = {category.id: category.name for category in content.categories}
        for index, annotation in enumerate(content.annotations):
            image = records[annotation.image_id]
            if image.file_name not in self._found:
                continue
            try:
                instance = _encode(annotation, image)
            except DataError as error:
                what = f"annotations[{index}] of '{image.file_name}'"
                self.complain(ANNOTATION, DataError(f"{file}: {what}: {error.message}"))
                continue
            self._check_place(f"{file}: annotations[{index}]", annotation, image, instance)
            found = self._found[image.file_name]
            found[categories[annotation.category_id]].append(instance)

    def _check_place(
        self, where: str, annotation: Annotation, image: ImageRecord, instance: _Instance
    ) -> None:
        """Say so where an annotation has no pixel, or its box lies outside the image."""
        of = f"of '{image.file_name}'"
        box = annotation.bbox
        if instance[0] is None and box:
            self.complain(EMPTY, DataError(f"{where}: bbox {of} holds no pixel of the image"))
        elif box and outlying(
            (box[0], box[1], box[0] + box[2], box[1] + box[3]), image.width, image.height
        ):
            self.complain(
                OUTLYING,
                DataError(
                    f"{where}: bbox {of} reaches over the border of the "
                    f"{image.width}x{image.height} image"
                ),
            )

    def _check_exist(self, file: Path) -> None:
        missing = [name for name in self._records if not is_file(self.images / name)]
        more = f" ({len(missing)} of {len(self._records)} are missing)"
        for name in missing:
            self.complain(
                MISSING,
                DataError(
                    f"{file}: no image file {self.images / name}{more}",
                    "correct images in dataset.toml, or take the entries out",
                ),
            )
            del self._records[name]
        for name in list(self._records):
            if leads_out(self.images / name, self.images):
                self.complain(OUTSIDE, leading_out(self.images / name))
                del self._records[name]

    def _sample(self, name: str, record: ImageRecord) -> Sample:
        found = self._found.pop(name)
        regions = {category: _region(instances) for category, instances in found.items()}
        contexts = frozenset(category for category in found if not self.roles[category])
        return Sample(
            id=self.prefix + name,
            labels=frozenset(category for category in found if self.roles[category]),
            contexts=contexts,
            load_image=ImageFile(self.images / name, (record.width, record.height)),
            regions={category: region for category, region in regions.items() if region},
            source=record.source,
            annotated=self._annotated(name, contexts),
        )


_Instance = tuple[coco_masks.Rle | None, bool]
"""Where an instance lies (None: somewhere), and whether pixel by pixel."""


def _encode(annotation: Annotation, image: ImageRecord) -> _Instance:
    # Lists of boxes have an empty list here; an empty table is no way to say that.
    if annotation.segmentation is not None and annotation.segmentation != []:
        rle = coco_masks.encode_segmentation(annotation.segmentation, image.height, image.width)
        return rle, True
    if annotation.bbox:
        return coco_masks.encode_box(annotation.bbox, image.height, image.width), False
    return None, False


def _region(instances: Sequence[_Instance]) -> Region | None:
    """Join the instances of one class, if all of them are known to lie somewhere."""
    known = [rle for rle, _ in instances if rle is not None]
    if len(known) < len(instances):
        return None
    return coco_masks.union(known, "mask" if all(exact for _, exact in instances) else "box")
