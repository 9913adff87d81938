"""The run directory: what a training leaves behind, and how it is found again.

::

    RUN/config.json           the resolved settings, a configuration file for another run
    RUN/run.json              its name, its classes in score order, its device
    RUN/environment.json      versions, machine, threads
    RUN/labels.json           which images gave their regions, and in what form
    RUN/metrics.csv           one row an epoch
    RUN/steps.csv             one row a step, where it was asked for; or RUN/tensorboard/
    RUN/operating_points.json temperature and threshold of each class, fitted on val at the end
    RUN/repair.json           of a repaired run: from which run, by which recipe
    RUN/weights.safetensors   the trained classifier; a folder without it is an unfinished run

and while it trains::

    RUN/training.lock          held by the process that trains
    RUN/checkpoint.safetensors the state to go on from
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import save

from biasaudit import processes
from biasaudit.config import Settings
from biasaudit.data.annotation.labels import LabelChoice
from biasaudit.errors import ConfigError, RunError, named_field, near_names
from biasaudit.inputs.documents import first_fault
from biasaudit.inputs.files import is_file, is_folder
from biasaudit.models.attention_modules import ATTENTION_MODULES, add_attention_module
from biasaudit.models.backbones import BACKBONES, state_of
from biasaudit.models.classifier import Classifier
from biasaudit.models.weights import misfit, read_state
from biasaudit.registry import load_plugins
from biasaudit.results import (
    RUN_WEIGHTS,
    SEGMENTER_FILE,
    try_folder,
    write_atomic,
    write_or_move,
    write_whole,
)
from biasaudit.statistics import OperatingPoint
from biasaudit.training.checkpoint import CHECKPOINT
from biasaudit.training.keeper import METRICS, metrics_bytes
from biasaudit.training.loop import EpochMetrics, Trained
from biasaudit.training.plan import Plan
from biasaudit.training.run_records import (
    read_labels,
    read_points,
    read_repair,
    read_run_file,
    read_table,
)

CONFIG, RUN, ENVIRONMENT, LABELS = "config.json", "run.json", "environment.json", "labels.json"
WEIGHTS = RUN_WEIGHTS
OPERATING_POINTS = "operating_points.json"
REPAIR = "repair.json"
REPAIRED = "+repair"
"""Ends the mode of a repaired run."""


@dataclass(frozen=True)
class RunRecord:
    """A finished run, as its directory tells it.

    Attributes:
        path: The directory.
        name: What tables call it: its folder's name, or mode, label budget and seed.
        settings: The resolved settings.
        labels: The labels that were spent.
        classes: Object classes in score order.
        device: Kind of device that trained it.
        environment: Versions and machine.
        operating_points: Of each class; None where nobody fitted any.
        metrics: One entry an epoch, of a run just trained.
        model: The classifier of a run just trained; a run that was read loads it when asked.
        repair: What a repair left on record; None for a run as it was trained.
    """

    path: Path | None
    name: str
    settings: Settings
    labels: LabelChoice
    classes: tuple[str, ...]
    device: str
    environment: dict[str, Any]
    operating_points: dict[str, OperatingPoint] | None = None
    metrics: tuple[EpochMetrics, ...] = ()
    model: Classifier | None = None
    repair: dict[str, Any] | None = None

    @property
    def mode(self) -> str:
        """What was done: the training's mode, loss, module and control, and the repair after it."""
        training, data = self.settings.training, self.settings.data
        parts = [training.mode]
        parts += ["softmax"] if training.loss == "softmax" else []
        parts += [module] if (module := self.settings.model.attention_module) else []
        parts += ["shuffled"] if data.regions == "shuffled" and self.labels.entries else []
        return "-".join(parts) + (REPAIRED if self.repair is not None else "")

    def __repr__(self) -> str:
        return f"RunRecord({self.name!r}, path={None if self.path is None else str(self.path)!r})"

    @classmethod
    def of(cls, plan: Plan, trained: Trained) -> RunRecord:
        """Return the record of a run just trained; no file of it exists yet."""
        return cls(
            path=None,
            name=plan.name,
            settings=plan.settings,
            labels=plan.labels,
            classes=plan.dataset.classes,
            device=trained.device,
            environment=environment(),
            operating_points=trained.operating_points,
            metrics=tuple(trained.metrics),
            model=trained.model,
        )

    @property
    def val_accuracy(self) -> float | None:
        """Of the audited object after the last epoch; None where that was not recorded."""
        return self.metrics[-1].val_accuracy if self.metrics else None

    def called(self, folder: Path) -> RunRecord:
        """Return the record under the name of the folder that it is to be written to."""
        own = folder.name  # of '.' and '..' the mode, labels and seed stay
        return replace(self, name=own if own not in ("", "..") else self.name)

    def save(self, folder: Path | str) -> RunRecord:
        """Write the run to a new or empty folder: all of it, or nothing.

        Returns:
            The record with its path.

        Raises:
            RunError: The folder holds something already, or cannot be written to.
            RunFailedError: It cannot take the whole run, which is in another folder then.
        """
        folder = prepare(Path(folder))
        whole = partial(write_whole, write=lambda draft: write_run(draft, self))
        write_or_move(folder, self.name, whole)
        return replace(self, path=folder)

    def load_model(self) -> Classifier:
        """Return the trained classifier, in evaluation mode.

        Raises:
            RunError: The weights cannot be read, or do not fit the settings.
        """
        if self.model is not None:
            return self.model
        if self.path is None:
            raise RunError(f"{self.name}: has neither weights nor a folder")
        model = BACKBONES[str(self.settings.model.backbone)].build(len(self.classes))
        model.softmax = self.settings.training.loss == "softmax"
        if self.settings.model.attention_module is not None:
            add_attention_module(model, self.settings.model.attention_module)
        hint = "train the run again"
        try:
            model.load_state_dict(read_state(self.path / WEIGHTS, RunError, hint))
        except RuntimeError as error:
            raise RunError(
                f"{self.path / WEIGHTS}: does not fit {CONFIG} ({misfit(error)})", hint
            ) from None
        return model.eval()


