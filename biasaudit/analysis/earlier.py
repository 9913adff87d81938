"""What a later audit of the same model adds to an earlier one, and what it replaces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.analysis.classes import class_answers
from biasaudit.analysis.faithfulness import PROBABILITY, erasure_columns
from biasaudit.analysis.figures import figures, questions_of
from biasaudit.errors import RunError
from biasaudit.results import (
    GALLERY_FILE,
    MAPS_FILE,
    METRIC_PREFIX,
    PER_IMAGE_COLUMNS,
    RESULTS_FILE,
    Audit,
    Gallery,
    Run,
    read_maps,
)

_ROW = ["split", "group", "id"]
_CLOSE = 1e-3
"""Scores of one model on one image differ by less, whatever the device and the batch size."""


@dataclass(frozen=True)
class Added:
    """A later audit with what stays of the earlier one.

    Attributes:
        audit: Both together.
        kept: What stays of the earlier one, as a user reads it ("edited-boat", "every other pair").
        replaced: One line on what the later audit took the place of; empty where nothing is lost.
    """

    audit: Audit
    kept: tuple[str, ...] = ()
    replaced: str = ""


def added_to(folder: Path, audit: Audit) -> Added:
    """Add an audit to what an earlier one left in a folder.

    The rows of both make the figures anew: the edited pairs of the one may decide the verdict on
    the groups of the other, and verdicts are corrected for the pairs of object and context of both.

    Args:
        folder: Where an earlier audit may lie.
        audit: The later one; what both measured is taken from it.

    Returns:
        The later audit as it is where the folder holds none, or one of another model, other data
        or another attention layer; ``replaced`` then says which.
    """
    if not (folder / RESULTS_FILE).is_file():
        return Added(audit)
    try:
        before = Audit.load(folder)
    except RunError as error:
        return Added(audit, replaced=f"what lay there could not be read ({error.message})")
    reason = _another(before, audit)
    if reason:
        named = ", ".join(before.run.splits)
        return Added(audit, replaced=f"{named} of {before.name}, measured {reason}")
    return _joined(folder, before, audit)


def _another(before: Audit, after: Audit) -> str:
    """Return why two audits cannot stand in one table; empty where they can."""
    if before.run.dataset != after.run.dataset:
        return f"on '{before.run.dataset}'"
    if _layer(before.run) != _layer(after.run):
        return "at another attention layer"
    if before.per_image is None or before.classes is None or after.classes is None:
        return "by an older version"
    pairs = before.classes.merge(after.classes, on=["subset", "id", "class"], how="outer")
    common = pairs.dropna(subset=["score_x", "score_y"])
    subsets = set(common["subset"])
    shared = set(before.classes["subset"]) & set(after.classes["subset"])
    if not subsets or shared - subsets or len(pairs[pairs["subset"].isin(shared)]) > len(common):
        return "on other images"
    same = np.allclose(common["score_x"], common["score_y"], rtol=_CLOSE, atol=_CLOSE)
    return "" if same else "with other weights, as the scores say"


def _layer(run: Run) -> object:
    return run.settings.get("external", {}).get("layer")


def _joined(folder: Path, before: Audit, after: Audit) -> Added:
    earlier, later = before.per_image, after.per_image
    if earlier is None or later is None:
        return Added(after)
    stays, lost = _splits_that_stay(before.run, after.run)
    rows = earlier[earlier["split"].isin(stays)]
    again = _measured_again(before.run, after.run)
    table, erased = _with_earlier_columns(later, earlier[earlier["split"].isin(again)])
    table = _in_order(pd.concat([table, rows], ignore_index=True) if len(rows) else table)
    run = _run_of(before, after, table, stays)
    kept = [*stays, *(f"faithfulness of {name}" for name in erased)]
    gallery, maps = _pictures(folder, after), _maps(folder, after, table, [*stays, *again])
    pairs = _by_first(after.pairs, before.pairs, "split")
    kept += ["every other pair"] if after.pairs is None and before.pairs is not None else []
    kept += ["maps"] if after.maps is None and maps is not None else []
    classes = _by_first(after.classes, before.classes, "subset")
    if classes is not None:
        run = run.model_copy(update={"classes": class_answers(classes)})
    audit = replace(
        after,
        run=run,
        per_image=table,
        pairs=pairs,
        gallery=gallery,
        pictures=None if gallery is None else gallery.pictures(),
        maps=maps,
        classes=classes,
    )
    return Added(audit, tuple(kept), _told(before.run, lost))


def _splits_that_stay(before: Run, after: Run) -> tuple[list[str], list[str]]:
    """Return the earlier splits that nothing takes the place of, and those that are lost."""
    same = (before.object, before.context) == (after.object, after.context)
    stays, lost = [], []
    for name, split in before.splits.items():
        if name in after.splits:
            new = after.splits[name]
            if (split.object, split.context) != (new.object, new.context) or not same:
                lost.append(name)
        elif same or split.groups:
            stays.append(name)
        else:
            lost.append(name)  # a pool's rows speak of the audit's object and context
    if not same:
        # a split with groups that was measured again on its own object and context loses nothing
        lost = [name for name in lost if not _equal(before, after, name)]
    return stays, lost


def _equal(before: Run, after: Run, name: str) -> bool:
    if name not in after.splits:
        return False
    old, new = before.splits[name], after.splits[name]
    return bool(old.groups) and (old.object, old.context) == (new.object, new.context)


def _measured_again(before: Run, after: Run) -> list[str]:
    """Return the splits that both measured, on the same object and context."""
    same = (before.object, before.context) == (after.object, after.context)
    return [
        name
        for name in after.splits
        if name in before.splits
        and (_equal(before, after, name) or (same and not before.splits[name].groups))
    ]


def _told(before: Run, lost: list[str]) -> str:
    if not lost:
        return ""
    about = before.object + (f" and {before.context}" if before.context else "")
    return f"{', '.join(lost)}, measured for {about}"


def _with_earlier_columns(
    later: pd.DataFrame, earlier: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Return the later rows with what only the earlier audit measured of the same images.

    Returns:
        The rows; and the splits whose faithfulness comes from the earlier audit.
    """
    columns = erasure_columns(earlier)
    if PROBABILITY not in columns or PROBABILITY in later:
        return later, []
    known = earlier.loc[earlier[PROBABILITY].notna(), [*_ROW, "score", *columns]]
    found = later.merge(known, on=_ROW, how="left", suffixes=("", "_before"), validate="1:1")
    close = np.isclose(found["score"], found["score_before"], rtol=_CLOSE, atol=_CLOSE)
    found.loc[~close, columns] = np.nan
    kept = found.loc[found[PROBABILITY].notna(), "split"].unique()
    return found.drop(columns="score_before"), [str(name) for name in kept]


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its columns in order: those of every audit, metrics, what was asked."""
    plugged = sorted(str(name) for name in table if str(name).startswith(METRIC_PREFIX))
    asked = [name for name in table if name not in (*PER_IMAGE_COLUMNS, *plugged)]
    return table[[*PER_IMAGE_COLUMNS, *plugged, *asked]]


def _run_of(before: Audit, after: Audit, table: pd.DataFrame, stays: list[str]) -> Run:
    questions = {one.split: one for one in questions_of(after.run)}
    for one in questions_of(before.run):
        if one.split in stays:
            questions[one.split] = one
    same = (before.run.object, before.run.context) == (after.run.object, after.run.context)
    first, second = (before.run, after.run) if same else (after.run, before.run)
    order = [name for name in (*first.splits, *second.splits) if name in questions]
    asked = [questions[name] for name in dict.fromkeys(order)]
    return after.run.model_copy(update={"splits": figures(table, asked, after.run.context)})


def _by_first(
    first: pd.DataFrame | None, second: pd.DataFrame | None, column: str
) -> pd.DataFrame | None:
    """Return the rows of the first table, and those of the second whose name it lacks."""
    if first is None or second is None:
        return second if first is None else first
    rest = second[~second[column].isin(set(first[column]))]
    return pd.concat([first, rest], ignore_index=True) if len(rest) else first


def _pictures(folder: Path, after: Audit) -> Gallery | None:
    """Return the later pictures, and the earlier ones of other images."""
    if after.gallery is None or not (folder / GALLERY_FILE).is_file():
        return after.gallery
    earlier = Gallery.load(folder / GALLERY_FILE)
    rest = ~np.isin(earlier.ids, after.gallery.ids)
    names = ("images", "maps", "regions")
    shapes = [[getattr(one, name).shape[1:] for name in names] for one in (earlier, after.gallery)]
    if not rest.any() or shapes[0] != shapes[1]:
        return after.gallery
    left = Gallery(earlier.ids[rest], *(getattr(earlier, name)[rest] for name in names))
    return Gallery.joined([after.gallery, left])


def _maps(
    folder: Path, after: Audit, table: pd.DataFrame, splits: list[str]
) -> NDArray[np.float32] | None:
    """Return the map of every row of the table, NaN where neither audit kept it."""
    file = folder / MAPS_FILE
    if not file.is_file():
        if after.maps is None or len(table) == len(after.maps):
            return after.maps
        earlier: dict[tuple[str, str, str], NDArray[np.float32]] = {}
    else:
        earlier = {key: one for key, one in read_maps(file).items() if key[0] in splits}
    own = {} if after.maps is None else dict(enumerate(after.maps))
    shapes = {one.shape for one in (*own.values(), *earlier.values())}
    if len(shapes) != 1:
        return after.maps if len(table) == len(own) else None
    maps = np.full((len(table), *shapes.pop()), np.nan, dtype=np.float32)
    for row, key in enumerate(table[_ROW].itertuples(index=False, name=None)):
        found = own.get(row, earlier.get(key))  # the later rows stand first
        if found is not None:
            maps[row] = found
    return maps
