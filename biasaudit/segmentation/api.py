"""The public functions of segmentation; see docs/api.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError
from biasaudit.exhaustion import exhaustion_told
from biasaudit.models.external import LoadedModel
from biasaudit.results import holds_segmenter
from biasaudit.segmentation.evaluate import SegmentationResult
from biasaudit.segmentation.metrics import LabelMap
from biasaudit.segmentation.segmenter import Segmenter, read_segmenter
from biasaudit.segmentation.serve import (
    cues_by_image,
    evaluated,
    export_into,
    masks_by_image,
    segmenter_into,
)
from biasaudit.training.run_directory import RunRecord, check_one_place, read_run

Count = Callable[[int, int], None]
"""Called with the images done so far, and their total."""


def cues(
    model: RunRecord | LoadedModel | str | Path,
    data: Dataset | None = None,
    *,
    subset: str = "train",
    device: str | None = None,
    progress: Count | None = None,
    **settings: Any,
) -> dict[str, LabelMap]:
    """Return what a model's attention says of the place of each present class.

    Args:
        model: A run or an external model; or a run's folder.
        data: The images with their image-level labels; those of the run where None.
        subset: Which of them.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; the run's own where None.
        progress: Called with the images done so far and their total.
        settings: ``threshold`` and ``background`` of
            :class:`biasaudit.config.SegmentSettings`.

    Returns:
        By image an (H, W) uint8 array: 0 background, c + 1 class c of the model, 255 undecided.

    Raises:
        BiasAuditError: The model, the dataset or a setting cannot be used.

    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> found = ba.cues(ba.train(data, epochs=1), data)
    >>> len(found), found["train-00000"].shape
    (40, (64, 64))
    """
    with exhaustion_told():
        pairs = cues_by_image(_loaded(model), data, subset, device, settings, progress)
        return {sample.id: found for sample, found in pairs}


def train_segmenter(
    run: RunRecord | str | Path,
    data: Dataset | None = None,
    *,
    out: str | Path | None = None,
    parent: str | Path | None = None,
    progress: Callable[[int, int, float], None] | None = None,
    **settings: Any,
) -> Segmenter:
    """Train a segmentation network from image-level labels and a run's attention (SEC).

    Args:
        run: A run, or its folder.
        data: Its training images; those of the run where None. No region of it is read, unless
            ``regions=True`` asks for those that the run was trained with.
        out: An empty folder for the segmenter; None keeps it in memory (``save(folder)``).
        parent: In place of ``out`` a folder that gets a new one, called by the run.
        progress: Called with the steps made, their total, and the loss.
        settings: Of :class:`biasaudit.config.SegmentSettings`, such as ``iterations=2000``.

    Returns:
        A segmenter: ``mask(image)`` and ``probabilities(image)`` of any RGB image, ``classes``,
        ``settings``, ``losses``, ``path``, ``save(folder)``.

    Raises:
        BiasAuditError: Anything asked for does not exist or does not fit, or the training fails.

    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> drawer = ba.train_segmenter(ba.train(data, epochs=1), data, iterations=2)
    >>> drawer.mask(data.subset("val")[0].load_image()).shape
    (64, 64)
    """
    check_one_place(out, parent)
    place = (_path(out), _path(parent))
    with exhaustion_told("segment.batch_size", "segment.image_size"):
        return segmenter_into(_loaded(run), data, place, settings, progress)


def load_segmenter(folder: str | Path) -> Segmenter:
    """Read a segmenter; the plug-ins of its run are imported.

    Raises:
        RunError: The folder holds none.
        ConfigError: A plug-in cannot be imported.

    >>> import tempfile
    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> out = Path(tempfile.mkdtemp()) / "drawer"
    >>> drawer = ba.train_segmenter(ba.train(data, epochs=1), data, iterations=2, out=out)
    >>> ba.load_segmenter(out).classes
    ('boat', 'car', 'house', 'tree')
    """
    return read_segmenter(Path(folder))


def segment(
    segmenter: Segmenter | str | Path,
    data: Dataset | None = None,
    *,
    subset: str = "val",
    crf: bool = True,
    device: str | None = None,
    progress: Count | None = None,
) -> dict[str, LabelMap]:
    """Draw masks of the images of a dataset.

    Args:
        segmenter: From :func:`train_segmenter` or :func:`load_segmenter`; or its folder.
        data: The images; the dataset of its training where None.
        subset: Which of them.
        crf: Whether the dense CRF refines the masks.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; that of its training where None.
        progress: Called with the images done so far and their total.

    Returns:
        By image an (H, W) uint8 array: 0 background, c + 1 class c of the segmenter.

    Raises:
        BiasAuditError: The segmenter, the dataset or the device cannot be used.

    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> drawer = ba.train_segmenter(ba.train(data, epochs=1), data, iterations=2)
    >>> len(ba.segment(drawer, data, crf=False))
    8
    """
    with exhaustion_told():
        pairs = masks_by_image(_drawing(segmenter), data, subset, device, crf, progress)
        return {sample.id: found for sample, found in pairs}


def export_masks(
    source: Segmenter | RunRecord | LoadedModel | str | Path,
    out: str | Path,
    data: Dataset | None = None,
    *,
    subset: str = "train",
    crf: bool = True,
    device: str | None = None,
    progress: Count | None = None,
    **settings: Any,
) -> Path:
    """Write a segmenter's masks, or a model's cues, as PNG and COCO files.

    A person may correct the COCO file; a ``dataset.toml`` beside it that names it as a subset
    gives its regions as pixel labels.

    Args:
        source: A segmenter, or the model whose attention gives cues; or the folder of either.
        out: A folder, which gets ``SUBSET.json`` and ``masks/SUBSET/``.
        data: The images; those of the training where None.
        subset: Which of them.
        crf: Whether the dense CRF refines a segmenter's masks.
        device: As of :func:`segment`.
        progress: Called with the images done so far and their total.
        settings: As of :func:`cues`; a segmenter takes none.

    Returns:
        The COCO file.

    Raises:
        BiasAuditError: The source or the dataset cannot be used, or the folder holds the COCO file
            already, or cannot be written.

    >>> import tempfile
    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> ba.export_masks(ba.train(data, epochs=1), tempfile.mkdtemp(), data, subset="val").name
    'val.json'
    """
    with exhaustion_told():
        if isinstance(source, str | Path):
            folder = Path(source)
            source = load_segmenter(folder) if holds_segmenter(folder) else read_run(folder)
        if not isinstance(source, Segmenter):
            pairs = cues_by_image(source, data, subset, device, settings, progress)
        elif settings:
            raise ConfigError(
                f"unknown setting '{next(iter(settings))}'", "a segmenter's masks have none"
            )
        else:
            pairs = masks_by_image(source, data, subset, device, crf, progress)
        return export_into(Path(out), subset, pairs)


def evaluate_segmenter(
    segmenter: Segmenter | str | Path,
    data: Dataset | None = None,
    *,
    subset: str = "val",
    crf: bool = True,
    device: str | None = None,
    save: bool = False,
    progress: Count | None = None,
) -> SegmentationResult:
    """Measure a segmenter's masks by intersection over union.

    Args:
        segmenter: From :func:`train_segmenter` or :func:`load_segmenter`; or its folder.
        data: Images with masks; the dataset of its training where None.
        subset: Which of them; those that show a class without its region are left out, and
            counted.
        crf: Whether to measure with the dense CRF too.
        device: As of :func:`segment`.
        save: Whether to leave the figures and a few pictures in the segmenter's folder
            (``evaluation.json``, ``evaluation.npz``), where a report finds them.
        progress: Called with the images done so far and their total.

    Returns:
        ``without_crf`` and ``with_crf``, each with ``mean_iou`` and ``iou`` by class and their
        intervals; ``n``, ``n_without_masks``, ``to_dict()``.

    Raises:
        BiasAuditError: The segmenter or the dataset cannot be used, no image has a mask, or
            the figures cannot be left where there is no folder.

    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> drawer = ba.train_segmenter(ba.train(data, epochs=1), data, iterations=2)
    >>> list(ba.evaluate_segmenter(drawer, data, crf=False).without_crf.iou)
    ['background', 'boat', 'car', 'house', 'tree']
    """
    with exhaustion_told():
        drawing = _drawing(segmenter)
        return evaluated(drawing, data, subset, device, progress, crf=crf, save=save)


def _loaded(model: Any) -> Any:
    """Return a model, or the run that a folder holds."""
    return read_run(Path(model)) if isinstance(model, str | Path) else model


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _drawing(segmenter: Segmenter | str | Path) -> Segmenter:
    found = load_segmenter(segmenter) if isinstance(segmenter, str | Path) else segmenter
    if not isinstance(found, Segmenter):
        raise ConfigError(f"{found!r}: not a segmenter", "train one with train_segmenter")
    return found
