"""Splits by name: a subset as one pool, or counterfactual groups.

Groups come from annotations (``biased-OBJECT``), from edited pairs (``edited-OBJECT``), or from two
folders of images that the dataset declares.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from biasaudit.data.sample import BIASED, EDITED, Dataset, Sample, SplitRule, shows
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
        groups = _members(dataset.subset(held_out(dataset)), SplitRule(object, suspected))
        edits = not all(groups.values()) and has_edited_split(dataset, object, suspected)
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
    known = [*dataset.subsets, *dataset.splits, *([BIASED + object] if object else [])]
    every = [prefix + one for prefix in (BIASED, EDITED) for one in dataset.classes]
    return near_names(name, {*known, *difflib.get_close_matches(name, every, n=1)})


def biased_split(dataset: Dataset, object: str, context: str) -> Split:
    """Draw the two counterfactual groups from the annotations.

    ``OBJECT-without-CONTEXT`` holds the images with the object and without the context, and the
    right answer is yes; ``CONTEXT-without-OBJECT`` the other way round, and it is no. They come
    from ``test`` where the dataset has that subset, else from ``val``.

    Raises:
        DataError: No such object or context, both are the same, or a group is empty.
    """
    dataset.check_object(object)
    dataset.check_context(context)
    if object == context:
        raise DataError(
            f"{named_field('object')} and {named_field('context')} are both '{object}'",
            "name another context",
            field="context",
        )
    return _groups(dataset, BIASED + object, SplitRule(object, context))


def _groups(dataset: Dataset, name: str, rule: SplitRule) -> Split:
    object, context, subset, note = rule.object, rule.context, rule.subset, ""
    if subset is None:
        subset = held_out(dataset)
        if subset == "val":
            note = "groups are drawn from 'val', as there is no subset 'test'"
    groups = _members(dataset.subset(subset), rule)
    for group, members in groups.items():
        if not members:
            raise _empty_group(dataset, subset, group, object, context)
    first, second = groups
    return Split(
        name=name,
        subset=subset,
        object=object,
        context=context,
        samples=groups[first] + groups[second],
        groups=groups,
        answers={first: True, second: False},
        note="; ".join(filter(None, (note, _bare(subset, first, groups[first], context)))),
    )


def _members(samples: Sequence[Sample], rule: SplitRule) -> dict[str, tuple[Sample, ...]]:
    """Return the images of the two groups; the right answer is yes in the first."""
    object, context = rule.object, rule.context
    return {
        f"{object}-without-{context}": tuple(
            s
            for s in samples
            if shows(s, object, rule.object_area) and not shows(s, context, rule.context_area)
        ),
        f"{context}-without-{object}": tuple(
            s for s in samples if shows(s, context, rule.context_area) and not shows(s, object)
        ),
    }


def held_out(dataset: Dataset) -> str:
    """Return the subset that groups are drawn from where no other is named."""
    return "test" if "test" in dataset.subsets else "val"


def _empty_group(dataset: Dataset, subset: str, group: str, object: str, context: str) -> DataError:
    samples = dataset.subset(subset)
    with_object = sum(shows(s, object) for s in samples)
    with_context = sum(shows(s, context) for s in samples)
    both = sum(shows(s, object) and shows(s, context) for s in samples)
    edits = f", or measure {named_field('split', EDITED + object)}"
    return DataError(
        f"{dataset.root or dataset.name}: no image of subset '{subset}' is in group '{group}' "
        f"({with_object} of {len(samples)} show '{object}', {with_context} show '{context}', "
        f"{both} show both)",
        f"name another {named_field('context')}, or add such images to '{subset}'"
        + (edits if has_edited_split(dataset, object, context) else ""),
    )


def _bare(subset: str, group: str, members: tuple[Sample, ...], context: str) -> str:
    """Say where 'without' may mean 'not annotated'; ``test`` is taken to be chosen by hand."""
    bare = sum(not sample.contexts for sample in members)
    if subset == "test" or not bare:
        return ""
    return (
        f"{bare} of {len(members)} images in '{group}' have no context annotated at all and may "
        f"show '{context}'"
    )
