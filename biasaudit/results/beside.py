"""What was measured of a run or a segmenter beside an audit: localization, segmentation.

``RUN/localization.json`` holds how well attention localizes a class, ``SEGMENTER/evaluation.json``
the IoU of masks, with example pictures in ``evaluation.npz``; both by dataset and subset. A later
measurement of the same images takes the earlier one's place; one of other weights that of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter

from biasaudit.errors import BiasAuditError, ConfigError, RunError, named_field
from biasaudit.inputs.documents import RECORD_BYTES, fault_in, read_as
from biasaudit.inputs.files import Source, digest_of_file, is_folder, lies_there
from biasaudit.results.elsewhere import try_folder, write_or_move
from biasaudit.results.examples import Examples
from biasaudit.results.files import Content, refuse_newer, replace_together, settle, whole
from biasaudit.results.locking import sole_writer
from biasaudit.results.schema import FORMAT_VERSION, Interval, Record

LOCALIZATION_FILE = "localization.json"
SEGMENTATION_FILE = "evaluation.json"
EXAMPLES_FILE = "evaluation.npz"
SEGMENTER_FILE = "segmenter.json"
SEGMENTER_WEIGHTS = "segmenter.safetensors"
RUN_WEIGHTS = "weights.safetensors"
_LOCK = "measured.lock"
_PATIENCE = 30.0
"""Seconds to wait for another process that adds to the same file."""

Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_Name = Annotated[str, Field(max_length=1000)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LocalizationFigures(Record):
    """How well attention localizes one class, on one subset (docs/segmentation.md).

    Attributes:
        dataset: Its name.
        subset: The images reported.
        object: The class.
        n: Images measured.
        n_val: Images of val, which the thresholds were chosen on.
        max_box_acc: Share of images whose box has an IoU of .5 or more with a true one.
        max_box_acc_ci: Its 95% Wilson interval.
        max_box_acc_v2: Mean of the shares at IoU .3, .5 and .7.
        max_box_acc_v2_ci: Its 95% interval over images, by the bootstrap.
        by_level: These shares, by level ("0.3").
        by_level_ci: Their 95% Wilson intervals.
        threshold: Share of a map's maximum that its box is drawn at, of ``max_box_acc``.
        threshold_v2: That of ``max_box_acc_v2`` and ``by_level``.
        px_ap: Average precision of pooled pixels; None where no region has a mask.
        top_1: Share of images whose box is right at .5 and whose highest score is the class's.
        top_1_ci: Its 95% Wilson interval.
    """

    dataset: _Name
    subset: _Name
    object: _Name
    n: _Count
    n_val: _Count
    max_box_acc: Share
    max_box_acc_ci: Interval | None = None
    max_box_acc_v2: Share
    max_box_acc_v2_ci: Interval | None = None
    by_level: dict[str, Share] = Field(default_factory=dict, max_length=20)
    by_level_ci: dict[str, Interval] = Field(default_factory=dict, max_length=20)
    threshold: Share
    threshold_v2: Share
    px_ap: Share | None = None
    top_1: Share
    top_1_ci: Interval | None = None

    @property
    def measured_on(self) -> tuple[str, ...]:
        """What tells these figures from others of the same model."""
        return self.dataset, self.subset, self.object


class IouFigures(Record):
    """Intersection over union over a whole subset.

    Attributes:
        mean_iou: Over the classes that have one; None where none has.
        mean_iou_ci: Its 95% interval over images, by the bootstrap.
        iou: By class, background first; None where a class is neither there nor answered, or known
            as boxes alone.
        iou_ci: Their 95% intervals; a class that has none is absent.
    """

    mean_iou: Share | None
    mean_iou_ci: Interval | None = None
    iou: dict[str, Share | None] = Field(max_length=256)
    iou_ci: dict[str, Interval] = Field(default_factory=dict, max_length=256)


class SegmentationFigures(Record):
    """How well a segmenter draws one subset.

    Attributes:
        dataset: Its name.
        subset: The images.
        n: Images measured.
        n_without_masks: Images left out: they show a class whose region is not known.
        without_crf: Of the network alone.
        with_crf: After the dense CRF; None where it was not asked for.
        examples_sha256: SHA-256 of ``evaluation.npz``, where that shows images of this subset.
    """

    dataset: _Name
    subset: _Name
    n: _Count
    n_without_masks: _Count = 0
    without_crf: IouFigures
    with_crf: IouFigures | None = None
    examples_sha256: _Digest | None = None

    @property
    def measured_on(self) -> tuple[str, ...]:
        """What tells these figures from others of the same segmenter."""
        return self.dataset, self.subset


class LocalizationFile(Record):
    """``localization.json``.

    Attributes:
        name: The run's.
        weights_sha256: Of the weights that were measured.
        figures: By dataset, subset and class; the last measured last.
    """

    format_version: int = FORMAT_VERSION
    name: _Name
    weights_sha256: _Digest
    figures: list[LocalizationFigures] = Field(default_factory=list, max_length=500)


class SegmentationFile(Record):
    """``evaluation.json``.

    Attributes:
        name: The segmenter's.
        run: Whose attention gave the cues: name, mode, labels, seed.
        classes: Object classes; value c + 1 of a mask is class c, 0 the background.
        weights_sha256: Of the weights that were measured.
        figures: By dataset and subset; the last measured last.
    """

    format_version: int = FORMAT_VERSION
    name: _Name
    run: dict[str, Any] = Field(default_factory=dict)
    classes: list[_Name] = Field(min_length=1, max_length=254)
    weights_sha256: _Digest
    figures: list[SegmentationFigures] = Field(default_factory=list, max_length=500)


@dataclass(frozen=True)
class Segmentation:
    """What was measured of one segmenter.

    Attributes:
        record: Its figures.
        examples: A few images with their masks, of the subset measured last; None where the
            figures alone were read.
    """

    record: SegmentationFile
    examples: Examples | None = None


@dataclass(frozen=True)
class Beside:
    """What a report shows beside audits.

    Attributes:
        localizations: Of runs that were localized and not audited; those of audits stand with
            the audits.
        segmentations: Of segmenters.
    """

    localizations: tuple[LocalizationFile, ...] = ()
    segmentations: tuple[Segmentation, ...] = ()


File = TypeVar("File", LocalizationFile, SegmentationFile)


def read_localization(folder: Path, weights_sha256: str | None = None) -> LocalizationFile | None:
    """Read how well a run's attention localizes; None where nobody measured it.

    Args:
        folder: The run's.
        weights_sha256: Of the weights that were audited; where None, those in the folder count.

    Raises:
        RunError: The file cannot be read, or was measured with other weights.
    """
    settle(folder)
    source = _source(folder / LOCALIZATION_FILE, "localize")
    if not lies_there(source.file):
        return None
    found = _read(source, LocalizationFile, "a localization file")
    if weights_sha256 is not None and weights_sha256 != found.weights_sha256:
        raise source.refusal("was measured with other weights than results.json beside it")
    if weights_sha256 is None:
        _hold_to(folder / RUN_WEIGHTS, found.weights_sha256, source)
    return found


def holds_segmenter(path: Path) -> bool:
    """Whether a path leads to a segmenter, evaluated or not."""
    names = (SEGMENTER_FILE, SEGMENTER_WEIGHTS, SEGMENTATION_FILE)
    return path.name == SEGMENTATION_FILE or any(lies_there(path / name) for name in names)


def read_segmentation(path: Path) -> Segmentation:
    """Read what was measured of a segmenter, from its folder or its ``evaluation.json``.

    Raises:
        RunError: It was not measured, a file cannot be read, the pictures are not those that the
            figures were written with, or the weights beside them are other ones.
    """
    folder = path if is_folder(path) else path.parent
    settle(folder)
    source = _source(folder / SEGMENTATION_FILE, "segment evaluate")
    if not lies_there(source.file):
        raise RunError(
            f"{folder}: a segmenter that was not measured (no {SEGMENTATION_FILE})",
            "run 'biasaudit segment evaluate' on it",
        )
    record = _read(source, SegmentationFile, "the figures of a segmenter")
    _hold_to(folder / SEGMENTER_WEIGHTS, record.weights_sha256, source)
    return Segmentation(record, _examples(folder / EXAMPLES_FILE, record))


def _hold_to(weights: Path, measured: str, source: Source) -> None:
    """Refuse figures where the weights beside them are not those that were measured."""
    if lies_there(weights) and digest_of_file(Source(weights, RunError)) != measured:
        raise source.refusal(f"was measured with other weights than {weights.name} beside it")


def _examples(file: Path, record: SegmentationFile) -> Examples | None:
    digests = {one.examples_sha256 for one in record.figures} - {None}
    if not digests or not lies_there(file):
        return None
    source = _source(file, "segment evaluate")
    if digest_of_file(source) not in digests:
        raise source.refusal(f"is not the file that {SEGMENTATION_FILE} beside it was written with")
    return Examples.load(source, len(record.classes) + 1)


def folder_beside(model: str, path: Path | None, what: Literal["run", "segmenter"]) -> Path:
    """Return the folder that figures are left in, before they are measured.

    Args:
        model: Name of what was measured.
        path: Its folder, if it has one.
        what: What it is.

    Raises:
        ConfigError: It has none.
        RunError: It cannot be written to, or holds figures that a newer version wrote.
    """
    if path is None:
        raise ConfigError(
            f"{named_field('save', True)}: {model} has no folder of its own",
            f"save the {what} first",
        )
    try_folder(path, "run", "the figures are left in it; copy it to where that can be")
    refuse_newer(path / (LOCALIZATION_FILE if what == "run" else SEGMENTATION_FILE))
    return path


def add_localization(
    folder: Path, name: str, weights_sha256: str, found: LocalizationFigures
) -> None:
    """Add figures to what a run's folder holds of its localization.

    Args:
        folder: The run's.
        name: The run's.
        weights_sha256: Of the weights that were measured.
        found: The figures.

    Raises:
        RunFailedError: The folder cannot be written; the file is in another one then.
    """
    made = LocalizationFile(name=name, weights_sha256=weights_sha256, figures=[found])

    def contents(place: Path) -> dict[str, Content]:
        before = _before(partial(read_localization, place), weights_sha256)
        figures = [*_others(before, found), found]
        record = made.model_copy(update={"figures": figures})
        return {LOCALIZATION_FILE: whole(partial(_bytes, record))}

    _add(folder, name, contents)


def add_segmentation(folder: Path, made: SegmentationFile, examples: Examples) -> None:
    """Add figures to what a segmenter's folder holds, and put the pictures in place of others.

    Args:
        folder: The segmenter's.
        made: With the figures of one subset.
        examples: Images of that subset.

    Raises:
        RunFailedError: The folder cannot be written; the files are in another one then.
    """
    (found,) = made.figures

    def before_in(place: Path) -> SegmentationFile | None:
        source = _source(place / SEGMENTATION_FILE, "segment evaluate")
        known = lies_there(source.file)
        return _read(source, SegmentationFile, "the figures of a segmenter") if known else None

    def contents(place: Path) -> dict[str, Content]:
        settle(place)
        before = _before(partial(before_in, place), made.weights_sha256)
        kept = [
            other.model_copy(update={"examples_sha256": None}) for other in _others(before, found)
        ]

        def record(digests: Mapping[str, str]) -> Iterable[bytes]:
            own = found.model_copy(update={"examples_sha256": digests[EXAMPLES_FILE]})
            return [_bytes(made.model_copy(update={"figures": [*kept, own]}))]

        return {EXAMPLES_FILE: whole(examples.to_bytes), SEGMENTATION_FILE: record}

    _add(folder, made.name, contents)


def _source(file: Path, verb: str) -> Source:
    return Source(file, RunError, hint=f"run 'biasaudit {verb}' again")


def _read(source: Source, kind: type[File], what: str) -> File:
    refuse_newer(source.file)
    found: File = read_as(source, TypeAdapter(kind), RECORD_BYTES, what)
    if wrong := fault_in(found.model_dump(), finite=True):
        raise source.refusal(wrong)
    return found


def _before(read: Callable[[], File | None], weights_sha256: str) -> File | None:
    """Return what lies there of the same weights; a file that cannot be read is replaced."""
    try:
        found = read()
    except BiasAuditError:
        return None
    return found if found is not None and found.weights_sha256 == weights_sha256 else None


def _others(before: Any, found: LocalizationFigures | SegmentationFigures) -> Sequence[Any]:
    known = [] if before is None else before.figures
    return [one for one in known if one.measured_on != found.measured_on]


def _bytes(record: LocalizationFile | SegmentationFile) -> bytes:
    return record.to_json().encode()


def _add(folder: Path, name: str, contents: Callable[[Path], dict[str, Content]]) -> None:
    """Write files that are made of what lies there, while no other process does."""

    def write(place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        with sole_writer(place / _LOCK, _PATIENCE):
            replace_together(place, contents(place))

    write_or_move(folder, name, write)
