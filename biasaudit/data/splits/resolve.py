"""Splits by name: a subset as one pool, or counterfactual groups.

Groups come from annotations (``biased-OBJECT``), from edited pairs (``edited-OBJECT``), or from two
folders of images that the dataset declares.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping

from biasaudit.data.sample import (
    BIASED,
    EDITED,
    Dataset,
    Sample,
    SplitRule,
    context_shown,
    shows,
)
from biasaudit.data.splits.edited import check_kinds, edited_split, has_edited_split
from biasaudit.data.splits.split import Split
from biasaudit.errors import DataError, named_field, near_names


def split_names(
    dataset: Dataset, object: str | None = None, context: str | None = None
) -> list[str]:
    """Return the splits of an object and its context; the dataset's own unless given."""
    built_in = []
    audited = object or dataset.object
    suspected = context or (dataset.context if audited == dataset.object else None)
    if audited and suspected:
        built_in.append(BIASED + audited)
        if has_edited_split(dataset, audited, suspected):
            built_in.append(EDITED + audited)
    return [*built_in, *dataset.splits, *dataset.subsets]


def usual_splits(dataset: Dataset, object: str, context: str | None = None) -> tuple[str, ...]:
    """Return the splits to measure on, beside ``val``, where nobody names one.

    Args:
        dataset: Where the images come from.
        object: The audited object.
        context: Its suspected context; the dataset's own unless given.

    Returns:
        ``biased-OBJECT``, or ``edited-OBJECT`` where a group of it is empty and there are images
        to edit; without any context every subset that is neither ``train`` nor ``val``.
    """
    suspected = context or dataset.context
    if suspected:
        found = groups_of(dataset, held_out(dataset), SplitRule(object, suspected))
        edits = not all(found[group] for group in list(found)[:2]) and has_edited_split(
            dataset, object, suspected
        )
        return ((EDITED if edits else BIASED) + object,)
    return tuple(name for name in dataset.subsets if name not in ("train", "val"))


def named_object(dataset: Dataset, name: str) -> str | None:
    """Return the object that ``biased-OBJECT`` or ``edited-OBJECT`` names, None for other names."""
    if name in dataset.subsets or name in dataset.splits:
        return None
    for prefix in (BIASED, EDITED):
        named = name.removeprefix(prefix)
        if named != name and named in dataset.classes:
            return named
    return None


def resolve_split(
    dataset: Dataset, name: str, object: str | None = None, context: str | None = None
) -> Split:
    """Find the split that the user calls ``name``.

    Args:
        dataset: Where the images come from.
        name: ``biased-OBJECT``, ``edited-OBJECT``, a split that the dataset declares, or a
            subset.
        object: The audited object; the dataset's own unless given. ``biased-OBJECT`` and
            ``edited-OBJECT`` name it themselves.
        context: The suspected context; the dataset's own unless given, if the object is too.

    Raises:
        DataError: No such split, object or context, or a group is empty.
    """
    if name in dataset.subsets:
        audited = _given(dataset, object or dataset.object, "object")
        samples = tuple(dataset.subset(name))
        return Split(name, name, dataset.check_object(audited), None, samples)
    if name in dataset.splits:
        return _declared(dataset, name, dataset.splits[name])
    named = named_object(dataset, name)
    if named is None:
        raise DataError(
            f"{dataset.root or dataset.name}: no split '{name}' ({named_field('split')})",
            _near_split(dataset, name, object or dataset.object),
        )
    default = dataset.context if named == dataset.object else None
    suspected = _given(dataset, context or default, "context")
    if name.startswith(EDITED):
        return edited_split(dataset, name, named, suspected)
    return biased_split(dataset, named, suspected)


def _declared(dataset: Dataset, name: str, rule: SplitRule) -> Split:
    if rule.yes:
        groups = {
            f"{rule.object}-without-{rule.context}": rule.yes,
            f"{rule.context}-without-{rule.object}": rule.no,
        }
        first, second = groups
        return Split(
            name=name,
            subset=name,
            object=rule.object,
            context=rule.context,
            samples=(*rule.yes, *rule.no),
            groups=groups,
            answers={first: True, second: False},
            shown={first: False, second: True},
        )
    if rule.edits:
        check_kinds(rule.edits)
        return edited_split(dataset, name, rule.object, rule.context, rule.edits)
    return _groups(dataset, name, rule)


def _given(dataset: Dataset, value: str | None, field: str) -> str:
    if value is None:
        raise DataError(
            f"{dataset.root or dataset.name}: names no {field} of its own",
            f"give {named_field(field)}",
            field=field,
        )
    return value


def _near_split(dataset: Dataset, name: str, object: str | None) -> str:
    known = [*split_names(dataset, object), *([BIASED + object] if object else [])]
    every = [prefix + one for prefix in (BIASED, EDITED) for one in dataset.classes]
    return near_names(name, {*known, *difflib.get_close_matches(name, every, n=1)})


