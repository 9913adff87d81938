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

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from biasaudit.data.checks.faults import Complain, refuse
from biasaudit.data.formats.coco_subset import SubsetReader
from biasaudit.data.formats.toml_file import READERS, DatasetFile
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import DataError, near_names

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

    train: SubsetFiles
    val: SubsetFiles
    test: SubsetFiles | None = None


class Folders(BaseModel):
    """Image folders by subset; a plain path stands for all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: str
    val: str
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
        self._check_roles(file, roles)
        return Dataset(
            name=self.name or folder.resolve().name,
            classes=tuple(name for name, thing in roles["train"].items() if thing),
            contexts=tuple(name for name, thing in roles["train"].items() if not thing),
            subsets=subsets,
            object=self.object,
            context=self.context,
            root=str(folder),
        )

    def _images_of(self, file: Path, subset: str) -> str:
        name: str | None = getattr(self.images, subset)
        if name is None:
            raise DataError(f"{file}: images.{subset} is missing", "name the subset's folder")
        if not (file.parent / name).is_dir():
            raise DataError(f"{file}: images: no such folder: {file.parent / name}")
        return name

    def _check_roles(self, file: Path, roles: Mapping[str, Roles]) -> None:
        """Hold the subsets to one set of categories, and ``contexts`` to that set."""
        train = roles["train"]
        for name in self.contexts:
            if name not in train:
                raise DataError(
                    f"{file}: contexts: no category is called '{name}'", near_names(name, train)
                )
        if not any(train.values()):
            raise DataError(f"{file}: subsets.train has no object class", "see isthing, contexts")
        for subset, others in roles.items():
            for name in sorted(train.keys() ^ others.keys()):
                has, lacks = ("train", subset) if name in train else (subset, "train")
                raise DataError(
                    f"{file}: subsets: category '{name}' is in {has} but not in {lacks}",
                    "give every annotation file the same categories",
                )
            for name, thing in others.items():
                if thing != train[name]:
                    raise DataError(
                        f"{file}: subsets: category '{name}' is an object in one of train and "
                        f"{subset}, a context in the other",
                        "give it the same isthing in both",
                    )
