"""A protocol with its images and its trainings, checked before the first of them begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, named_field
from biasaudit.reproduce.images import (
    USUAL,
    check_images,
    check_recorded,
    images_of,
    told_of_images,
)
from biasaudit.reproduce.paper import BACKBONE, PROTOCOLS, Protocol, Row, Setting
from biasaudit.reproduce.plan import Changes, Job, plan_jobs, settings_of, told_of_labels
from biasaudit.reproduce.table import Reproduction, lines_of
from biasaudit.reproduce.work import Measured, check_begun
from biasaudit.training.run_directory import try_out

_OPTIONS = "data.options"


@dataclass(frozen=True)
class Prepared:
    """A protocol that can start.

    Attributes:
        name: Of the protocol.
        protocol: Which table.
        dataset: Its images.
        jobs: Its trainings, seed by seed; rows that spend the same labels share a folder.
        changes: What the user set.
        out: The folder of everything.
        split: Where Table 4 is measured; ``biased-boat`` where None.
    """

    name: str
    protocol: Protocol
    dataset: Dataset
    jobs: list[Job]
    changes: Mapping[str, Any]
    out: Path
    split: str | None

    @property
    def backbone(self) -> str:
        """Of every training."""
        return str(self.jobs[0].plan.settings.model.backbone)

    @property
    def metric(self) -> str:
        """The first metric of the table; of a segmentation the only one."""
        return next(iter(self.protocol.metrics))

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The protocol's own, each with its source."""
        return settings_of(self.protocol, self.backbone)

    @property
    def notes(self) -> tuple[str, ...]:
        """What differs from the paper, a line each."""
        other = f"the backbone is {self.backbone}, by its own recipe, not {BACKBONE}"
        return (
            *self.protocol.differs,
            *([other] if self.backbone != BACKBONE else []),
            *told_of_images(self.protocol, self.dataset),
            *told_of_labels(self.jobs),
        )

    def table(self, done: Mapping[Path, Mapping[str, Measured]]) -> Reproduction:
        """Return the table as far as its trainings are done.

        Args:
            done: Figures by the folder of the run.
        """
        rows: list[tuple[Row, int, dict[int, Mapping[str, Measured]]]] = []
        for row in self.protocol.rows:
            own = [job for job in self.jobs if job.row == row]
            by_seed = {job.seed: done[job.folder] for job in own if job.folder in done}
            rows.append((row, own[0].pixel_labels, by_seed))
        return Reproduction(
            name=self.name,
            protocol=self.protocol,
            lines=lines_of(self.protocol, rows),
            settings=self.settings,
            changes=self.changes,
            notes=self.notes,
            dataset=self.dataset.name,
        )


def prepared(
    name: str,
    data: Dataset | str | Path | None,
    out: Path,
    seeds: tuple[int, ...],
    split: str | None,
    changes: Mapping[str, Any],
) -> Prepared:
    """Read and check everything that a protocol needs; see :func:`biasaudit.reproduce`.

    Raises:
        BiasAuditError: Anything asked for does not exist or does not fit, or the folder holds
            another training.
    """
    protocol = PROTOCOLS[name]
    if split is not None and protocol.task == "segmentation":
        raise ConfigError(
            f"{named_field('split', split)}: {name} is measured on val", "leave it out"
        )
    try_out(out)
    given = {key: value for key, value in changes.items() if value is not None}
    wanted = Changes.of(given)
    dataset, training = _dataset(protocol, data, wanted.training)
    check_images(protocol, dataset, split)
    jobs = plan_jobs(protocol, dataset, seeds, Changes(training, wanted.segment), out)
    check_recorded(out / protocol.task, dataset)
    for job in jobs:
        check_begun(job)
    return Prepared(name, protocol, dataset, jobs, given, out, split)


def _dataset(
    protocol: Protocol, data: Dataset | str | Path | None, changes: Mapping[str, Any]
) -> tuple[Dataset, dict[str, Any]]:
    """Return the images, and the settings without those that say how they are read."""
    options = dict(changes.get(_OPTIONS) or {})
    options |= {
        key.removeprefix(f"{_OPTIONS}."): value
        for key, value in changes.items()
        if key.startswith(f"{_OPTIONS}.")
    }
    rest = {key: value for key, value in changes.items() if not key.startswith(_OPTIONS)}
    if not isinstance(data, Dataset):
        on_error = str(changes.get("data.on_error") or "stop")
        return images_of(protocol, str(data or USUAL), options, on_error), rest
    for key, value in options.items():
        raise ConfigError(
            f"{named_field(f'{_OPTIONS}.{key}', value)}: the dataset is read already",
            "give the option to load_dataset",
        )
    return data, rest