def environment() -> dict[str, Any]:
    """Return what may change a result besides the settings."""
    packages = ("biasaudit", "torch", "torchvision", "numpy", "accelerate")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in packages},
        "threads": torch.get_num_threads(),
        "processes": processes.count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def prepare(out: Path) -> Path:
    """Make sure that a run can be written to ``out``, before hours are spent on it; make nothing.

    Raises:
        RunError: It holds something already, or cannot be written.
    """
    if out.is_dir() and any(out.iterdir()):
        raise taken(out)
    try_out(out)
    return out


def check_one_place(out: object, parent: object) -> None:
    """Refuse a folder and one that gets a new folder, where both are named.

    Raises:
        ConfigError: Neither is None.
    """
    if out is not None and parent is not None:
        raise ConfigError(
            f"{named_field('out', out)} and {named_field('parent', parent)}: two places",
            "give one of them",
        )


def make_folder(out: Path) -> Path:
    """Make a folder, and those above it, unless it is there; try whether it can be written.

    Raises:
        RunError: It is a file, cannot be made, or cannot be written to.
    """
    try_out(out)
    out.mkdir(parents=True, exist_ok=True)
    return out


def taken(out: Path) -> RunError:
    """Return the error of a place that holds something already."""
    return RunError(f"{named_field('out', out)}: is not an empty folder", "name another one")


def try_out(out: Path) -> None:
    """Find out whether results can be written to a folder, there or not; make nothing.

    Raises:
        RunError: It is a file, cannot be made, or cannot be written to.
    """
    if out.is_file():
        raise taken(out)
    try_folder(out)


def unused(parent: Path, name: str) -> Path:
    """Return ``parent/name``, or the first of ``name-2``, ``name-3``, ... that does not exist."""
    candidate, number = parent / name, 2
    while candidate.exists():
        candidate, number = parent / f"{name}-{number}", number + 1
    return candidate


def write_settings(out: Path, settings: Settings) -> None:
    """Write the resolved settings of a run."""
    _write_json(out / CONFIG, settings.model_dump(mode="json"))


