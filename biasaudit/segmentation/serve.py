"""From a run or a segmenter and a dataset to masks: what the public functions do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from biasaudit.config import segment_settings
from biasaudit.data.catalogue import checked_on_error, load_dataset
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import ConfigError, DataError, RunError, named_field
from biasaudit.inputs.files import lies_there
from biasaudit.models.digest import weights_digest
from biasaudit.models.external import LoadedModel
from biasaudit.results import add_segmentation, folder_beside, try_folder
from biasaudit.segmentation.cues import CueRule, cues_of
from biasaudit.segmentation.evaluate import SegmentationResult, evaluate_segmenter, figures_of
from biasaudit.segmentation.export import export_masks
from biasaudit.segmentation.metrics import LabelMap
from biasaudit.segmentation.origin import origin_of
from biasaudit.segmentation.segmenter import NETWORK, Regions, Segmenter, make_segmenter
from biasaudit.segmentation.subject import check_classes, subject_of_attention
from biasaudit.training.device import make_accelerator
from biasaudit.training.run_directory import RunRecord, prepare, unused

Count = Callable[[int, int], None]
_OF_CUES = ("threshold", "background")


@dataclass(frozen=True)
class Masks:
    """Label maps that are made as they are asked for.

    Attributes:
        dataset: Whose classes the values stand for, in the model's order.
        pairs: Gives each sample with its label map.
    """

    dataset: Dataset
    pairs: Callable[[], Iterator[tuple[Sample, LabelMap]]]

    def __iter__(self) -> Iterator[tuple[Sample, LabelMap]]:
        return self.pairs()


def cues_by_image(
    model: RunRecord | LoadedModel,
    data: Dataset | None,
    subset: str,
    device: str | None,
    settings: Mapping[str, Any],
    progress: Count | None,
) -> Masks:
    """Return the cues of a subset, at the images' own size.

    Raises:
        BiasAuditError: The model, the dataset or a setting cannot be used.
    """
    for name in settings:
        if name not in _OF_CUES:
            raise ConfigError(f"unknown setting '{name}'", f"known: {', '.join(_OF_CUES)}")
    chosen = segment_settings(settings)
    subject, dataset = subject_of_attention(model, data, device)
    samples = dataset.subset(subset)
    rule = CueRule(chosen.threshold, chosen.background)

    return Masks(
        _in_order(dataset, model.classes),
        lambda: _told(samples, cues_of(subject, samples, rule), progress),
    )


def masks_by_image(
    segmenter: Segmenter,
    data: Dataset | None,
    subset: str,
    device: str | None,
    crf: bool,
    progress: Count | None,
) -> Masks:
    """Return a segmenter's masks of a subset.

    Raises:
        BiasAuditError: The dataset or the device cannot be used.
    """
    dataset = _dataset(segmenter, data)
    samples = dataset.subset(subset)
    _place(segmenter, device)

    def masks() -> Iterator[LabelMap]:
        return (segmenter.mask(sample.load_image(), crf=crf) for sample in samples)

    return Masks(_in_order(dataset, segmenter.classes), lambda: _told(samples, masks(), progress))


def export_into(folder: Path, subset: str, masks: Masks) -> Path:
    """Write masks to a folder that does not hold this subset's yet; return the COCO file.

    Raises:
        RunError: It holds it, or cannot be written.
    """
    file = folder / f"{subset}.json"
    if lies_there(file):
        raise RunError(
            f"{named_field('out', folder)}: holds {file.name} already, which may be corrected",
            "name another folder",
        )
    try_folder(folder)
    return export_masks(folder, masks.dataset, subset, masks)


def evaluated(
    segmenter: Segmenter,
    data: Dataset | None,
    subset: str,
    device: str | None,
    progress: Count | None,
    *,
    crf: bool = True,
    save: bool = False,
) -> SegmentationResult:
    """Measure a segmenter; see :func:`biasaudit.evaluate_segmenter`.

    Args:
        segmenter: What is measured.
        data: Images with masks.
        subset: Which images.
        device: Where to compute.
        progress: Told of every image.
        crf: Whether to measure with the CRF too.
        save: Whether to leave the figures in its folder.
    """
    folder = folder_beside(segmenter.name, segmenter.path, "segmenter") if save else None
    dataset = _dataset(segmenter, data)
    samples = dataset.subset(subset)
    _place(segmenter, device)
    tell = progress or (lambda done, total: None)
    result = evaluate_segmenter(segmenter, samples, subset, crf=crf, tell=tell)
    if folder is not None:
        digest = weights_digest(segmenter.network, folder / NETWORK)
        made = figures_of(result, dataset.name, segmenter.classes, digest)
        add_segmentation(folder, made, result.examples)
    return result


def segmenter_into(
    run: RunRecord,
    data: Dataset | None,
    place: tuple[Path | None, Path | None],
    settings: Mapping[str, Any],
    progress: Callable[[int, int, float], None] | None,
) -> Segmenter:
    """Train a segmenter, and write it where a place is named.

    Args:
        run: Whose attention gives the cues.
        data: Its training images.
        place: The folder itself, or the one that gets a new one; both None keep it in memory.
        settings: See :class:`biasaudit.config.SegmentSettings`.
        progress: Told of every step.

    Raises:
        BiasAuditError: Anything asked for does not exist or does not fit, or the training fails.
    """
    if not isinstance(run, RunRecord):
        raise ConfigError(
            f"{run.name}: an external model, whose backbone is not known",
            "train a run, or export the cues of the model",
        )
    chosen = segment_settings(settings)
    out, parent = place
    if out is not None:
        prepare(out)
    elif parent is not None:
        try_folder(parent)
    subject, dataset = subject_of_attention(run, data, chosen.device)
    regions = _regions_of(run, dataset) if chosen.regions else {}
    tell = progress or (lambda *_: None)
    made = make_segmenter(origin_of(run), subject, dataset, chosen, regions, tell)
    if out is None and parent is not None:
        out = unused(parent, made.name)
    if out is None:
        return made
    own = out.name
    return replace(made, name=own if own not in ("", "..") else made.name).save(out)


def _regions_of(run: RunRecord, dataset: Dataset) -> Regions:
    """Return the regions that a run was trained or repaired with, by image.

    Raises:
        ConfigError: It has seen none.
        DataError: The training images lack one of them.
    """
    found = run.labels.by_image()
    if not found:
        raise ConfigError(
            f"{named_field('segment.regions')}: {run.name} was trained without pixel labels",
            "train or repair a run with some, or leave the regions out",
        )
    missing = sorted(set(found) - {sample.id for sample in dataset.subset("train")})
    if missing:
        raise DataError(
            f"{dataset.root or dataset.name}: no training image '{missing[0]}', whose region "
            f"{run.name} was trained with",
            "give the dataset of its training",
            field="data.name",
        )
    return found


def _dataset(segmenter: Segmenter, data: Dataset | None) -> Dataset:
    """Return the dataset in hand, or that of the training."""
    dataset = data or _own_dataset(segmenter)
    check_classes(segmenter.name, segmenter.classes, dataset)
    return dataset


def _own_dataset(segmenter: Segmenter) -> Dataset:
    own = segmenter.data
    if not own.get("name"):
        raise ConfigError(
            f"{segmenter.name}: was trained on a dataset that no name loads again",
            f"give one by {named_field('data.name')}",
            field="data.name",
        )
    on_error = checked_on_error(str(own.get("on_error") or "stop"))
    return load_dataset(str(own["name"]), own.get("options") or {}, on_error=on_error)


def _told(
    samples: Sequence[Sample], maps: Iterable[LabelMap], progress: Count | None
) -> Iterator[tuple[Sample, LabelMap]]:
    """Pair samples with their label maps, and tell how many are done."""
    for done, pair in enumerate(zip(samples, maps, strict=True), 1):
        yield pair
        if progress is not None:
            progress(done, len(samples))


def _place(segmenter: Segmenter, device: str | None) -> None:
    segmenter.network.to(make_accelerator(device or segmenter.settings.device, "fp32").device)


def _in_order(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """Return the dataset with its classes in the model's order, those it does not know last."""
    others = tuple(name for name in dataset.classes if name not in classes)
    return replace(dataset, classes=(*classes, *others))
