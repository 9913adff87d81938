"""Single images: what every run made of them, and the ones that the gallery shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from biasaudit.report.drawing.pictures import attention_uri, outline, photo_uri
from biasaudit.report.sections.quadrants import tables_of
from biasaudit.report.view import AuditView


@dataclass(frozen=True)
class Shot:
    """What one run made of one image.

    Attributes:
        label: The run.
        score: Raw score (logit) of the object.
        probability: Its sigmoid.
        decision: Whether the run says that the object is there.
        correct: Whether that is right.
        energy: Energy pointing game, or None.
        iou: Intersection over union, or None.
        quadrant: One of :data:`biasaudit.report.sections.quadrants.QUADRANTS`.
        layer: Attention as a data URI, or None.
        empty: Whether the attention map is zero everywhere.
    """

    label: str
    score: float
    probability: float
    decision: bool
    correct: bool
    energy: float | None
    iou: float | None
    quadrant: str
    layer: str | None = None
    empty: bool = False


@dataclass(frozen=True)
class Item:
    """One image of the audited split, with every run's answer.

    Attributes:
        number: Counts from 1; part of the anchor.
        shots: One a run, None where the run has no row for the image.
        photo: Thumbnail as a data URI, or None.
        size: Side of the thumbnail in px.
        border: The region's outline as an SVG path, "" where there is none.
    """

    number: int
    id: str
    group: str
    label: bool
    area_fraction: float | None
    shots: tuple[Shot | None, ...]
    photo: str | None = None
    size: int = 1
    border: str = ""

    @property
    def given(self) -> list[Shot]:
        """The runs' answers that exist."""
        return [shot for shot in self.shots if shot is not None]

    @property
    def right(self) -> float:
        """Mean probability that the runs give to the right answer, in [0, 1]."""
        chances = [s.probability if self.label else 1 - s.probability for s in self.given]
        return sum(chances) / len(chances)

    @property
    def overlap(self) -> float | None:
        """Mean energy pointing game of the runs that have one."""
        found = [shot.energy for shot in self.given if shot.energy is not None]
        return sum(found) / len(found) if found else None

    @property
    def disagreement(self) -> float:
        """Range of the runs' probabilities, in [0, 1]."""
        chances = [shot.probability for shot in self.given]
        return max(chances) - min(chances)

    @property
    def wrong(self) -> int:
        """How many runs are wrong about it."""
        return sum(not shot.correct for shot in self.given)


@dataclass(frozen=True)
class Images:
    """The single images of an audit.

    Attributes:
        gallery: The images with pictures, the worst of each image set first.
        listed: The images of the table: those of the gallery and more, up to a limit.
        total: How many images there are.
        pictured: How many of them have a picture.
    """

    gallery: tuple[Item, ...] = ()
    listed: tuple[Item, ...] = ()
    total: int = 0
    pictured: int = 0


def build_images(
    audit: AuditView,
    gallery_size: int,
    list_size: int,
    among: Collection[tuple[str, str]] | None = None,
) -> Images:
    """Collect the single images of an audit.

    Args:
        audit: The audit.
        gallery_size: How many images of each image set the gallery shows, the worst first.
        list_size: How many images the table lists at most.
        among: Group and id of the images to take; all where None.
    """
    tables = tables_of(audit)
    ranked = _rank([table for table in tables if table is not None])
    if among is not None:
        ranked = ranked[ranked.index.isin(list(among))]
    if ranked.empty:
        return Images()
    pictured = {
        name
        for column in audit.columns
        if column.audit.pictures is not None
        for name in column.audit.pictures.index
    }
    shown = _choose(ranked, pictured, gallery_size)
    rest = ranked[~ranked.index.isin(shown)].index[: max(0, list_size - len(shown))]
    labels = [column.label for column in audit.columns]
    bare = _items([*shown, *rest], tables, labels)
    gallery = _with_pictures(bare[: len(shown)], audit)
    with_picture = int(ranked.index.get_level_values("id").isin(pictured).sum())
    every = (*gallery, *bare[len(shown) :])
    return Images(tuple(gallery), every, len(ranked), with_picture)


