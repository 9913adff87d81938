"""What every reader gives: samples with image-level labels, and regions that load on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from biasaudit.errors import DataError, named_field, near_names

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Mask = NDArray[np.bool_]
"""(H, W), True inside the region."""

RegionForm = Literal["mask", "box"]


class Region:
    """Where one class lies in one image: the union of its instances.

    Attributes:
        form: ``mask`` where every instance has a pixel mask; ``box`` where at least one
            instance is known by its bounding box only (the box is filled).
        load: Gives the (H, W) mask at the image's own size.

    Args:
        form: See above.
        load: See above.
        area_fraction: Share of the image inside the region, in [0, 1], where it is known without
            decoding the mask (from the annotation file); None where it must be counted.
    """

    __slots__ = ("_area", "form", "load")

    def __init__(
        self, form: RegionForm, load: Callable[[], Mask], area_fraction: float | None = None
    ) -> None:
        self.form = form
        self.load = load
        self._area = area_fraction

    @property
    def area_fraction(self) -> float:
        """Share of the image inside the region, in [0, 1]; counted once where not known."""
        if self._area is None:
            self._area = float(self.load().mean())
        return self._area


@lru_cache(maxsize=4096)
def _shared(names: frozenset[str]) -> frozenset[str]:
    """Return the one set of these names: a dataset's images have few different ones."""
    return names


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what is known about it, with pixels left on disk until asked for.

    Attributes:
        id: Stable and unique within the dataset; for files, the path relative to the images.
        labels: The object classes that are present (image-level labels).
        contexts: The context classes that are present ("water", "grass").
        load_image: Gives the (H, W, 3) uint8 RGB image.
        regions: Region of each object or context that has one; a present class without a
            region is absent here.
        source: Where the image comes from, if the dataset says so.
        pair: Id of the sample that this one is an edited version of; None for an image as it is.
        edit: How the edited version was made, the context aside: two versions of one image with
            the same ``edit`` differ in the context alone. Empty for an image as it is, and where
            no other version is made in the same way.
        annotated: The contexts that somebody looked for in this image, whether they are there or
            not; of all others it is unknown. None where the reader does not say: then an image
            with any context counts as annotated for all of them, one without as for none.
        void: Pixels that its masks leave undecided, as PASCAL VOC's borders of objects are; None
            where there is none.
    """

    id: str
    labels: frozenset[str]
    contexts: frozenset[str]
    load_image: Callable[[], Image]
    regions: Mapping[str, Region] = field(default_factory=dict)
    source: str = ""
    pair: str | None = None
    edit: str = ""
    annotated: frozenset[str] | None = None
    void: Region | None = None

    def __post_init__(self) -> None:
        for name in ("labels", "contexts", "annotated"):
            names = getattr(self, name)
            if names is not None:
                object.__setattr__(self, name, _shared(frozenset(names)))


def shows(sample: Sample, name: str, least_area: float = 0.0) -> bool:
    """Whether an image shows an object or a context.

    Args:
        sample: The image.
        name: An object class or a context.
        least_area: Share of the image that it must cover to count, in [0, 1]. An image without
            its region counts where the labels name it: nobody said how much it covers.
    """
    if name not in sample.labels and name not in sample.contexts:
        return False
    region = sample.regions.get(name)
    return least_area <= 0 or region is None or region.area_fraction >= least_area


def context_shown(sample: Sample, context: str | None, labelled: Collection[str]) -> float:
    """Return 1 where a sample shows the context, 0 where it does not, NaN where nobody said.

    Args:
        sample: One image.
        context: A context class, an object class, or None.
        labelled: Object classes: these are labelled on every image.
    """
    if context is None:
        return math.nan
    if context in sample.contexts or context in sample.labels:
        return 1.0
    known = bool(sample.contexts) if sample.annotated is None else context in sample.annotated
    return 0.0 if known or context in labelled else math.nan


BIASED = "biased-"
"""What the name of a built-in split of counterfactual groups begins with."""
EDITED = "edited-"
"""What the name of a built-in split of edited pairs begins with."""


@dataclass(frozen=True)
class SplitRule:
    """A split that a dataset declares: the counterfactual groups of an object and a context.

    Attributes:
        object: An object class.
        context: A context class, or another object class.
        subset: Where the images come from; ``test`` or else ``val`` where None.
        object_area: Share of the image from which on the object counts as there, in [0, 1].
        context_area: Share from which on the context does.
        edits: Edits of held-out images, a group each, instead of images as they are.
        yes: Images with the object and without the context, instead of a subset's.
        no: Images with the context and without the object, likewise.
    """

    object: str
    context: str
    subset: str | None = None
    object_area: float = 0.0
    context_area: float = 0.0
    edits: tuple[str, ...] = ()
    yes: tuple[Sample, ...] = ()
    no: tuple[Sample, ...] = ()


def pairs_of(objects: Sequence[str], contexts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return every object with every context, but none with itself."""
    return tuple((name, context) for name in objects for context in contexts if name != context)


