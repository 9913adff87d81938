"""From a model, a dataset and a question to the case that an audit measures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from biasaudit import __version__
from biasaudit.config import DataSettings, TrainingSettings
from biasaudit.data.catalogue import dataset_of, load_dataset
from biasaudit.data.loading.skipping import told_skipped
from biasaudit.data.sample import BIASED, EDITED, Dataset, pairs_of
from biasaudit.data.splits.edited import has_edited_split
from biasaudit.data.splits.resolve import named_object, usual_splits
from biasaudit.errors import ConfigError, DataError, named_field, near_names
from biasaudit.evaluation.audit import VAL, Case, plan_pairs, plan_splits
from biasaudit.evaluation.predict import Subject
from biasaudit.models.digest import weights_digest
from biasaudit.models.external import LoadedModel
from biasaudit.training.device import make_accelerator
from biasaudit.training.run_directory import REPAIRED, WEIGHTS, RunRecord, environment
from biasaudit.training.run_records import told_of_repair

EXTERNAL = "external"
"""The mode of a model that was trained elsewhere."""
_LABELS = ("pixel_labels", "box_labels", "labels_by_form")


@dataclass(frozen=True)
class Question:
    """What is asked of a model; None and empty where the model or the dataset decides.

    Attributes:
        splits: Split names; ``val`` is added.
        object: The object to audit.
        context: Its suspected context.
        pairs: Several objects with their contexts, in place of object and context.
    """

    splits: tuple[str, ...] = ()
    object: str | None = None
    context: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Loading:
    """How images reach the model.

    Attributes:
        device: Where to compute; the run's own where None.
        batch_size: Images a pass.
        workers: Processes that load images.
        cache: Where decoded images stay.
        on_error: What is done about images of a run's own dataset that cannot be read; as in its
            training where None.
    """

    device: str | None = None
    batch_size: int | None = None
    workers: int = 0
    cache: str | None = None
    on_error: str | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise ConfigError(
                f"{named_field('training.batch_size', self.batch_size)}: a batch has an image or "
                "more"
            )
        _check_settings(TrainingSettings, "training", device=self.device, workers=self.workers)
        _check_settings(DataSettings, "data", cache=self.cache, on_error=self.on_error)


def _check_settings(
    section: type[DataSettings | TrainingSettings], name: str, **given: object
) -> None:
    """Hold values to what a section of the settings allows; None is passed over.

    Raises:
        ConfigError: One does not fit.
    """
    try:
        section.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        raise ConfigError(
            f"{named_field(f'{name}.{key}', given[key])}: "
            f"{first['msg'][0].lower()}{first['msg'][1:]}"
        ) from None


def case_of(
    model: RunRecord | LoadedModel,
    data: Dataset | None,
    question: Question,
    loading: Loading,
    note: Callable[[str], None],
) -> Case:
    """Return the case of a run or of an external model.

    Args:
        model: What is audited.
        data: On what; a run's own dataset, or the embedded scenes, where None.
        question: What is asked.
        loading: How images reach the model.
        note: Called with each line that a user should read.

    Raises:
        BiasAuditError: The dataset, the object, the context or a split does not exist or fit.
    """
    dataset = data or _own_dataset(model, loading.on_error)
    if dataset.skipped:
        note(told_skipped(dataset.skipped))
    pairs = question.pairs
    if not (pairs or question.splits or question.object or question.context):
        own = _own_object(model, data, dataset)
        pairs = dataset.pairs if own in [name for name, _ in dataset.pairs] else ()
    if pairs:
        question = replace(question, object=pairs[0][0], context=pairs[0][1])
    object_ = (
        question.object or _object_of(question.splits, dataset) or _own_object(model, data, dataset)
    )
    if object_ is None:
        raise ConfigError(
            f"{dataset.root}: names no object to audit",
            f"add {named_field('object')}, one of: {', '.join(dataset.classes)}",
            field="object",
        )
    context = question.context or _own_context(model, data, dataset, object_)
    for name in dict.fromkeys((object_, *(name for name, _ in pairs))):
        _check_known(model, name)
    if len(pairs) > 1:
        splits = _splits_of_pairs(dataset, question.splits, pairs, note)
    else:
        splits = _splits(dataset, question.splits, object_, context, note)
    subject, about = (
        _of_run(model, loading) if isinstance(model, RunRecord) else _of_external(model, loading)
    )
    about = {**about, **_identity(model, dataset)}
    trained_here = isinstance(model, RunRecord) and _same_data(model, dataset)
    return Case(subject, dataset, object_, context, splits, about, trained_here)


def subject_of_repair(
    model: RunRecord | LoadedModel, data: Dataset | None, object_: str | None
) -> tuple[Dataset, str]:
    """Return the dataset and the object of a repair.

    Raises:
        ConfigError: No object, one that the model does not know, or other classes than the
            model's.
    """
    dataset = data or _own_dataset(model)
    name = object_ or _own_object(model, data, dataset)
    if name is None:
        raise ConfigError(
            f"{dataset.root}: names no object to repair",
            f"add {named_field('object')}, one of: {', '.join(dataset.classes)}",
            field="object",
        )
    dataset.check_object(name)
    _check_known(model, name)
    return dataset, name


def _check_known(model: RunRecord | LoadedModel, name: str) -> None:
    if name not in model.classes:
        raise ConfigError(
            f"{model.name}: the model knows no class '{name}'", near_names(name, model.classes)
        )


def _splits(
    dataset: Dataset,
    asked: Sequence[str],
    object_: str,
    context: str | None,
    note: Callable[[str], None],
) -> list[Any]:
    names = tuple(asked) or usual_splits(dataset, object_, context)
    if not asked and names and names[0].startswith(EDITED):
        note(f"a group of {BIASED}{object_} is empty: edited pairs instead")
    splits = plan_splits(dataset, [*_val_of(dataset), *names], object_, context)
    if not splits:
        raise DataError(
            f"{dataset.root}: nothing to audit on: the dataset has training images alone",
            "add images of val or test",
        )
    natural = next((split for split in splits if split.name == BIASED + object_), None)
    if natural is not None and natural.context and len(natural.groups) < 4:
        edits = any(split.name.startswith(EDITED) for split in splits)
        if not edits and has_edited_split(dataset, object_, natural.context):
            note(
                f"{natural.name}: '{natural.subset}' has no bias-aligned images to compare with; "
                f"edited pairs may decide: add the split {EDITED}{object_}"
            )
    for split in splits:
        if split.note:
            note(f"{split.name}: {split.note}")
    return splits


def _splits_of_pairs(
    dataset: Dataset,
    asked: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    note: Callable[[str], None],
) -> list[Any]:
    for name in asked:
        if name not in dataset.subsets:
            raise ConfigError(
                f"{named_field('split', name)}: several objects or contexts have splits of their "
                "own",
                f"name a subset, or leave {named_field('split')} out",
            )
    object_, context = pairs[0]
    own = plan_splits(dataset, [*_val_of(dataset), *asked], object_, context)
    splits = own + plan_pairs(dataset, pairs)
    for split in splits:
        if split.note:
            note(f"{split.name}: {split.note}")
    note(f"{len(pairs)} pairs of object and context: intervals at 1 - .05 / {len(pairs)}")
    return splits


def _val_of(dataset: Dataset) -> list[str]:
    """Return what is always measured: ``val``, where the dataset has it."""
    return [VAL] if VAL in dataset.subsets else []


def _object_of(splits: Sequence[str], dataset: Dataset) -> str | None:
    """Return the one object that the named splits ask for, None where they name none.

    Raises:
        ConfigError: They name several; one audit has one object.
    """
    named = {found for name in splits if (found := named_object(dataset, name))}
    if len(named) > 1:
        raise ConfigError(
            f"{named_field('split')}: asks for several objects ({', '.join(sorted(named))})",
            "evaluate once for each",
        )
    return named.pop() if named else None


def _own_dataset(model: RunRecord | LoadedModel, on_error: str | None = None) -> Dataset:
    if isinstance(model, RunRecord):
        return dataset_of(model.settings.data, on_error)
    return load_dataset("harbour")


def _own_object(
    model: RunRecord | LoadedModel, data: Dataset | None, dataset: Dataset
) -> str | None:
    """Return the object of a dataset in hand, or else the one that the run was trained for."""
    if isinstance(model, RunRecord) and (data is None or data.object is None):
        return model.settings.data.object
    return dataset.object


def _own_context(
    model: RunRecord | LoadedModel, data: Dataset | None, dataset: Dataset, object_: str
) -> str | None:
    if isinstance(model, RunRecord) and (data is None or data.context is None):
        own = model.settings.data
        return own.context if object_ == own.object else None
    return dataset.context if object_ == dataset.object else None


def _same_data(run: RunRecord, dataset: Dataset) -> bool:
    own = run.settings.data
    return (own.name, dict(own.options)) == (dataset.origin, dict(dataset.options))


def _identity(model: RunRecord | LoadedModel, dataset: Dataset) -> dict[str, Any]:
    """Return what tells this audit from another: weights, dataset, day, version.

    ``SOURCE_DATE_EPOCH`` (seconds) stands for the day where it is set.
    """
    if isinstance(model, RunRecord):
        file = None if model.path is None else model.path / WEIGHTS
        digest = weights_digest(model.load_model(), file)
    else:
        # the state file of a repaired model may still be that of the model before
        file = None if model.repair is not None else model.external.state
        digest = weights_digest(model.network.body, file)
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(fixed), UTC) if fixed.isdigit() else datetime.now(UTC)
    return {
        "weights_sha256": digest,
        "data": dataset.origin or dataset.name,
        "audited_on": now.date().isoformat(),
        "audited_by": f"biasaudit {__version__}",
    }


def _of_run(run: RunRecord, loading: Loading) -> tuple[Subject, Mapping[str, Any]]:
    settings, labels = run.settings, run.labels
    device = make_accelerator(loading.device or settings.training.device, "fp32").device
    subject = Subject(
        model=run.load_model().to(device),
        classes=run.classes,
        image_size=int(settings.data.image_size or 0),
        device=device,
        batch_size=loading.batch_size or 64,
        workers=loading.workers,
        cache=DataSettings(cache=loading.cache or settings.data.cache).cache_folder,
        operating_points=run.operating_points,
    )
    about = {
        "name": run.name,
        "mode": run.mode,
        "pixel_labels": labels.pixel_labels,
        "box_labels": labels.box_labels,
        "seed": settings.training.seed,
        "backbone": str(settings.model.backbone),
        "device": run.device,
        "labels_by_form": labels.counts_by_form(),
        "settings": {**settings.model_dump(mode="json"), **told_of_repair(run.repair)},
        "environment": run.environment,
    }
    return subject, about


def _of_external(model: LoadedModel, loading: Loading) -> tuple[Subject, Mapping[str, Any]]:
    device = make_accelerator(loading.device or "auto", "fp32").device
    subject = Subject(
        model.network.to(device),
        model.classes,
        model.external.image_size,
        device,
        loading.batch_size or 32,
        loading.workers,
        DataSettings(cache=loading.cache or "memory").cache_folder,
    )
    said = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(model.external).items()
    }
    inferred = {
        "layer": model.network.layer,
        "scores": model.scores,
        "outputs": model.outputs,
        "scores_inferred": model.external.scores == "auto",
    }
    about = {
        "name": model.name,
        "mode": EXTERNAL + (REPAIRED if model.repair else ""),
        "backbone": model.external.model,
        "device": device.type,
        "settings": {"external": {**said, **inferred}, **told_of_repair(model.repair)},
        "environment": environment(),
    }
    if model.repair is not None:
        about |= {key: model.repair[key] for key in _LABELS}
    return subject, about


def several_pairs(
    model: RunRecord | LoadedModel,
    data: Dataset | None,
    objects: Sequence[str],
    contexts: Sequence[str],
) -> tuple[tuple[str, str], ...]:
    """Return each object with each context; the run's or the dataset's own where none is named.

    Raises:
        BiasAuditError: One is named twice, or the dataset knows it not, or one side has none.
    """
    dataset = data or _own_dataset(model)
    for field, names in (("object", objects), ("context", contexts)):
        twice = [name for name in names if list(names).count(name) > 1]
        if twice:
            raise ConfigError(f"{named_field(field, twice[0])}: named twice", "name each once")
    own = _own_object(model, data, dataset) or dataset.object
    usual = _own_context(model, data, dataset, own) if own else None
    named = list(objects) if objects else [name for name in (own,) if name]
    suspected = list(contexts) if contexts else [name for name in (usual,) if name]
    known = named, suspected
    for field, names in zip(("object", "context"), known, strict=True):
        if not names:
            raise ConfigError(f"{dataset.root}: names no {field} of its own", field=field)
    pairs = pairs_of(*known)
    for name, context in pairs:
        dataset.check_object(name)
        dataset.check_context(context)
    return pairs
