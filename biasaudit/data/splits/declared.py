"""A split that ``dataset.toml`` declares: groups from annotations, from edits or from folders.

::

    [splits.bicycle-grass]         # from annotations; a patch of grass below 5% is none
    object = "bicycle"
    context = "grass"
    subset = "val"
    context_area = 0.05

    [splits.cow-edited]            # from edited versions of held-out images
    object = "cow"
    context = "grass"
    edits = ["removed", "context-replaced"]

    [splits.boat-web]              # from two folders of images
    object = "boat"
    context = "water"
    yes = "web/boats-ashore"
    no = "web/empty-water"
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from biasaudit.data.checks.faults import leading_out
from biasaudit.data.loading.images import ImageFile
from biasaudit.data.sample import Sample, SplitRule
from biasaudit.data.splits.edited_samples import EDITS
from biasaudit.errors import DataError, near_names
from biasaudit.inputs.files import is_file, is_folder, leads_out

_Share = Annotated[float, Field(ge=0, le=1)]


class DeclaredSplit(BaseModel):
    """A table ``[splits.NAME]``.

    Attributes:
        object: An object class.
        context: A context, or another object class.
        subset: Where the images come from; ``test`` or else ``val`` unless given.
        object_area: Share of the image from which on the object counts as there.
        context_area: Share of the image from which on the context does.
        edits: Edits, a group each, of held-out images.
        yes: Folder of images with the object and without the context.
        no: Folder of images with the context and without the object.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: str
    context: str
    subset: str | None = None
    object_area: _Share = 0.0
    context_area: _Share = 0.0
    edits: tuple[str, ...] = ()
    yes: str | None = None
    no: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> DeclaredSplit:
        if (self.yes is None) != (self.no is None):
            raise ValueError("yes and no belong together: a folder for each answer")
        from_annotations = bool(self.subset or self.object_area or self.context_area)
        if from_annotations + bool(self.edits) + (self.yes is not None) > 1:
            raise ValueError(
                "images come from one of: a subset (subset, object_area, context_area), edits, "
                "two folders (yes, no)"
            )
        for kind in self.edits:
            if kind not in EDITS:
                raise ValueError(f"edits: no edit is called '{kind}'; {near_names(kind, EDITS)}")
        return self

    def rule(self, file: Path, name: str) -> SplitRule:
        """Return the split's rule, its folders listed.

        Args:
            file: The ``dataset.toml``.
            name: The split's name.

        Raises:
            DataError: A folder is missing or holds no image.
        """
        return SplitRule(
            self.object,
            self.context,
            self.subset,
            self.object_area,
            self.context_area,
            self.edits,
            yes=self._listed(file, name, "yes"),
            no=self._listed(file, name, "no"),
        )

    def _listed(self, file: Path, split: str, key: str) -> tuple[Sample, ...]:
        """List a folder: the object without the context, or the context without the object."""
        given = getattr(self, key)
        if given is None:
            return ()
        with_object = key == "yes"
        return tuple(
            Sample(
                id=f"{given}/{path.relative_to(file.parent / given).as_posix()}",
                labels=frozenset({self.object} if with_object else ()),
                contexts=frozenset(() if with_object else {self.context}),
                load_image=ImageFile(path),
                annotated=frozenset({self.context}),
            )
            for path in _images(file, split, key, given)
        )


def _images(file: Path, split: str, key: str, given: str) -> list[Path]:
    from torchvision.datasets.folder import IMG_EXTENSIONS

    folder = file.parent / given
    if not is_folder(folder):
        raise DataError(f"{file}: splits.{split}.{key}: no such folder: {folder}")
    found = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in IMG_EXTENSIONS and is_file(p)
    )
    for path in found:
        if leads_out(path, folder):
            raise leading_out(path)
    if not found:
        raise DataError(f"{file}: splits.{split}.{key}: no image in {folder}")
    return found