@dataclass(frozen=True)
class SkippedImage:
    """An image that was left out because it cannot be read.

    Attributes:
        id: The sample's id.
        subset: Where it would stand.
        reason: What is wrong with the file.
    """

    id: str
    subset: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A labelled image dataset in subsets.

    Attributes:
        name: How reports call it.
        classes: The object classes that a classifier is trained on, in score order.
        contexts: The context classes that annotations know.
        subsets: Samples by subset name; ``train`` and ``val`` always, ``test`` where the
            counterfactual groups are drawn from a subset of their own.
        object: The object to audit unless the user names another.
        context: Its suspected context.
        root: What messages call the dataset: a path, or a built-in name.
        splits: Splits that the dataset declares, by name.
        guided: The object classes whose regions guide training; the audited object alone where
            empty.
        origin: The name or absolute folder that loads it again.
        options: Settings of a built-in dataset that it was loaded with.
        pairs: Objects and contexts that are audited together unless the user names others; empty
            where there is one pair at most.
        skipped: Images that were left out because they cannot be read, where that was asked for.
    """

    name: str
    classes: tuple[str, ...]
    contexts: tuple[str, ...]
    subsets: Mapping[str, Sequence[Sample]]
    object: str | None = None
    context: str | None = None
    root: str = ""
    splits: Mapping[str, SplitRule] = field(default_factory=dict)
    guided: tuple[str, ...] = ()
    origin: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    skipped: tuple[SkippedImage, ...] = ()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {len(samples)}" for name, samples in self.subsets.items())
        return f"Dataset({self.name!r}, classes={self.classes}, {sizes})"

    @cached_property
    def class_index(self) -> Mapping[str, int]:
        """Column of each object class in a score matrix."""
        return {name: i for i, name in enumerate(self.classes)}

    def subset(self, name: str) -> Sequence[Sample]:
        """Return the samples of one subset.

        Raises:
            DataError: The dataset has no such subset.
        """
        if name not in self.subsets:
            hint = near_names(name, self.subsets)
            if name == "val" and "train" in self.subsets:
                hint = "write val = 0.15 into dataset.toml to hold back so much of train"
            raise DataError(f"{self.root or self.name}: no subset '{name}'", hint)
        return self.subsets[name]

    def check_object(self, name: str) -> str:
        """Return ``name`` if it is an object class, else raise DataError with the nearest one."""
        return self._check(name, self.classes, "object")

    def check_context(self, name: str) -> str:
        """Return ``name`` if it is a context class or another object class, else raise."""
        return self._check(name, (*self.contexts, *self.classes), "context")

    def check_pair(self, object: str, context: str) -> None:
        """Refuse an object or a context that the dataset does not know, or one name for both.

        Raises:
            DataError: Either is unknown, or both are the same.
        """
        self.check_object(object)
        self.check_context(context)
        if object == context:
            raise DataError(
                f"{named_field('object')} and {named_field('context')} are both '{object}'",
                "name another context",
                field="context",
            )

    def _check(self, name: str, known: Sequence[str], field: str) -> str:
        if name not in known:
            raise DataError(
                f"{self.root or self.name}: no category is called '{name}' ({named_field(field)})",
                near_names(name, known),
            )
        return name
