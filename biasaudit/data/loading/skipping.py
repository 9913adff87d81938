"""A dataset without the images that cannot be read, and a list of those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from biasaudit.data.loading.ahead import read_ahead
from biasaudit.data.sample import Dataset, Sample, SkippedImage
from biasaudit.errors import DataError


def without_unreadable(dataset: Dataset) -> Dataset:
    """Decode every image once and leave out those that cannot be.

    Annotations, masks and files that are missing are no such case: they are refused as ever.

    Args:
        dataset: Whose images come from files; drawn ones are never unreadable.

    Returns:
        The same dataset with :attr:`Dataset.skipped`.

    Raises:
        DataError: A subset has no image left.
    """
    skipped: list[SkippedImage] = []
    subsets = {}
    for name, samples in dataset.subsets.items():
        kept = []
        for sample, reason in read_ahead(samples, _read):
            if reason:
                skipped.append(SkippedImage(sample.id, name, reason))
            else:
                kept.append(sample)
        if not kept:
            raise DataError(
                f"{dataset.root or dataset.name}: subsets.{name}: no image can be read "
                f"({skipped[-1].reason})"
            )
        subsets[name] = kept
    return replace(dataset, subsets=subsets, skipped=tuple(skipped))


def told_skipped(skipped: Sequence[SkippedImage]) -> str:
    """Return in a line how many images were left out, and why the first of them was."""
    images = "image was" if len(skipped) == 1 else "images were"
    return f"{len(skipped)} {images} left out that cannot be read; the first: {skipped[0].reason}"


def _read(sample: Sample) -> tuple[Sample, str]:
    try:
        sample.load_image()
    except DataError as error:
        return sample, error.message
    return sample, ""