def biased_split(dataset: Dataset, object: str, context: str) -> Split:
    """Draw the groups from the annotations.

    ``OBJECT-without-CONTEXT`` holds the images with the object and without the context, and the
    right answer is yes; ``CONTEXT-without-OBJECT`` the other way round, and it is no. These two are
    bias-conflicting. Where the subset has such images, the bias-aligned groups
    ``OBJECT-with-CONTEXT`` and ``neither`` stand beside them. All come from ``test`` where the
    dataset has that subset, else from ``val``.

    Images of which nobody said whether they show the context are in no group. Only where all
    images of ``OBJECT-without-CONTEXT`` in ``test`` are such, they are taken to be chosen by hand,
    and the split's note says so.

    Raises:
        DataError: No such object or context, both are the same, or a group is empty.
    """
    dataset.check_pair(object, context)
    return _groups(dataset, BIASED + object, SplitRule(object, context))


def _groups(dataset: Dataset, name: str, rule: SplitRule) -> Split:
    object, context, subset = rule.object, rule.context, rule.subset
    notes = []
    if subset is None:
        subset = held_out(dataset)
        if subset == "val":
            notes.append("groups are drawn from 'val', as there is no subset 'test'")
    groups = groups_of(dataset, subset, rule)
    first, second, third, fourth = groups
    for group in (first, second):
        if not groups[group]:
            raise _empty_group(dataset, subset, group, object, context)
    notes += _unknown(dataset, subset, rule, groups)
    groups = {group: members for group, members in groups.items() if members}
    return Split(
        name=name,
        subset=subset,
        object=object,
        context=context,
        samples=tuple(sample for members in groups.values() for sample in members),
        groups=groups,
        answers={first: True, second: False, third: True, fourth: False},
        shown={first: False, second: True, third: True, fourth: False},
        note="; ".join(notes),
    )


def groups_of(dataset: Dataset, subset: str, rule: SplitRule) -> dict[str, tuple[Sample, ...]]:
    """Return the images of the four groups, the bias-conflicting ones first; some may be empty."""
    object, context = rule.object, rule.context
    names = {
        (True, 0.0): f"{object}-without-{context}",
        (False, 1.0): f"{context}-without-{object}",
        (True, 1.0): f"{object}-with-{context}",
        (False, 0.0): "neither",
    }
    found: dict[str, list[Sample]] = {name: [] for name in names.values()}
    unknown = []
    for sample in dataset.subset(subset):
        there = shows(sample, object, rule.object_area)
        if not there and shows(sample, object):
            continue  # too small to count as there, and not absent either
        known = _context_of(dataset, sample, rule)
        if (there, known) in names:
            found[names[there, known]].append(sample)
        elif there:
            unknown.append(sample)
    bare = names[True, 0.0]
    if subset == "test" and not found[bare]:
        found[bare] = unknown
    return {name: tuple(members) for name, members in found.items()}


def _context_of(dataset: Dataset, sample: Sample, rule: SplitRule) -> float:
    """Return 1 where the context is there, 0 where not, or less than asked for, NaN if unknown."""
    known = context_shown(sample, rule.context, dataset.classes)
    if known == 1.0 and not shows(sample, rule.context, rule.context_area):
        return 0.0
    return known


def _unknown(
    dataset: Dataset, subset: str, rule: SplitRule, groups: Mapping[str, tuple[Sample, ...]]
) -> list[str]:
    """Say how many images nobody annotated, and where they are taken in all the same."""
    nobody = {s.id for s in dataset.subset(subset) if math.isnan(_context_of(dataset, s, rule))}
    taken = {group: sum(s.id in nobody for s in found) for group, found in groups.items()}
    notes = [
        f"of none of the {n} images in '{group}' did anybody say whether they show "
        f"'{rule.context}': '{subset}' is taken to be chosen by hand"
        for group, n in taken.items()
        if n
    ]
    left = len(nobody) - sum(taken.values())
    if left:
        notes.append(
            f"{left} images of '{subset}' are in no group, as nobody said whether they show "
            f"'{rule.context}'"
        )
    return notes


def held_out(dataset: Dataset) -> str:
    """Return the subset that groups are drawn from where no other is named."""
    return "test" if "test" in dataset.subsets else "val"


def _empty_group(dataset: Dataset, subset: str, group: str, object: str, context: str) -> DataError:
    samples = dataset.subset(subset)
    with_object = sum(shows(s, object) for s in samples)
    with_context = sum(shows(s, context) for s in samples)
    both = sum(shows(s, object) and shows(s, context) for s in samples)
    unknown = sum(math.isnan(context_shown(s, context, dataset.classes)) for s in samples)
    nobody = f", of {unknown} nobody said whether they show '{context}'" if unknown else ""
    edits = f", or measure {named_field('split', EDITED + object)}"
    return DataError(
        f"{dataset.root or dataset.name}: no image of subset '{subset}' is in group '{group}' "
        f"({with_object} of {len(samples)} show '{object}', {with_context} show '{context}', "
        f"{both} show both{nobody})",
        f"name another {named_field('context')}, or add such images to '{subset}'"
        + (edits if has_edited_split(dataset, object, context) else ""),
    )
