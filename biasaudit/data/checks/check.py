"""Everything that is wrong with a dataset, and what its counterfactual groups can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from biasaudit.data.annotation.boxes import BoxRegion, outlying
from biasaudit.data.catalogue import load_dataset
from biasaudit.data.checks.cooccurrence import (
    GroupSize,
    Together,
    class_counts,
    every_pair,
    group_sizes,
    unknown_counts,
)
from biasaudit.data.checks.faults import (
    ANNOTATION,
    EMPTY,
    NEAR_DUPLICATE,
    NO_CLASS,
    NOT_TRAINED,
    OUTLYING,
    UNREADABLE,
    WRONG_SIZE,
    Fault,
    Notebook,
)
from biasaudit.data.checks.near_duplicates import Look, look_of, near_duplicates
from biasaudit.data.loading.ahead import read_ahead
from biasaudit.data.loading.images import WrongSizeError
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import DataError


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        dataset: The dataset's name.
        images: How many images each subset has, those with faults included that could be listed;
            empty where the dataset cannot be read.
        faults: Every fault, by file.
        pairs: Every object with every context in the training images, the highest lift first.
        groups: The four groups of the audited object; empty where none is named.
        classes: Images of each class, by subset.
        unknown: Images of which nobody said whether they show each context, by subset; contexts
            that all images are annotated for are left out.
    """

    dataset: str
    images: Mapping[str, int]
    faults: Sequence[Fault]
    pairs: Sequence[Together]
    groups: Sequence[GroupSize]
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unknown: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def imbalance(self) -> Mapping[str, float | None]:
        """Images of the largest class for each one of the smallest, by subset; None for none."""
        counts = {
            subset: [of[subset] for of in self.classes.values() if subset in of]
            for subset in self.images
        }
        return {
            subset: max(found) / least if (least := min(found, default=0)) else None
            for subset, found in counts.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON takes it."""
        return {
            "dataset": self.dataset,
            "images": dict(self.images),
            "faults": [fault.to_dict() for fault in self.faults],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "groups": [group.to_dict() for group in self.groups],
            "classes": {name: dict(counts) for name, counts in self.classes.items()},
            "imbalance": dict(self.imbalance),
            "unknown": {name: dict(counts) for name, counts in self.unknown.items()},
        }


def check_dataset(
    name: str,
    object: str | None = None,
    context: str | None = None,
    begin: Callable[[int], None] = lambda _: None,
    step: Callable[[], None] = lambda: None,
) -> Check:
    """Read everything of a dataset once and note every fault; none stops the check.

    Args:
        name: A built-in dataset or a folder, as for :func:`load_dataset`.
        object: The audited object; the dataset's own unless given.
        context: Its suspected context; likewise.
        begin: Told how many images there are.
        step: Called after each.

    Raises:
        DataError: There is no such dataset, object or context.
        ConfigError: A package is missing that the format needs.
    """
    notes = Notebook()
    try:
        dataset = load_dataset(name, complain=notes)
    except DataError as error:
        if not notes.faults:
            raise
        notes(ANNOTATION, error)  # such as no class, where nothing could be read
        return Check(name, {}, sorted(notes.faults), [], [])
    if object:
        dataset.check_object(object)
    if context:
        dataset.check_context(context)
    begin(sum(len(samples) for samples in dataset.subsets.values()))
    looks: dict[str, dict[str, Look]] = {subset: {} for subset in dataset.subsets}
    for subset, samples in dataset.subsets.items():
        for sample, look, faults in read_ahead(samples, _read):
            notes.faults += faults
            if look is not None:
                looks[subset][sample.id] = look
            step()
    notes.faults += _duplicates(looks)
    notes.faults += _nothing_to_learn(dataset, object or dataset.object)
    return Check(
        dataset.name,
        {subset: len(samples) for subset, samples in dataset.subsets.items()},
        sorted(notes.faults),
        every_pair(dataset),
        _groups(dataset, object, context),
        class_counts(dataset),
        unknown_counts(dataset),
    )


def _groups(dataset: Dataset, object: str | None, context: str | None) -> list[GroupSize]:
    audited = object or dataset.object
    own = dataset.context if audited == dataset.object else None
    suspected = context or own
    return group_sizes(dataset, audited, suspected) if audited and suspected else []


_Read = tuple[Sample, Look | None, list[Fault]]


def _read(sample: Sample) -> _Read:
    notes = Notebook()
    look, shape = None, None
    try:
        image = sample.load_image()
        shape = image.shape[:2]
        look = look_of(image)
    except WrongSizeError as error:
        notes(WRONG_SIZE, error)
    except DataError as error:
        notes(UNREADABLE, error)
    for name in sample.regions:
        _check_region(sample, name, shape, notes)
    return sample, look, notes.faults


def _check_region(
    sample: Sample, name: str, shape: tuple[int, ...] | None, notes: Notebook
) -> None:
    where = f"{sample.id}: region of '{name}'"
    try:
        mask = sample.regions[name].load()
    except DataError as error:
        notes(UNREADABLE, error)
        return
    if shape is not None and mask.shape != shape:
        notes(
            WRONG_SIZE,
            DataError(
                f"{where} is {mask.shape[1]}x{mask.shape[0]} pixels, the image "
                f"{shape[1]}x{shape[0]}"
            ),
        )
    if not mask.any():
        notes(EMPTY, DataError(f"{where} holds no pixel"))
    region = sample.regions[name]
    if isinstance(region, BoxRegion):
        height, width = mask.shape
        for box in region.boxes:
            if outlying(box, width, height):
                notes(
                    OUTLYING,
                    DataError(f"{where}: box {box} reaches over the {width}x{height} image"),
                )
    if name not in sample.labels and name not in sample.contexts:
        notes(NO_CLASS, DataError(f"{where}, which the image is not said to show"))


def _nothing_to_learn(dataset: Dataset, object: str | None) -> Iterator[Fault]:
    """Find a training subset that shows no object, or not the one that is audited."""
    train = dataset.subset("train")
    where = f"{dataset.root or dataset.name}"
    if not any(sample.labels for sample in train):
        yield Fault(where, NOT_TRAINED, "no training image shows any object", "annotate some")
    elif object is not None and not any(object in sample.labels for sample in train):
        yield Fault(
            where, NOT_TRAINED, f"no training image shows '{object}'", "name another object"
        )


def _duplicates(looks: Mapping[str, Mapping[str, Look]]) -> Iterator[Fault]:
    """Find held-out pictures that look like a training picture."""
    train = looks.get("train", {})
    trained = list(train)
    for subset, found in looks.items():
        if subset == "train":
            continue
        ids = list(found)
        pairs = near_duplicates(list(found.values()), list(train.values()))
        for held, seen in pairs:
            if ids[held] != trained[seen]:
                yield Fault(
                    ids[held],
                    NEAR_DUPLICATE,
                    f"in {subset}, looks like '{trained[seen]}' in train",
                    "take one of the two out",
                )
