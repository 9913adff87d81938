"""From a protocol, a dataset and seeds to the trainings that it takes, all planned before one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasaudit.config import (
    AUTO,
    SegmentSettings,
    Settings,
    load_settings,
    segment_settings,
    setting_named,
)
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, named_field
from biasaudit.inputs.files import is_file
from biasaudit.reproduce.images import masked
from biasaudit.reproduce.paper import BACKBONE, CONTEXT, OBJECT, VGG16, Protocol, Row, Setting
from biasaudit.results import SEGMENTER_FILE
from biasaudit.segmentation.network import recipe_of
from biasaudit.segmentation.segmenter import NETWORK, check_settings
from biasaudit.training.checkpoint import CHECKPOINT
from biasaudit.training.plan import Plan, check_start, make_plan
from biasaudit.training.run_directory import RUN, WEIGHTS

_FIXED = (
    *("data.name", "data.object", "data.context", "data.pixel_labels", "data.box_labels"),
    *("data.labels_by", "training.mode", "training.seed", "training.loss"),
)
"""What a protocol decides."""
_SEGMENT = "segment."


@dataclass(frozen=True)
class Changes:
    """What a user sets.

    Attributes:
        training: By dotted name.
        segment: Of :class:`biasaudit.config.SegmentSettings`.
    """

    training: Mapping[str, Any]
    segment: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Changes:
        """Sort settings.

        Args:
            given: By dotted name, or by the last part where that names one setting of a training.

        Raises:
            ConfigError: An unknown setting, or one that the protocol decides.
        """
        training, segment = {}, {}
        for key, value in given.items():
            if key.startswith(_SEGMENT):
                segment[key.removeprefix(_SEGMENT)] = value
                continue
            name = setting_named(key)
            if name in _FIXED:
                raise ConfigError(
                    f"{named_field(name, value)}: the protocol decides it", "leave it out"
                )
            training[name] = value
        segment_settings(segment)
        return cls(training, segment)


@dataclass(frozen=True)
class Job:
    """One training of a protocol, and where it stands.

    Attributes:
        row: Of the table.
        seed: Of everything that is drawn.
        plan: Of the classifier.
        folder: Of the run.
        segment: How its segmenter is trained; None where the classifier is measured itself.
    """

    row: Row
    seed: int
    plan: Plan
    folder: Path
    segment: SegmentSettings | None

    @property
    def segmenter_folder(self) -> Path:
        """The folder of its segmenter."""
        return self.folder.with_name(f"{self.folder.name}-segmenter")

    @property
    def pixel_labels(self) -> int:
        """Labelled images that it spends: those of the row, or all that there are."""
        return self.plan.labels.pixel_labels

    @property
    def state(self) -> str:
        """What lies there: ``trained``, ``run trained``, ``begun``, ``to do``, ``weights lost``."""
        if self.lost is not None:
            return "weights lost"
        if not is_file(self.folder / WEIGHTS):
            return "begun" if is_file(self.folder / CHECKPOINT) else "to do"
        whole = self.segment is None or is_file(self.segmenter_folder / NETWORK)
        return "trained" if whole else "run trained"

    @property
    def lost(self) -> Path | None:
        """The weights that its run or segmenter once had and lacks now; None where none is lost."""
        wholes = [(self.segmenter_folder / SEGMENTER_FILE, self.segmenter_folder / NETWORK)]
        if not is_file(self.folder / CHECKPOINT):  # a training that stopped has none yet
            wholes.insert(0, (self.folder / RUN, self.folder / WEIGHTS))
        lost = (weights for record, weights in wholes if is_file(record) and not is_file(weights))
        return next(lost, None)

    @property
    def steps(self) -> int:
        """Steps that the training of the classifier takes."""
        training = self.plan.settings.training
        images = len(self.plan.dataset.subset("train"))
        size = min(int(training.batch_size or 1), images)
        return int(training.epochs or 1) * (images // size)

    def to_dict(self) -> dict[str, Any]:
        """Return what a user is told of it before it is trained, as JSON takes it."""
        training = self.plan.settings.training
        return {
            "row": self.row.name,
            "mode": self.row.mode,
            "seed": self.seed,
            "pixel_labels": self.pixel_labels,
            "regions": len(self.plan.labels.entries),
            "epochs": training.epochs,
            "batch_size": training.batch_size,
            "steps": self.steps,
            "segmenter_steps": self.iterations,
            "state": self.state,
            "folder": str(self.folder),
        }

    @property
    def iterations(self) -> int | None:
        """Steps that the training of the segmenter takes."""
        if self.segment is None:
            return None
        usual = recipe_of(str(self.plan.settings.model.backbone))
        return self.segment.iterations or usual.iterations


def plan_jobs(
    protocol: Protocol, dataset: Dataset, seeds: Sequence[int], changes: Changes, out: Path
) -> list[Job]:
    """Plan every training of a protocol, seed by seed.

    Args:
        protocol: Which table.
        dataset: Its images, checked.
        seeds: One or more, each once.
        changes: What the user sets over the protocol's settings.
        out: The folder of all of them; each task has one in it.

    Raises:
        BiasAuditError: A seed, a setting, a device, a file of weights or a label that cannot be
            had.
    """
    _check_seeds(seeds)
    jobs = list(_jobs(protocol, dataset, seeds, changes, out / protocol.task))
    check_start(jobs[0].plan)  # all have one backbone, device and start
    for job in jobs:
        _check_segment(job)
    return jobs


def _jobs(
    protocol: Protocol, dataset: Dataset, seeds: Sequence[int], changes: Changes, folder: Path
) -> Iterator[Job]:
    objects = dataset.classes if protocol.task == "segmentation" else (OBJECT,)
    most = masked(dataset.subset("train"), objects)
    for seed in seeds:
        for row in protocol.rows:
            settings = _settings(protocol, dataset, changes, row, seed, min(row.pixel_labels, most))
            plan = make_plan(settings, dataset)
            if plan.seeks_batch_size:
                raise ConfigError(
                    f"{named_field('training.batch_size', AUTO)}: a reproduction states its steps",
                    f"give {named_field('training.batch_size', 'N')}",
                )
            yield Job(row, seed, plan, folder / plan.name, _segment(protocol, plan, changes))


def told_of_labels(jobs: Sequence[Job]) -> list[str]:
    """Return a line on each budget of labels that the dataset cannot fill."""
    short = {job.row.pixel_labels: job.pixel_labels for job in jobs}
    return [
        f"{asked:,} pixel labels asked for, {there:,} there and spent: not the paper's budget"
        for asked, there in short.items()
        if there < asked
    ]


def settings_of(protocol: Protocol, backbone: str) -> tuple[Setting, ...]:
    """Return the settings that a protocol has for a backbone, each with its source."""
    return (*protocol.settings, *(VGG16 if backbone == BACKBONE else ()))


def _settings(
    protocol: Protocol, dataset: Dataset, changes: Changes, row: Row, seed: int, labels: int
) -> Settings:
    backbone = str(changes.training.get("model.backbone") or BACKBONE)
    usual = {setting.key: setting.value for setting in settings_of(protocol, backbone)}
    pair = (
        {"data.object": OBJECT, "data.context": CONTEXT}
        if protocol.task == "classification"
        else {"data.object": dataset.object or dataset.classes[0]}
    )
    fixed = {
        "data.name": dataset.origin or None,
        "data.options": dict(dataset.options) or None,
        "data.pixel_labels": labels,
        "training.mode": row.mode,
        "training.seed": seed,
        **pair,
    }
    return load_settings(
        None, (), {"model.backbone": backbone, **usual, **changes.training} | fixed
    )


def _segment(protocol: Protocol, plan: Plan, changes: Changes) -> SegmentSettings | None:
    if protocol.task != "segmentation":
        return None
    return segment_settings({"device": plan.settings.training.device, **changes.segment})


def _check_segment(job: Job) -> None:
    """Refuse settings of a segmenter before the classifier that it comes after is trained."""
    if job.segment is None:
        return
    model = job.plan.settings.model
    check_settings(str(model.backbone), str(model.weights), job.segment)
    if job.segment.regions and not job.plan.labels.entries:
        raise ConfigError(
            f"segment.regions: {job.plan.name} is trained without pixel labels", "leave it out"
        )


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError(
            f"{named_field('seeds', ','.join(map(str, seeds)) or 'nothing')}: "
            "one seed or more, each once",
            "give for example 0,1,2",
        )
