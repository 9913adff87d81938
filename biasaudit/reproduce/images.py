"""The images of a protocol: read, checked before anything is trained, and known again later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biasaudit.data.built_in import voc2012_file
from biasaudit.data.catalogue import checked_on_error, load_dataset
from biasaudit.data.sample import BIASED, Dataset, Sample
from biasaudit.data.splits.resolve import resolve_split
from biasaudit.errors import DataError, RunError, named_field
from biasaudit.inputs.documents import read_json, read_toml
from biasaudit.inputs.files import Source, is_file
from biasaudit.reproduce.paper import (
    CONTEXT,
    LABELLED_IMAGES,
    OBJECT,
    TRAIN_IMAGES,
    VAL_IMAGES,
    Protocol,
)
from biasaudit.results import write_atomic, write_or_move

USUAL = "voc2012"
_AUGMENTED = ("trainaug", "train_aug")
"""What the list of the 10,582 training images is called where people share it."""
_RECORD = "images.json"


def images_of(
    protocol: Protocol, name: str, options: Mapping[str, Any], on_error: str = "stop"
) -> Dataset:
    """Read the images of a protocol.

    ``voc2012`` gives the segmentation task's own lists to a table of segmentation: train with the
    images of SBD, and val. Every other dataset is taken as it is.

    Args:
        protocol: What is to be trained.
        name: A built-in dataset or a folder.
        options: Settings of a built-in dataset; they win over the lists.
        on_error: What is done about an image that cannot be read.

    Raises:
        DataError: The dataset is not there or faulty, or nothing lists its training images.
    """
    given = dict(options)
    if name == USUAL and protocol.task == "segmentation":
        file = voc2012_file(given.get("folder"))
        given.setdefault("val", "Segmentation/val")
        given["train"] = given.get("train") or _augmented_list(file)
    return load_dataset(name, given, on_error=checked_on_error(on_error))


def _augmented_list(file: Path) -> str:
    """Return what the list of the 10,582 images is called, beside ``dataset.toml`` or in VOC."""
    root = file.parent / str(read_toml(Source(file)).get("root") or "VOCdevkit/VOC2012")
    sets = root / "ImageSets"
    for folder in (file.parent, sets, sets / "Segmentation"):
        for name in _AUGMENTED:
            if is_file(folder / f"{name}.txt"):
                return f"{name}.txt"
    raise DataError(
        f"{sets / 'Segmentation' / _AUGMENTED[0]}.txt: no such list: VOC's archive lacks the "
        f"{TRAIN_IMAGES:,} training images with those of SBD",
        "put the list there (docs/reproduce.md says where it comes from), or train on VOC's own "
        f"{LABELLED_IMAGES:,}: {named_field('data.options.train', 'Segmentation/train')}",
        field="data.options.train",
    )


def check_images(protocol: Protocol, dataset: Dataset, split: str | None) -> None:
    """Refuse a dataset that cannot be trained on or measured on, before hours are spent on it.

    Args:
        protocol: What is to be trained.
        dataset: Its images.
        split: The split that Table 4 is measured on; ``biased-boat`` where None.

    Raises:
        DataError: No pixel label, no context, an empty group.
    """
    train, val = dataset.subset("train"), dataset.subset("val")
    if protocol.task == "segmentation":
        if not any(_drawn(sample, dataset.classes) for sample in val):
            raise DataError(
                f"{dataset.root}: no image of val has the masks of all classes that it shows",
                "name the folder of label maps in dataset.toml: masks",
            )
        objects: Sequence[str] = dataset.classes
    else:
        dataset.check_object(OBJECT)
        if CONTEXT not in (*dataset.contexts, *dataset.classes):
            raise DataError(
                f"{dataset.root}: nothing says which images show '{CONTEXT}'",
                "name the label maps of PASCAL-Context in dataset.toml, context_masks and "
                "[context_values], as docs/reproduce.md shows",
            )
        resolve_split(dataset, split or BIASED + OBJECT, OBJECT, CONTEXT)
        objects = (OBJECT,)
    if not masked(train, objects):
        of = f" of '{OBJECT}'" if protocol.task == "classification" else ""
        raise DataError(
            f"{dataset.root}: no training image{of} has a mask",
            "name the folder of label maps in dataset.toml: masks",
        )


def _drawn(sample: Sample, classes: Sequence[str]) -> bool:
    shown = [name for name in classes if name in sample.labels]
    return bool(shown) and all(
        name in sample.regions and sample.regions[name].form == "mask" for name in shown
    )


def masked(samples: Sequence[Sample], objects: Sequence[str]) -> int:
    """Return how many images show one of ``objects`` and have its mask."""
    regions = (
        [s.regions[name] for name in objects if name in s.labels and name in s.regions]
        for s in samples
    )
    return sum(any(r.form == "mask" and r.area_fraction > 0 for r in found) for found in regions)


def told_of_images(protocol: Protocol, dataset: Dataset) -> list[str]:
    """Return a line for each number of images that is not the paper's."""
    if protocol.task != "segmentation":
        return []
    train = dataset.subset("train")
    found = {
        "training images": (len(train), TRAIN_IMAGES),
        "training images with a mask": (masked(train, dataset.classes), LABELLED_IMAGES),
        "images of val": (len(dataset.subset("val")), VAL_IMAGES),
    }
    return [
        f"{count:,} {what}, not {papers:,}: these are not the paper's images"
        for what, (count, papers) in found.items()
        if count != papers
    ]


def check_recorded(folder: Path, dataset: Dataset) -> None:
    """Refuse a folder whose trainings are of other images; one without a record passes.

    Args:
        folder: Of the trainings of one task.
        dataset: Its ids and image-level labels count.

    Raises:
        RunError: The folder was begun on other images or labels, or its record cannot be read.
    """
    file = folder / _RECORD
    if not is_file(file):
        return
    hint = f"remove {file} if {folder} was begun on the images at hand: it is written again"
    if read_json(Source(file, RunError, hint=hint)) != _counted(dataset):
        raise RunError(
            f"{named_field('out', folder)}: was begun on other images or labels",
            "name another folder",
        )


def record_images(folder: Path, dataset: Dataset) -> None:
    """Write down which images a folder's trainings are of, unless it is known.

    Raises:
        RunFailedError: It cannot be written.
    """
    if is_file(folder / _RECORD):
        return
    found = _counted(dataset)

    def write(place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        write_atomic(place / _RECORD, (json.dumps(found, indent=2) + "\n").encode())

    write_or_move(folder, _RECORD, write)


def _counted(dataset: Dataset) -> dict[str, Any]:
    subsets = {name: dataset.subset(name) for name in ("train", "val")}
    told = [
        [(s.id, sorted(s.labels), sorted(s.contexts)) for s in samples]
        for samples in subsets.values()
    ]
    digest = hashlib.sha256(json.dumps([dataset.classes, told]).encode()).hexdigest()
    counts = {name: len(samples) for name, samples in subsets.items()}
    return {"dataset": dataset.name, **counts, "sha256": digest}
