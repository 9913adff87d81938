"""Splits of edited pairs: the counterfactual in the strict sense, one image changed in one thing.

They measure what ``biased-OBJECT`` cannot where its groups are empty, as those of cows without
grass are in most collections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from biasaudit.data.sample import Dataset, Sample, context_shown, shows
from biasaudit.data.splits.edited_samples import EDITS, edited
from biasaudit.data.splits.split import Split
from biasaudit.errors import ConfigError, DataError

GROUPS = ("removed", "on-other-ground")
"""The edits of ``edited-OBJECT``: the answer is no in the one, yes in the other."""
CONTROLS = ("on-context-ground", "patch-on-other-ground", "patch-on-context-ground")
"""Edits beside them, where grounds with the context allow: with ``on-other-ground`` they show the
object on grounds with and without the context, and no object likewise."""
LEAST_AREA, MOST_AREA = 0.005, 0.5
"""An object is edited if it covers at least and at most so much of its image: nobody sees a smaller
one, and of a larger one's surroundings too little is left to fill from."""


def edited_split(
    dataset: Dataset,
    name: str,
    object: str,
    context: str,
    kinds: Sequence[str] | None = None,
    seed: int = 0,
) -> Split:
    """Make the edited versions of every held-out image that shows the object in the context.

    Groups are called ``OBJECT-removed``, ``OBJECT-on-other-ground``; each edited image has its
    partner's id in ``pair``. Images come from every subset but ``train``, as do the grounds, which
    do not show the object, and the context as the edit has it. Versions of one image that are
    ``made`` in the same way take the same two grounds, and differ in the context alone: what the
    verdict compares.

    Args:
        dataset: Where the images come from.
        name: The split's name.
        object: The object.
        context: Its suspected context.
        kinds: Edits, a group each; :data:`GROUPS` where None, and :data:`CONTROLS` where there are
            grounds for them.
        seed: Chooses the grounds.

    Raises:
        DataError: No such object or context, no image to edit, or none to stand on.
        ConfigError: No such edit, or it needs OpenCV and there is none.
    """
    dataset.check_pair(object, context)
    sources = edit_sources(dataset, object, context)
    if not sources:
        raise _no_source(dataset, object, context)
    pictures = {shown: grounds(dataset, object, context, shown) for shown in (False, True)}
    chosen = (*GROUPS, *_controls(dataset, context, pictures)) if kinds is None else kinds
    groups: dict[str, tuple[Sample, ...]] = {}
    for kind in chosen:
        how = EDITS[kind]
        backdrops = pictures[how.shows_context] if how.ground else []
        if how.ground and not backdrops:
            raise _no_ground(dataset, object, context, how.shows_context)
        fit = [s for s in sources if not how.of_context or context in s.regions]
        if not fit:
            raise DataError(
                f"{dataset.root or dataset.name}: no image can have its '{context}' replaced: "
                f"none of the {len(sources)} has a region of it",
                f"take '{kind}' out of the split's edits",
            )
        made = (edited(s, kind, object, context, backdrops, seed) for s in fit)
        groups[f"{object}-{kind}"] = tuple(made)
    return Split(
        name=name,
        subset="+".join(_held_out(dataset)),
        object=object,
        context=context,
        samples=tuple(sample for group in groups.values() for sample in group),
        groups=groups,
        answers={f"{object}-{kind}": EDITS[kind].keeps_object for kind in chosen},
        shown={f"{object}-{kind}": EDITS[kind].shows_context for kind in chosen},
        controls=frozenset(f"{object}-{kind}" for kind in chosen if EDITS[kind].control),
        note=f"{len(sources)} images, edited: an edit leaves traces of its own",
    )


def _controls(
    dataset: Dataset, context: str, pictures: Mapping[bool, Sequence[Sample]]
) -> tuple[str, ...]:
    """Return the controls that can be made: the grounds must be known to differ in the context."""
    without = [context_shown(ground, context, dataset.classes) == 0 for ground in pictures[False]]
    return CONTROLS if pictures[True] and without and all(without) else ()


def edit_sources(dataset: Dataset, object: str, context: str) -> list[Sample]:
    """Return the held-out images that show the object in the context and have its pixel mask."""
    return [
        sample
        for subset in _held_out(dataset)
        for sample in dataset.subset(subset)
        if object in sample.labels
        and shows(sample, context)
        and object in sample.regions
        and sample.regions[object].form == "mask"
        and LEAST_AREA <= sample.regions[object].area_fraction <= MOST_AREA
    ]


def grounds(dataset: Dataset, object: str, context: str, shown: bool = False) -> list[Sample]:
    """Return the held-out images without the object, with the context or without.

    Without the context, these are images that are known not to show it; where there is none, those
    of which nobody said, which may show it all the same.

    Args:
        dataset: Where the images come from.
        object: The object.
        context: Its suspected context.
        shown: Whether the context is there.
    """
    found = [
        (sample, context_shown(sample, context, dataset.classes))
        for subset in _held_out(dataset)
        for sample in dataset.subset(subset)
        if not shows(sample, object)
    ]
    if shown:
        return [sample for sample, known in found if known == 1]
    known_to = [sample for sample, known in found if known == 0]
    return known_to or [sample for sample, known in found if known != 1]


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise ConfigError for an edit that there is not, or for no edit of one of the answers."""
    answers = {EDITS[kind].keeps_object for kind in kinds}
    if answers != {True, False}:
        raise ConfigError(
            f"edits {list(kinds)}: the right answer is the same in every group",
            "name one that keeps the object and one that does not",
        )


def has_edited_split(dataset: Dataset, object: str, context: str) -> bool:
    """Whether ``edited-OBJECT`` can be made."""
    return bool(edit_sources(dataset, object, context) and grounds(dataset, object, context))


def _held_out(dataset: Dataset) -> list[str]:
    return [subset for subset in dataset.subsets if subset != "train"]


def _no_ground(dataset: Dataset, object: str, context: str, shown: bool) -> DataError:
    if shown:
        return DataError(
            f"{dataset.root or dataset.name}: no held-out image shows '{context}' without "
            f"'{object}': none can be the ground of an edited one",
            "add such images to 'val'",
        )
    return DataError(
        f"{dataset.root or dataset.name}: every held-out image shows '{object}' or "
        f"'{context}': none can be the ground of an edited one",
        "add images of other grounds to 'val'",
    )


def _no_source(dataset: Dataset, object: str, context: str) -> DataError:
    held = [sample for subset in _held_out(dataset) for sample in dataset.subset(subset)]
    both = [s for s in held if object in s.labels and shows(s, context)]
    masks = sum(object in s.regions and s.regions[object].form == "mask" for s in both)
    return DataError(
        f"{dataset.root or dataset.name}: no held-out image can be edited ({len(both)} show "
        f"'{object}' with '{context}', {masks} of them with a pixel mask of '{object}')",
        f"add masks of '{object}' that cover {LEAST_AREA:.1%} to {MOST_AREA:.0%} of their image",
    )
