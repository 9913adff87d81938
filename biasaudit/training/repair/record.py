"""A repaired model: its record, its run, its files."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from biasaudit.config import RepairSettings
from biasaudit.data.annotation.labels import LabelChoice, choose_labels
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, named_field
from biasaudit.inputs.files import is_file
from biasaudit.models.classifier import Classifier
from biasaudit.models.external import LoadedModel
from biasaudit.results import write_atomic, write_or_move, write_whole
from biasaudit.statistics import OperatingPoint, fit_operating_point
from biasaudit.training.repair.choose import BALANCES, DOSES, KEPT_DOSES, grid
from biasaudit.training.repair.edits import EditRecipe
from biasaudit.training.repair.engine import Repaired, RepairOptions, Tell, repair, replace_row
from biasaudit.training.repair.foregrounds import Finder
from biasaudit.training.run_directory import (
    REPAIR,
    REPAIRED,
    WEIGHTS,
    RunRecord,
    prepare,
)
from biasaudit.training.run_records import read_repair

VAL = "val"
KEPT = {"pasted": 0, "blurred": 0, "covered": 0, "inpainted": 0, "alone": 2}
"""The edits where images without the object have regions too."""


def repair_run(
    run: RunRecord,
    dataset: Dataset,
    object: str,
    settings: RepairSettings,
    tell: Tell,
    finder: Finder | None = None,
) -> RunRecord:
    """Repair a trained run; the run itself stays as it is.

    Args:
        run: What is repaired.
        dataset: The dataset that it was trained on.
        object: The audited class.
        settings: How.
        tell: As for :func:`biasaudit.training.repair.engine.repair`.
        finder: As for :func:`options_of`.

    Returns:
        A run in memory, called by the repaired one and the labels spent.

    Raises:
        BiasAuditError: Too few labels, no linear last layer, or no recipe that keeps val.
    """
    size = int(run.settings.data.image_size or 0)
    model = copy.deepcopy(run.load_model())
    labels = labels_for(dataset, object, settings, outlines=run.settings.data.outlines)
    _check(dataset, settings)
    options = options_of(settings, softmax=model.softmax, finder=finder)
    found = repair(model, dataset, object, labels, size, options, tell)
    replace_row(model, found.layer, found.column, found.after)
    source = str(run.path) if run.path is not None else run.name
    points = dict(run.operating_points or {})
    points[object] = _operating_point(model, dataset, object, size)
    spent = settings.pixel_labels + settings.box_labels
    return replace(
        run,
        path=None,
        name=f"{run.name}{REPAIRED.replace('+', '-')}{spent}",
        labels=labels,
        operating_points=points,
        metrics=(),
        model=model.eval(),
        repair=record_of(found, source, object, labels, settings),
    )


def repair_external(
    model: LoadedModel,
    dataset: Dataset,
    object: str,
    settings: RepairSettings,
    tell: Tell,
    finder: Finder | None = None,
) -> LoadedModel:
    """Repair a model that was trained elsewhere; the one given stays as it is.

    Arguments as for :func:`repair_run`.

    Returns:
        The repaired model in memory, with the record of the repair.

    Raises:
        BiasAuditError: As for :func:`repair_run`.
    """
    network = copy.deepcopy(model.network)
    labels = labels_for(dataset, object, settings, outlines=True)
    _check(dataset, settings)
    options = options_of(settings, softmax=network.softmax, finder=finder)
    size = model.external.image_size
    found = repair(network, _by_model(dataset, model), object, labels, size, options, tell)
    replace_row(network, found.layer, found.column, found.after)
    name = f"{model.name}{REPAIRED.replace('+', '-')}{settings.pixel_labels + settings.box_labels}"
    record = record_of(found, str(model.external.state or model.name), object, labels, settings)
    return replace(model, name=name, network=network.eval(), repair=record)


def save_external(model: LoadedModel, folder: Path) -> LoadedModel:
    """Write a repaired external model: its state dict under its own keys, and the record.

    The state dict loads into the network that the original came from.

    Raises:
        RunError: The folder holds something already, or cannot be written to.
        RunFailedError: It cannot take the whole model, which is in another folder then.
    """
    folder = prepare(folder)
    state = {
        key: value.detach().cpu().contiguous()
        for key, value in model.network.body.state_dict().items()
    }

    def write(draft: Path) -> None:
        write_atomic(draft / REPAIR, (json.dumps(model.repair, indent=2) + "\n").encode())
        write_atomic(draft / WEIGHTS, save(state))

    write_or_move(folder, model.name, partial(write_whole, write=write))
    return replace(model, external=replace(model.external, state=folder / WEIGHTS))


def read_external_repair(state: Path) -> tuple[str, dict[str, Any]] | None:
    """Return the name and the record of what :func:`save_external` wrote; None of other files.

    Args:
        state: A state-dict file.

    Raises:
        RunError: The record cannot be read.
    """
    file = state.parent / REPAIR
    if state.name != WEIGHTS or not is_file(file):
        return None
    return state.parent.name, read_repair(file)


def summary_of(record: Mapping[str, Any]) -> str:
    """Return what a repair did, in one line.

    Args:
        record: As :func:`record_of` makes it.
    """
    before, after = (record["val"][time]["accuracy"] for time in ("before", "after"))
    chosen, labels = record["chosen"], sum(record["labels_by_form"].values())
    contexts = ", ".join(record.get("context_labels", ()))
    found = record.get("foregrounds")
    sought = ""
    if found:
        used = "" if chosen["found"] else ", not used: they do not help"
        sought = (
            f"; {found['kept']} foregrounds found in {found['proposed']} images "
            f"(IoU {found['iou']:.2f} with labels held back{used})"
        )
    read = f", balance {chosen['balance']:g} by the labels of {contexts}" if contexts else ""
    return (
        f"val {before:.3f} → {after:.3f}, dose {chosen['dose']:g}, "
        f"strength {chosen['strength']:g}, {sum(record['edits'].values())} edits of {labels} "
        f"label{'s' * (labels != 1)}{read}{sought}"
    )


def labels_for(
    dataset: Dataset, object: str, settings: RepairSettings, *, outlines: bool
) -> LabelChoice:
    """Choose the labelled images of a repair, as a training with the same seed does."""
    return choose_labels(
        dataset.subset("train"),
        _region_classes(dataset, object, settings),
        settings.pixel_labels,
        settings.box_labels,
        settings.seed,
        outlines=outlines,
    )


def options_of(
    settings: RepairSettings, *, softmax: bool = False, finder: Finder | None = None
) -> RepairOptions:
    """Return the options of a repair from its settings.

    Args:
        settings: How.
        softmax: Whether the logits belong to exclusive classes.
        finder: What ``settings.foregrounds`` names, None for ``labelled``.

    Raises:
        ValueError: A finder is missing, or one too many.
    """
    if (finder is None) != (settings.foregrounds == "labelled"):
        raise ValueError(f"foregrounds '{settings.foregrounds}' with the finder {finder}")
    kept = len(settings.regions) > 0
    balances = BALANCES if settings.context_labels else (0.0,)
    return RepairOptions(
        max_val_loss=settings.max_val_loss,
        seed=settings.seed,
        folds=settings.folds,
        flip=settings.flip,
        edits=EditRecipe(**((KEPT if kept else {}) | settings.edits)),
        recipes=tuple(grid(doses=KEPT_DOSES if kept else DOSES, balances=balances)),
        refits=settings.refits,
        softmax=softmax,
        cache=settings.cache_folder,
        contexts=settings.context_labels,
        finder=finder,
    )


def _region_classes(dataset: Dataset, object: str, settings: RepairSettings) -> tuple[str, ...]:
    """Return the classes whose regions are the object.

    Raises:
        ConfigError: They leave the object out.
        DataError: One is unknown.
    """
    if not settings.regions:
        return (object,)
    for name in settings.regions:
        dataset.check_object(name)
    if object not in settings.regions:
        raise ConfigError(
            f"{named_field('regions', ','.join(settings.regions))}: '{object}' is not among them",
            f"name '{object}' too",
            field="regions",
        )
    return settings.regions


def _check(dataset: Dataset, settings: RepairSettings) -> None:
    """Refuse contexts that the dataset does not know, and foregrounds that cannot be found."""
    if settings.foregrounds != "labelled":
        named = named_field("foregrounds", settings.foregrounds)
        if settings.regions:
            raise ConfigError(
                f"{named}: images without the object have regions too, and edits keep their answer",
                f"leave {named_field('foregrounds')} or {named_field('regions')} out",
                field="foregrounds",
            )
        labels = settings.pixel_labels + settings.box_labels
        if labels < 2:
            raise ConfigError(
                f"{named}: with {labels} label{'s' * (labels != 1)} nothing says how good what is "
                "found is",
                "label two images or more",
                field="foregrounds",
            )
    for name in settings.context_labels:
        dataset.check_context(name)


def record_of(
    found: Repaired, source: str, object: str, labels: LabelChoice, settings: RepairSettings
) -> dict[str, Any]:
    """Return the record of a repair; JSON-ready.

    Args:
        found: What the repair found.
        source: The repaired model: a run's folder or name, or an external model's
            state-dict file or name.
        object: The audited class.
        labels: The labels that were spent.
        settings: How it was done.
    """
    return {
        "repaired": source,
        "object": object,
        "layer": found.layer,
        "row": found.column,
        "pixel_labels": labels.pixel_labels,
        "box_labels": labels.box_labels,
        "labels_by_form": labels.counts_by_form(),
        "regions": list(labels.objects),
        "context_labels": list(settings.context_labels),
        "edits": found.edits,
        **_foregrounds(found, settings),
        "val": {"before": asdict(found.val_before), "after": asdict(found.val_after)},
        "chosen": found.chosen.to_dict(),
        "candidates": [candidate.to_dict() for candidate in found.candidates],
        "before": {"weight": found.before.weight.tolist(), "bias": found.before.bias},
        "settings": settings.model_dump(mode="json"),
    }


def _foregrounds(found: Repaired, settings: RepairSettings) -> dict[str, Any]:
    if found.foregrounds is None:
        return {}
    told = {"kind": settings.foregrounds, **found.foregrounds.to_dict(), "edits": found.found_edits}
    return {"foregrounds": told}


def _by_model(dataset: Dataset, model: LoadedModel) -> Dataset:
    """Return the dataset with the model's classes in the model's order."""
    return replace(dataset, classes=model.classes)


@torch.no_grad()
def _operating_point(model: Classifier, dataset: Dataset, object: str, size: int) -> OperatingPoint:
    """Fit the operating point of the audited class again, on val."""
    samples = dataset.subset(VAL)
    images = SampleTensors(samples, dataset.classes, size, keep=False)
    column = dataset.class_index[object]
    device = next(model.parameters()).device
    scores = [
        float(model(images[i].image[None].to(device).float() / 255).scores[0, column])
        for i in range(len(samples))
    ]
    return fit_operating_point(scores, [int(object in sample.labels) for sample in samples])
