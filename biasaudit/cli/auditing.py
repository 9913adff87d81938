"""One run's audit from its directory to its results, as ``evaluate`` and ``demo`` need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from biasaudit.cli.console import err
from biasaudit.cli.progress import progress_bar
from biasaudit.config import DataSettings
from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import BIASED, EDITED, Dataset
from biasaudit.data.splits.resolve import named_object, usual_splits
from biasaudit.data.splits.split import Split as SplitSpec
from biasaudit.errors import ConfigError, near_names
from biasaudit.evaluation.all_pairs import SMALLEST_GROUP, audit_pairs, images_of
from biasaudit.evaluation.audit import Audit, audit, plan_splits
from biasaudit.evaluation.faithfulness import measure_faithfulness
from biasaudit.evaluation.maps import MAPS_FILE, write_maps
from biasaudit.evaluation.operating_point import FITTED_ON
from biasaudit.evaluation.predict import Subject
from biasaudit.models.external import ExternalModel, load_external
from biasaudit.results import (
    GALLERY_FILE,
    PAIRS_FILE,
    PER_IMAGE_FILE,
    RESULTS_FILE,
    Results,
    Run,
    write_atomic,
    write_per_image,
)
from biasaudit.training.device import make_accelerator
from biasaudit.training.run_directory import RunRecord, environment, read_run


@dataclass(frozen=True)
class AuditRequest:
    """What a user asks of an audit; None where the run decides.

    Attributes:
        splits: Split names; ``val`` is added, and where none is named, ``biased-OBJECT``, or the
            test subsets of a dataset without context.
        data: Dataset to audit on.
        object: Object to audit.
        context: Its suspected context.
        device: Where to compute.
        batch_size: Images a pass.
        workers: Processes that load images.
        cache: Where decoded images stay, as the settings have it.
        faithfulness: Whether to erase what the attention marks.
        all_pairs: Whether to audit every other object-context pair too.
        maps: Whether to keep the attention map of every image.
    """

    splits: tuple[str, ...] = ()
    data: str | None = None
    object: str | None = None
    context: str | None = None
    device: str | None = None
    batch_size: int | None = None
    workers: int | None = None
    cache: str | None = None
    faithfulness: bool = False
    all_pairs: bool = False
    maps: bool = False


@dataclass(frozen=True)
class _Case:
    """One model on one dataset, and what results.json says of it beside the figures."""

    subject: Subject
    dataset: Dataset
    object: str
    context: str | None
    about: Mapping[str, Any]


def audit_run(path: Path, request: AuditRequest, target: Path) -> Results:
    """Audit one run and write its results to ``target``.

    Raises:
        BiasAuditError: The run, the dataset or a split cannot be used.
    """
    run = read_run(path)
    data = run.settings.data
    dataset = load_dataset(request.data or data.name, {} if request.data else data.options)
    object_ = request.object or _object_of(request.splits, dataset) or str(data.object)
    context = request.context or (data.context if object_ == data.object else None)
    _check_class(f"--run {path}", run.classes, object_)
    return _audit(
        _Case(_subject(run, request), dataset, object_, context, _of(run)), request, target
    )


def audit_external(external: ExternalModel, request: AuditRequest, target: Path) -> Results:
    """Audit a model that was trained elsewhere and write its results to ``target``.

    Raises:
        BiasAuditError: The model, the dataset or a split cannot be used.
    """
    dataset = load_dataset(request.data or "harbour")
    object_ = request.object or _object_of(request.splits, dataset) or dataset.object
    if object_ is None:
        raise ConfigError(
            f"{dataset.root}: names no object to audit",
            f"add --object, one of: {', '.join(dataset.classes)}",
        )
    context = request.context or (dataset.context if object_ == dataset.object else None)
    model, classes = load_external(external)
    err.print(f"note: attention layer: {model.layer}", markup=False, soft_wrap=True)
    _check_class("--classes", classes, object_)
    device = make_accelerator(request.device or "auto", "fp32").device
    subject = Subject(
        model.to(device),
        classes,
        external.image_size,
        device,
        request.batch_size or 32,
        request.workers or 0,
        DataSettings(cache=request.cache or "memory").cache_folder,
    )
    about = {
        "name": external.name,
        "mode": "external",
        "backbone": external.model,
        "device": device.type,
        "settings": {"external": {**_texts(external), "layer": model.layer}},
        "environment": environment(),
    }
    return _audit(_Case(subject, dataset, object_, context, about), request, target)


def _texts(external: ExternalModel) -> dict[str, Any]:
    return {key: str(v) if isinstance(v, Path) else v for key, v in asdict(external).items()}


def _audit(case: _Case, request: AuditRequest, target: Path) -> Results:
    names = request.splits or usual_splits(case.dataset, case.object, case.context)
    if not request.splits and names[0].startswith(EDITED):
        err.print(f"note: a group of {BIASED}{case.object} is empty: edited pairs instead")
    splits = plan_splits(case.dataset, ["val", *names], case.object, case.context)
    for split in splits:
        if split.note:
            err.print(f"note: {split.name}: {split.note}", markup=False, soft_wrap=True)
    context = next((split.context for split in splits if split.context), case.context)
    run = Run(object=case.object, context=context, dataset=case.dataset.name, **case.about)
    images = sum(len(split.samples) for split in splits)
    with progress_bar() as bar:
        task = bar.add_task(run.name, total=images)

        def tell(count: int) -> None:
            bar.advance(task, count)

        found = audit(case.subject, splits, tell, keep_maps=request.maps)
        if request.faithfulness:
            bar.update(task, description=f"{run.name}: erasing")
            found = _with_faithfulness(case, splits, context, found)
        pairs = None
        if request.all_pairs:
            bar.update(task, total=images + len(images_of(case.dataset)))
            pairs = audit_pairs(case.subject, case.dataset, (case.object, context), tell)
    run.splits = found.splits
    run.operating_point = _told_point(case, found)
    results = Results(runs=[run])
    _write(target, results, found, pairs)
    return results


def _told_point(case: _Case, found: Audit) -> dict[str, Any] | None:
    """Return the operating point of the audited object, and where it comes from."""
    if case.object not in found.operating_points:
        return None
    fitted = "evaluation" if case.subject.operating_points is None else "training"
    point = asdict(found.operating_points[case.object])
    return {"fitted_in": fitted, "subset": FITTED_ON, **point}


def _with_faithfulness(
    case: _Case, splits: Sequence[SplitSpec], context: str | None, found: Audit
) -> Audit:
    """Add what erasing shows to the figures, and its probabilities to the per-image rows."""
    figures, rows = dict(found.splits), []
    for split in splits:
        told = measure_faithfulness(case.subject, case.object, context, split.samples)
        if told is not None:
            added = {"faithfulness": told[0]}
            figures[split.name] = figures[split.name].model_copy(update=added)
            rows.append(told[1].assign(split=split.name))
    if not rows:
        return found
    table = found.per_image.merge(pd.concat(rows), on=["split", "id"], how="left")
    return replace(found, splits=figures, per_image=table)


def _object_of(splits: tuple[str, ...], dataset: Dataset) -> str | None:
    """Return the one object that the named splits ask for, None where they name none.

    Raises:
        ConfigError: They name several; one audit has one object.
    """
    named = {found for name in splits if (found := named_object(dataset, name))}
    if len(named) > 1:
        raise ConfigError(
            f"--split: asks for several objects ({', '.join(sorted(named))})",
            "evaluate once for each",
        )
    return named.pop() if named else None


def _check_class(option: str, classes: Sequence[str], object_: str) -> None:
    if object_ not in classes:
        raise ConfigError(
            f"{option}: the model knows no class '{object_}'", near_names(object_, classes)
        )


def _subject(run: RunRecord, request: AuditRequest) -> Subject:
    settings = run.settings
    device = make_accelerator(request.device or settings.training.device, "fp32").device
    return Subject(
        model=run.load_model().to(device),
        classes=run.classes,
        image_size=int(settings.data.image_size or 0),
        device=device,
        batch_size=request.batch_size or 64,
        workers=request.workers or 0,
        cache=DataSettings(cache=request.cache or settings.data.cache).cache_folder,
        operating_points=run.operating_points,
    )


def _of(run: RunRecord) -> dict[str, Any]:
    """Return what results.json says of a trained run."""
    labels = run.labels
    return {
        "name": run.name,
        "mode": run.settings.training.mode,
        "pixel_labels": labels.pixel_labels,
        "box_labels": labels.box_labels,
        "seed": run.settings.training.seed,
        "backbone": str(run.settings.model.backbone),
        "device": run.device,
        "labels_by_form": labels.counts_by_form(),
        "settings": run.settings.model_dump(mode="json"),
        "environment": run.environment,
    }


def _write(
    target: Path, results: Results, found: Audit, pairs: tuple[pd.DataFrame, int] | None
) -> None:
    target.mkdir(parents=True, exist_ok=True)
    # What an earlier audit left there would not belong to this one.
    for name in (GALLERY_FILE, MAPS_FILE, PAIRS_FILE):
        (target / name).unlink(missing_ok=True)
    write_per_image(found.per_image, target / PER_IMAGE_FILE)
    if found.gallery is not None:
        found.gallery.save(target / GALLERY_FILE)
    if found.maps is not None:
        write_maps(found.per_image, found.maps, target / MAPS_FILE)
    if pairs is not None:
        table, small = pairs
        write_per_image(table, target / PAIRS_FILE)
        told = f"note: {table['split'].nunique()} other object-context pairs audited"
        left = (
            f", {small} left out (fewer than {SMALLEST_GROUP} images in a group)" if small else ""
        )
        err.print(told + left, markup=False, soft_wrap=True)
    write_atomic(target / RESULTS_FILE, results.to_json().encode())