def items_with_pictures(audit: AuditView, keys: Sequence[tuple[str, str]]) -> list[Item]:
    """Return single images with their pictures, in the order of their groups and ids.

    Args:
        audit: The audit.
        keys: Group and id of each.
    """
    labels = [column.label for column in audit.columns]
    return [
        item
        for item in _with_pictures(_items(keys, tables_of(audit), labels), audit)
        if item.photo is not None
    ]


def _rank(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one row an image, the worst first: wrong in most runs, then least probable."""
    if not tables:
        return pd.DataFrame()
    every = pd.concat([table.assign(wrong=~table["correct"]) for table in tables])
    grouped = every[["wrong", "right"]].groupby(level=["group", "id"], sort=True, observed=True)
    ranked = grouped.agg({"wrong": "sum", "right": "mean"})
    return ranked.sort_values(["wrong", "right"], ascending=[False, True], kind="stable")


def _choose(ranked: pd.DataFrame, pictured: set[str], size: int) -> list[tuple[str, str]]:
    """Return the worst images of each group that have a picture."""
    taken: dict[str, int] = {}
    chosen = []
    for group, name in ranked.index:
        if name in pictured and taken.get(group, 0) < size:
            taken[group] = taken.get(group, 0) + 1
            chosen.append((group, name))
    return chosen


def _items(
    keys: Sequence[tuple[str, str]],
    tables: Sequence[pd.DataFrame | None],
    labels: Sequence[str],
) -> list[Item]:
    wanted = pd.MultiIndex.from_tuples(list(keys), names=["group", "id"]) if keys else None
    if wanted is None:
        return []
    rows = [
        {} if table is None else table[table.index.isin(wanted)].to_dict("index")
        for table in tables
    ]
    return [_item(number, key, rows, labels) for number, key in enumerate(keys, 1)]


def _item(number: int, key: tuple[str, str], rows: Sequence[dict], labels: Sequence[str]) -> Item:
    found = [row.get(key) for row in rows]
    first = next(row for row in found if row is not None)
    shots = tuple(
        None if row is None else _shot(label, row) for label, row in zip(labels, found, strict=True)
    )
    area = _number(first["area_fraction"])
    return Item(number, key[1], key[0], bool(first["label"]), area, shots)


def _shot(label: str, row: dict) -> Shot:
    return Shot(
        label,
        float(row["score"]),
        float(row["probability"]),
        bool(row["decision"]),
        bool(row["correct"]),
        _number(row["energy_pointing_game"]),
        _number(row["iou"]),
        row["quadrant"],
    )


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _with_pictures(items: Sequence[Item], audit: AuditView) -> list[Item]:
    """Add photographs, outlines and attention layers; a photograph is read once."""
    photos: dict[str, tuple[str, int, str]] = {}
    layers: list[dict[str, str]] = []
    for column in audit.columns:
        pictures = column.audit.pictures
        own = [item.id for item in items if pictures and item.id in pictures.index]
        layers.append({})
        if pictures is None or not own:
            continue
        maps = pictures.maps([pictures.index[name] for name in own])
        layers[-1] = {
            name: attention_uri(one) if one.any() else ""
            for name, one in zip(own, maps, strict=True)
        }
        new = [name for name in own if name not in photos]
        if new:
            rows = [pictures.index[name] for name in new]
            images = pictures.images(rows)
            regions = pictures.regions(rows, images.shape[2])
            for name, image, region in zip(new, images, regions, strict=True):
                photos[name] = (photo_uri(image), image.shape[0], outline(region))
    return [_pictured(item, photos.get(item.id), layers) for item in items]


def _pictured(
    item: Item, photo: tuple[str, int, str] | None, layers: Sequence[dict[str, str]]
) -> Item:
    if photo is None:
        return item
    found = [layer.get(item.id) for layer in layers]
    shots = tuple(
        None if shot is None else replace(shot, layer=layer or None, empty=layer == "")
        for shot, layer in zip(item.shots, found, strict=True)
    )
    return replace(item, photo=photo[0], size=photo[1], border=photo[2], shots=shots)
