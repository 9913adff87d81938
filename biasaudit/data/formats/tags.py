"""Contexts that somebody tagged by hand: a table with one column a context, beside the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from biasaudit.data.checks.faults import ANNOTATION, Complain
from biasaudit.data.formats.table import read_table
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import DataError, near_names

IMAGE = "image"
BESIDE = ("subset", "labels")
"""Columns that help a person who tags, and say nothing here."""
YES = frozenset({"1", "1.0", "true", "yes", "y", "x"})
NO = frozenset({"0", "0.0", "false", "no", "n"})

Tags = Mapping[str, Mapping[str, bool]]
"""Whether each context is there, by image and context; what nobody tagged is not in it."""


def read_tags(file: Path, ids: Iterable[str], complain: Complain) -> tuple[Tags, list[str]]:
    """Read a table of tags.

    Args:
        file: CSV or Parquet: ``image`` (the sample's id) and one column a context; a cell is 1, yes
            or x, 0 or no, or empty where nobody looked.
        ids: Of the dataset's images.
        complain: Told of a row of no image, and of a cell that is neither yes nor no.

    Returns:
        The tags; and the contexts, in the order of their columns.

    Raises:
        DataError: The table cannot be read, or has no column of images.
    """
    table = read_table(file)
    table.need([IMAGE])
    contexts = [name for name in table.columns if name not in (IMAGE, *BESIDE)]
    known = set(ids)
    tags: dict[str, dict[str, bool]] = {}
    for row in table:
        id = row.text(IMAGE)
        if id not in known:
            hint = near_names(id, known) if len(known) < 50 else "see 'biasaudit data contexts'"
            complain(ANNOTATION, row.error(IMAGE, f"no image is called '{id}'", hint))
            continue
        tags[id] = {}
        for name in contexts:
            text = row.text(name).lower()
            if text in YES or text in NO:
                tags[id][name] = text in YES
            elif text:
                hint = "write 1 where it is there, 0 where not, nothing where nobody looked"
                complain(ANNOTATION, row.error(name, f"'{text}' is neither yes nor no", hint))
    return tags, contexts


def tagged(dataset: Dataset, tags: Tags, contexts: Sequence[str], file: Path) -> Dataset:
    """Return a dataset with what was tagged; a tag stands over what the annotations say.

    Raises:
        DataError: A context is called like an object class.
    """
    for name in contexts:
        if name in dataset.classes:
            raise DataError(
                f"{file}: column '{name}': an object class is called that already",
                "call the context otherwise",
            )
    every = (*dataset.contexts, *(name for name in contexts if name not in dataset.contexts))
    subsets = {
        subset: [_tagged(s, tags[s.id], dataset.contexts) if s.id in tags else s for s in samples]
        for subset, samples in dataset.subsets.items()
    }
    return replace(dataset, contexts=every, subsets=subsets)


def _tagged(sample: Sample, tags: Mapping[str, bool], contexts: Sequence[str]) -> Sample:
    there = {name for name, is_there in tags.items() if is_there}
    looked = sample.annotated
    if looked is None:
        looked = frozenset(contexts if sample.contexts else ())
    return replace(
        sample,
        contexts=(sample.contexts - set(tags)) | there,
        regions={k: v for k, v in sample.regions.items() if tags.get(k, True)},
        annotated=looked | set(tags),
    )
