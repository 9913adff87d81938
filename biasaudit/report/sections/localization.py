"""Where the attention lies, by group or pool: the rows of the report's overlap table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from biasaudit.report.format import NAME_LENGTH, Estimate, clean
from biasaudit.report.view import VAL, AuditView, Column, first, group_words
from biasaudit.results import Localization


@dataclass(frozen=True)
class LocalizationRow:
    """Where the attention lies in one group.

    Attributes:
        name: The group, or the split.
        energy: Energy pointing game of each run.
        iou: Intersection over union of each run.
        area_fraction: The region's share of the image: what a uniform map would score.
        metrics: A plug-in's metrics by name, of each run.
        of: Images that could have a map; each run's own count is ``n`` of its energy. None where
            that is not known.
        context: Energy on the context of each run.
        context_area: The context's share of the image.
    """

    name: str
    energy: tuple[Estimate, ...]
    iou: tuple[Estimate, ...]
    area_fraction: float | None
    metrics: Mapping[str, tuple[Estimate, ...]] = field(default_factory=dict)
    of: int | None = None
    context: tuple[Estimate, ...] = ()
    context_area: float | None = None

    @property
    def has_context(self) -> bool:
        """Whether some run's attention on the context was measured."""
        return any(entry.value is not None for entry in self.context)

    def counted(self, place: int) -> str:
        """Return on how many images a run's figure rests, "7 of 16"."""
        n = self.energy[place].n or (self.context[place].n if self.context else 0)
        return str(n) if self.of is None else f"{n} of {self.of}"


def localization(audit: AuditView) -> list[LocalizationRow]:
    """Return the attention overlap of val and of each group or pool that has any."""
    sources = [
        (words, [_attention(c, split, group) for c in audit.columns])
        for words, split, group in _places(audit)
    ]
    names = list(
        dict.fromkeys(name for _, found in sources for a in found if a for name in a.metrics)
    )
    sizes = [_images(audit, split, group) for _, split, group in _places(audit)]
    return [
        _localization_row(words, found, names, size)
        for (words, found), size in zip(sources, sizes, strict=True)
        if any(found)
    ]


def _images(audit: AuditView, name: str, group: str | None) -> int | None:
    """Return how many images of a group or split there are that could have a map."""
    if group is not None:
        splits = [AuditView.split_of(column, name) for column in audit.columns]
        return first(s.groups[group].n for s in splits if s is not None and group in s.groups)
    tables = [column.audit.per_image for column in audit.columns]
    table = first(table for table in tables if table is not None)
    return None if table is None else int(table.query("split == @name")["area_fraction"].count())


def _places(audit: AuditView) -> list[tuple[str, str, str | None]]:
    places: list[tuple[str, str, str | None]] = [(VAL, VAL, None)]
    if audit.split is not None:
        places += [(group_words(group), audit.split, group) for group in audit.groups]
    return places + [(clean(name, NAME_LENGTH), name, None) for name in audit.pools]


def _attention(column: Column, name: str, group: str | None) -> Localization | None:
    split = AuditView.split_of(column, name)
    if split is None or (group is not None and group not in split.groups):
        return None
    attention = split.overall.attention if group is None else split.groups[group].attention
    return attention if attention.n_valid or attention.context_n else None


def _localization_row(
    name: str, found: Sequence[Localization | None], metrics: Sequence[str], of: int | None
) -> LocalizationRow:
    def each(estimate: Callable[[Localization], Estimate]) -> tuple[Estimate, ...]:
        return tuple(Estimate(None) if a is None else estimate(a) for a in found)

    return LocalizationRow(
        name,
        each(lambda a: Estimate.of(a.energy_pointing_game, a.energy_pointing_game_ci, a.n_valid)),
        each(lambda a: Estimate.of(a.iou, a.iou_ci, a.n_valid)),
        first(a.area_fraction for a in found if a is not None),
        {clean(metric, NAME_LENGTH): _metric(metric, found) for metric in metrics},
        of,
        each(lambda a: Estimate.of(a.context_energy, a.context_energy_ci, a.context_n)),
        first(a.context_area for a in found if a is not None),
    )


def _metric(name: str, found: Sequence[Localization | None]) -> tuple[Estimate, ...]:
    means = [a.metrics.get(name) if a is not None else None for a in found]
    return tuple(Estimate.of(m.mean, m.mean_ci, m.n) if m else Estimate(None) for m in means)