def write_run(out: Path, run: RunRecord) -> None:
    """Write a finished run; the weights come last, each file whole or not at all."""
    told = {"name": run.name, "classes": run.classes, "device": run.device}
    write_settings(out, run.settings)
    _write_json(out / RUN, told)
    _write_json(out / ENVIRONMENT, run.environment)
    _write_json(out / LABELS, run.labels.to_dict())
    write_atomic(out / METRICS, metrics_bytes([metrics.row() for metrics in run.metrics]))
    points = {name: asdict(point) for name, point in (run.operating_points or {}).items()}
    _write_json(out / OPERATING_POINTS, {"subset": "val", "classes": points})
    if run.repair is not None:
        _write_json(out / REPAIR, run.repair)
    write_atomic(out / WEIGHTS, save(state_of(run.load_model())))


def read_run(path: Path) -> RunRecord:
    """Read a run directory, and import the plug-ins that it was trained with.

    Raises:
        RunError: It is none, or an unfinished one.
        ConfigError: A plug-in cannot be imported.
    """
    if not is_folder(path):
        raise RunError(f"{named_field('run', path)}: no such folder", _others(path))
    if (path / CHECKPOINT).is_file() and not (path / WEIGHTS).is_file():
        raise RunError(
            f"{named_field('run', path)}: a training that stopped before its end",
            f"go on with it: biasaudit train {named_field('resume')} {named_field('out', path)}",
        )
    if is_file(path / SEGMENTER_FILE) and not is_file(path / CONFIG):
        raise RunError(
            f"{named_field('run', path)}: holds a segmenter, not a run",
            "'biasaudit segment evaluate', 'segment export' and 'report' take it",
        )
    for name in (CONFIG, RUN, ENVIRONMENT, LABELS, WEIGHTS):
        if not is_file(path / name):
            raise RunError(
                f"{named_field('run', path)}: not a finished run (it holds no {name})",
                "give a folder that 'biasaudit train' wrote",
            )
    run, settings = read_run_file(path / RUN), _read_settings(path / CONFIG)
    points, repair = path / OPERATING_POINTS, path / REPAIR
    record = RunRecord(
        path=path,
        name=run.name,
        settings=settings,
        labels=read_labels(path / LABELS),
        classes=run.classes,
        device=run.device,
        environment=read_table(path / ENVIRONMENT),
        operating_points=read_points(points) if is_file(points) else None,
        repair=read_repair(repair) if is_file(repair) else None,
    )
    load_plugins(settings.plugins, str(path / CONFIG))
    try:
        BACKBONES[str(settings.model.backbone)]
        if settings.model.attention_module is not None:
            ATTENTION_MODULES[settings.model.attention_module]
    except ConfigError as error:
        raise RunError(f"{path / CONFIG}: {error.message}", error.hint) from None
    return record


def _read_settings(file: Path) -> Settings:
    """Read the settings of a run; what a plan completes is there.

    Raises:
        RunError: They are none, or not complete.
    """
    try:
        settings = Settings.model_validate(read_table(file))
    except ValidationError as error:
        raise RunError(
            f"{file}: its records cannot be read ({first_fault(error)})", "train the run again"
        ) from None
    for name, value in (
        ("model.backbone", settings.model.backbone),
        ("data.image_size", settings.data.image_size),
    ):
        if value is None:
            raise RunError(f"{file}: its records cannot be read ({name} is missing)")
    return settings


def newest_run(parent: Path) -> Path:
    """Return the run under ``parent`` that was finished last.

    Raises:
        RunError: There is none.
    """
    found = (file for file in parent.glob(f"*/{WEIGHTS}") if is_file(file))
    weights = sorted(found, key=lambda file: file.stat().st_mtime_ns)
    if not weights:
        raise RunError(f"no run in {parent}/", "train one first: biasaudit train")
    return weights[-1].parent


def _others(path: Path) -> str:
    runs: Sequence[str] = [file.parent.name for file in path.parent.glob(f"*/{WEIGHTS}")]
    return near_names(path.name, runs) if runs else "give a folder that 'biasaudit train' wrote"


def _write_json(file: Path, content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    write_atomic(file, text.encode())
