"""The classifier that a segmentation network comes after, and what both start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasaudit.config import DataSettings
from biasaudit.errors import ConfigError, RunError, named_field
from biasaudit.inputs.files import Source, digest_of_file
from biasaudit.models.backbones import BACKBONES
from biasaudit.models.digest import weights_digest
from biasaudit.models.external import LoadedModel
from biasaudit.training.run_directory import WEIGHTS, RunRecord


@dataclass(frozen=True)
class Origin:
    """What a segmentation network takes over from a classifier, its attention apart.

    Attributes:
        name: The classifier's.
        classes: In score order.
        backbone: A registered name.
        weights: Where its training started.
        frozen: How many first layers stay as they are.
        batch_norm: ``train`` or ``frozen``.
        seed: Of its training.
        about: What results say of it.
        cache: Where decoded images stay, as of ``data.cache``.
        on_error: What was done about images that cannot be read, as of ``data.on_error``.
        plugins: Modules that it was trained with.
    """

    name: str
    classes: tuple[str, ...]
    backbone: str
    weights: str
    frozen: int
    batch_norm: str
    seed: int
    about: Mapping[str, Any]
    cache: str = "memory"
    on_error: str = "stop"
    plugins: tuple[str, ...] = ()

    @property
    def cache_folder(self) -> Path | None:
        """The folder of decoded images, None where they stay in memory or nowhere."""
        return DataSettings(cache=self.cache).cache_folder


def origin_of(model: RunRecord | LoadedModel) -> Origin:
    """Return what a segmentation network takes over from a run or an external model.

    Raises:
        ConfigError: The network of an external model is no registered backbone.
    """
    return _of_run(model) if isinstance(model, RunRecord) else _of_external(model)


def _of_run(run: RunRecord) -> Origin:
    model, seed = run.settings.model, run.settings.training.seed
    return Origin(
        name=run.name,
        classes=run.classes,
        backbone=str(model.backbone),
        weights=model.weights or "none",
        frozen=int(model.frozen or 0),
        batch_norm=str(model.batch_norm or "train"),
        seed=seed,
        about={
            "name": run.name,
            "mode": run.mode,
            "pixel_labels": run.labels.pixel_labels,
            "box_labels": run.labels.box_labels,
            "seed": seed,
            "weights": run_digest(run),
        },
        cache=run.settings.data.cache,
        on_error=run.settings.data.on_error,
        plugins=tuple(run.settings.plugins),
    )


def run_digest(run: RunRecord) -> str:
    """Return the digest by which a run is told from another of its name."""
    if run.path is None:
        return weights_digest(run.load_model())
    return digest_of_file(Source(run.path / WEIGHTS, RunError))


def _of_external(model: LoadedModel) -> Origin:
    backbone = model.external.model
    if backbone not in BACKBONES:
        raise ConfigError(
            f"{model.name}: a segmentation network needs a registered backbone, and '{backbone}' "
            "is none",
            f"use {named_field('foregrounds', 'propagated')}; registered: {', '.join(BACKBONES)}",
            field="foregrounds",
        )
    usual = BACKBONES[backbone]
    return Origin(
        name=model.name,
        classes=model.classes,
        backbone=backbone,
        weights=usual.weights,
        frozen=usual.frozen,
        batch_norm=usual.batch_norm,
        seed=0,
        about={"name": model.name, "mode": "external"},
    )
