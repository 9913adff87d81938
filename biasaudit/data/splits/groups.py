"""How many training images stand in each group of object and context."""

from __future__ import annotations

from biasaudit.data.sample import Dataset, context_shown
from biasaudit.data.splits.split import Split

TRAIN = "train"


def count_groups(dataset: Dataset, split: Split) -> dict[str, int]:
    """Return the number of training images of each group of a split.

    Args:
        dataset: Its subset ``train`` is counted.
        split: With groups named ``OBJECT-without-CONTEXT`` and the like.

    Returns:
        By group name; empty where a training image has no annotation of the context, or a group
        is made by editing and has no images of its own in training.
    """
    object, context = split.object, split.context
    if context is None or TRAIN not in dataset.subsets:
        return {}
    counts = {
        f"{object}-without-{context}": 0,
        f"{context}-without-{object}": 0,
        f"{object}-with-{context}": 0,
        "neither": 0,
    }
    names = dict(zip(((1, 0), (0, 1), (1, 1), (0, 0)), counts, strict=True))
    if not set(split.groups) <= set(counts):
        return {}
    for sample in dataset.subset(TRAIN):
        shown = context_shown(sample, context, dataset.classes)
        if shown not in (0.0, 1.0):
            return {}
        counts[names[int(object in sample.labels), int(shown)]] += 1
    return {name: counts[name] for name in split.groups}
