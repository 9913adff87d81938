"""Splits: a subset as one pool, or the two counterfactual cells drawn from one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from biasaudit.data.sample import BIASED, Dataset, Sample
from biasaudit.errors import DataError, near_names


@dataclass(frozen=True)
class Split:
    """Images to measure on.

    Attributes:
        name: As the user names it: ``biased-boat``, ``val``.
        subset: The subset that the images were drawn from.
        object: The audited object.
        context: Its suspected context; None for a pool.
        samples: All images; those of the cells one after the other, where there are cells.
        cells: Images by cell name; empty for a pool.
        answers: The right answer in each cell: whether the object is there.
        note: What a reader of the figures must know about the choice, else empty.
    """

    name: str
    subset: str
    object: str
    context: str | None
    samples: tuple[Sample, ...]
    cells: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    answers: Mapping[str, bool] = field(default_factory=dict)
    note: str = ""

    @property
    def groups(self) -> Mapping[str, tuple[Sample, ...]]:
        """The cells; a pool is one group without a name."""
        return self.cells or {"": self.samples}


def split_names(dataset: Dataset) -> list[str]:
    """Return the splits that work with nothing else said."""
    biased = [BIASED + dataset.object] if dataset.object and dataset.context else []
    return [*biased, *dataset.splits, *dataset.subsets]


def resolve_split(
    dataset: Dataset, name: str, object: str | None = None, context: str | None = None
) -> Split:
    """Find the split that the user calls ``name``.

    Args:
        dataset: Where the images come from.
        name: ``biased-OBJECT``, a split that the dataset declares, or a subset.
        object: The audited object; the dataset's own unless given. ``biased-OBJECT`` names its
            object itself.
        context: The suspected context; the dataset's own unless given, if the object is too.

    Raises:
        DataError: No such split, object or context, or a cell is empty.
    """
    if name in dataset.subsets:
        audited = _given(dataset, object or dataset.object, "object")
        samples = tuple(dataset.subset(name))
        return Split(name, name, dataset.check_object(audited), None, samples)
    if name in dataset.splits:
        rule = dataset.splits[name]
        return _cells(dataset, name, rule.object, rule.context, rule.subset)
    named = name.removeprefix(BIASED)
    if named == name or named not in dataset.classes:
        raise DataError(
            f"{dataset.root or dataset.name}: no split '{name}' (--split)",
            _near_split(dataset, name, object or dataset.object),
        )
    default = dataset.context if named == dataset.object else None
    return biased_split(dataset, named, _given(dataset, context or default, "context"))


def _given(dataset: Dataset, value: str | None, option: str) -> str:
    if value is None:
        raise DataError(
            f"{dataset.root or dataset.name}: names no {option} of its own", f"give --{option}"
        )
    return value


def _near_split(dataset: Dataset, name: str, object: str | None) -> str:
    known = [*dataset.subsets, *dataset.splits, *([BIASED + object] if object else [])]
    every = [BIASED + one for one in dataset.classes]
    return near_names(name, {*known, *difflib.get_close_matches(name, every, n=1)})


def biased_split(dataset: Dataset, object: str, context: str) -> Split:
    """Draw the two counterfactual cells from the annotations.

    ``OBJECT-without-CONTEXT`` holds the images with the object and without the context, and the
    right answer is yes; ``CONTEXT-without-OBJECT`` the other way round, and it is no. They come
    from ``test`` where the dataset has that subset, else from ``val``.

    Raises:
        DataError: No such object or context, both are the same, or a cell is empty.
    """
    dataset.check_object(object)
    dataset.check_context(context)
    if object == context:
        raise DataError(f"--object and --context are both '{object}'", "name another context")
    return _cells(dataset, BIASED + object, object, context, None)


def _cells(dataset: Dataset, name: str, object: str, context: str, subset: str | None) -> Split:
    note = ""
    if subset is None:
        subset = held_out(dataset)
        if subset == "val":
            note = "cells are drawn from 'val', as there is no subset 'test'"
    samples = dataset.subset(subset)
    cells = {
        f"{object}-without-{context}": tuple(
            s for s in samples if _shows(s, object) and not _shows(s, context)
        ),
        f"{context}-without-{object}": tuple(
            s for s in samples if _shows(s, context) and not _shows(s, object)
        ),
    }
    for cell, members in cells.items():
        if not members:
            raise _empty_cell(dataset, subset, cell, object, context)
    first, second = cells
    return Split(
        name=name,
        subset=subset,
        object=object,
        context=context,
        samples=cells[first] + cells[second],
        cells=cells,
        answers={first: True, second: False},
        note="; ".join(filter(None, (note, _bare(subset, first, cells[first], context)))),
    )


def held_out(dataset: Dataset) -> str:
    """Return the subset that cells are drawn from where no other is named."""
    return "test" if "test" in dataset.subsets else "val"


def _shows(sample: Sample, name: str) -> bool:
    return name in sample.labels or name in sample.contexts


def _empty_cell(dataset: Dataset, subset: str, cell: str, object: str, context: str) -> DataError:
    samples = dataset.subset(subset)
    with_object = sum(_shows(s, object) for s in samples)
    with_context = sum(_shows(s, context) for s in samples)
    both = sum(_shows(s, object) and _shows(s, context) for s in samples)
    return DataError(
        f"{dataset.root or dataset.name}: no image of subset '{subset}' is in cell '{cell}' "
        f"({with_object} of {len(samples)} show '{object}', {with_context} show '{context}', "
        f"{both} show both)",
        f"name another --context, or add such images to '{subset}'",
    )


def _bare(subset: str, cell: str, members: tuple[Sample, ...], context: str) -> str:
    """Say where 'without' may mean 'not annotated'; ``test`` is taken to be chosen by hand."""
    bare = sum(not sample.contexts for sample in members)
    if subset == "test" or not bare:
        return ""
    return (
        f"{bare} of {len(members)} images in '{cell}' have no context annotated at all and may "
        f"show '{context}'"
    )
