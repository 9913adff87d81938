"""One run's audit from its directory to its results, as ``evaluate`` and ``demo`` need it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from biasaudit.cli.console import err
from biasaudit.cli.progress import progress_bar
from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import Dataset
from biasaudit.data.splits import named_object, usual_splits
from biasaudit.errors import ConfigError, near_names
from biasaudit.evaluation.audit import Audit, audit, plan_splits
from biasaudit.evaluation.one_pass import Subject
from biasaudit.results import (
    GALLERY_FILE,
    PER_IMAGE_FILE,
    RESULTS_FILE,
    Results,
    Run,
    write_atomic,
    write_per_image,
)
from biasaudit.training.device import make_accelerator
from biasaudit.training.run_directory import RunRecord, read_run


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
    """

    splits: tuple[str, ...] = ()
    data: str | None = None
    object: str | None = None
    context: str | None = None
    device: str | None = None
    batch_size: int | None = None
    workers: int | None = None


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
    names = request.splits or usual_splits(dataset, object_, context)
    splits = plan_splits(dataset, ["val", *names], object_, context)
    _check_class(path, run, object_)
    for split in splits:
        if split.note:
            err.print(f"note: {split.name}: {split.note}", markup=False)
    subject = _subject(run, request)
    with progress_bar() as bar:
        task = bar.add_task(run.name, total=sum(len(split.samples) for split in splits))
        found = audit(subject, splits, tell=lambda n: bar.advance(task, n))
    context = next((split.context for split in splits if split.context), context)
    results = Results(runs=[_record(run, dataset, object_, context, found)])
    _write(target, results, found)
    return results


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


def _check_class(path: Path, run: RunRecord, object_: str) -> None:
    if object_ not in run.classes:
        raise ConfigError(
            f"--run {path}: the model knows no class '{object_}'", near_names(object_, run.classes)
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
    )


def _record(
    run: RunRecord, dataset: Dataset, object_: str, context: str | None, found: Audit
) -> Run:
    labels = run.labels
    return Run(
        name=run.name,
        mode=run.settings.training.mode,
        object=object_,
        context=context,
        pixel_labels=labels.pixel_labels,
        box_labels=labels.box_labels,
        seed=run.settings.training.seed,
        backbone=str(run.settings.model.backbone),
        dataset=dataset.name,
        device=run.device,
        labels_by_form=labels.counts_by_form(),
        settings=run.settings.model_dump(mode="json"),
        environment=run.environment,
        splits=found.splits,
    )


def _write(target: Path, results: Results, found: Audit) -> None:
    target.mkdir(parents=True, exist_ok=True)
    write_per_image(found.per_image, target / PER_IMAGE_FILE)
    if found.gallery is not None:
        found.gallery.save(target / GALLERY_FILE)
    write_atomic(target / RESULTS_FILE, results.to_json().encode())
