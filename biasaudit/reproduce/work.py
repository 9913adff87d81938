"""A training of a protocol: finished it stands, stopped it goes on; then it is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from biasaudit import processes
from biasaudit.analysis.earlier import added_to
from biasaudit.cases import Loading, Question, case_of
from biasaudit.config import SegmentSettings
from biasaudit.data.sample import BIASED, Dataset
from biasaudit.errors import RunError, RunInterruptedError, named_field
from biasaudit.evaluation import audit as evaluation
from biasaudit.exhaustion import exhaustion_told
from biasaudit.inputs.files import is_file
from biasaudit.reproduce.paper import BARE, CONTEXT, CRF, EMPTY, NO_CRF, OBJECT, OVERALL, VAL
from biasaudit.reproduce.plan import Job
from biasaudit.results import (
    SEGMENTATION_FILE,
    Group,
    Interval,
    Overall,
    SegmentationFigures,
    read_segmentation,
)
from biasaudit.segmentation.api import evaluate_segmenter, train_segmenter
from biasaudit.segmentation.evaluate import SegmentationResult, has_truth
from biasaudit.segmentation.origin import origin_of
from biasaudit.segmentation.segmenter import NETWORK, Segmenter, filled_settings, read_segmenter
from biasaudit.training.loop import Progress, Silent
from biasaudit.training.resumable import Place, check_folder, train_into
from biasaudit.training.run_directory import RunRecord, read_run

Count = Callable[[int, int], None]


@dataclass(frozen=True)
class Watch:
    """Who is told how the work goes.

    Attributes:
        note: Called with each line that a user should read.
        training: Gives, for the name of a run, who follows its training.
        counting: Gives, for what is done, who counts its images or steps.
    """

    note: Callable[[str], None] = lambda line: None
    training: Callable[[str], AbstractContextManager[Progress]] = lambda name: nullcontext(Silent())
    counting: Callable[[str], AbstractContextManager[Count]] = lambda name: nullcontext(
        lambda done, total: None
    )


@dataclass(frozen=True)
class Measured:
    """One figure of one training.

    Attributes:
        value: In [0, 1]; None where it does not exist.
        n: Images that it was measured on.
        interval: At 95%, by the images; None where there is none.
    """

    value: float | None
    n: int
    interval: Interval | None = None


def check_begun(job: Job) -> None:
    """Refuse a training whose folders hold another one; nothing is trained or written.

    Args:
        job: One whose weights are lost passes.

    Raises:
        RunError: A folder holds a training with other settings, or cannot be read.
    """
    if job.lost is not None:
        return
    check_folder(job.folder, job.plan)
    if job.segment is not None and job.state == "trained":
        _finished_segmenter(job, read_run(job.folder), job.segment)


def measure(
    job: Job, dataset: Dataset, metric: str, split: str | None, watch: Watch
) -> dict[str, Measured]:
    """Train what is not trained yet, and return the figures by metric.

    Args:
        job: What to train.
        dataset: Its images.
        metric: Of a segmentation the one that the table shows: the CRF runs where it needs it.
        split: Where a classifier is measured; ``biased-boat`` where None.
        watch: Who is told.

    Raises:
        RunError: The folder holds a training with other settings.
        RunFailedError: A training fails, or its result cannot be written.
        RunInterruptedError: Somebody stopped it; the state is kept.
    """
    run = _trained(job, watch)
    if job.segment is None:
        return _audited(_loaded(run, job.folder), dataset, split or BIASED + OBJECT, watch)
    segmenter = _segmenter(job, run, job.segment, dataset, watch)
    found = _evaluated(job.segmenter_folder, segmenter, dataset, metric == CRF, watch)
    ways = {NO_CRF: found.without_crf, CRF: found.with_crf}
    return {
        name: Measured(s.mean_iou, found.n, s.mean_iou_ci)
        for name, s in ways.items()
        if s is not None
    }


def _trained(job: Job, watch: Watch) -> RunRecord:
    place = Place(job.folder, None, resume=True)
    device = job.plan.settings.training.device
    with (
        processes.together(device),
        exhaustion_told("training.batch_size", "data.image_size", workers="training.workers"),
        watch.training(job.folder.name) as progress,
    ):
        try:
            return train_into(job.plan, place, progress, watch.note)
        except RunInterruptedError as error:
            raise RunInterruptedError(
                f"{job.folder.name}: {error.message}", "give the same command again to go on"
            ) from None


@contextmanager
def _made_anew(folder: Path) -> Iterator[None]:
    """Name the way out where what a folder of this protocol holds cannot be read."""
    try:
        yield
    except RunError as error:
        raise RunError(
            error.message, f"remove {folder} and give the same command again: it is trained anew"
        ) from None


def _loaded(run: RunRecord, folder: Path) -> RunRecord:
    """Return a run with its classifier in memory."""
    with _made_anew(folder):
        return replace(run, model=run.load_model())


def _segmenter(
    job: Job, run: RunRecord, asked: SegmentSettings, dataset: Dataset, watch: Watch
) -> Segmenter:
    """Return the segmenter of a run, trained now unless its folder holds it."""
    folder = job.segmenter_folder
    if not is_file(folder / NETWORK):
        with watch.counting(f"{folder.name}: steps") as count:
            return train_segmenter(
                _loaded(run, job.folder),
                dataset,
                out=folder,
                progress=lambda done, total, loss: count(done, total),
                **asked.model_dump(),
            )
    segmenter = _finished_segmenter(job, run, asked)
    watch.note(f"{folder}: finished already")
    return segmenter


def _finished_segmenter(job: Job, run: RunRecord, asked: SegmentSettings) -> Segmenter:
    """Return the segmenter that a folder holds, of this run and trained as asked for."""
    folder = job.segmenter_folder
    with _made_anew(folder):
        segmenter = read_segmenter(folder)
    origin = origin_of(run)
    was, now = segmenter.settings.model_dump(), filled_settings(origin, asked).model_dump()
    for name in now:
        if name != "device" and was[name] != now[name]:
            key = f"segment.{name}"
            raise RunError(
                f"{named_field('out', folder)}: was trained with {named_field(key, was[name])}, "
                f"not {named_field(key, now[name])}",
                "give the same settings, or name another folder",
            )
    if segmenter.run.get("weights") != origin.about["weights"]:
        raise RunError(
            f"{named_field('out', folder)}: was trained on the attention of another run than "
            f"{run.name}",
            "remove it, or name another folder",
        )
    return segmenter


def _evaluated(
    folder: Path, segmenter: Segmenter, dataset: Dataset, crf: bool, watch: Watch
) -> SegmentationResult | SegmentationFigures:
    """Return how well a segmenter draws val, measured now unless its folder says so.

    Figures of other images than those that have masks now are measured again.
    """
    wanted = (dataset.name, VAL)
    samples = dataset.subset(VAL)
    n = sum(has_truth(sample, segmenter.classes) for sample in samples)
    counts = (n, len(samples) - n)
    if is_file(folder / SEGMENTATION_FILE):
        for found in read_segmentation(folder).record.figures:
            same = found.measured_on == wanted and (found.n, found.n_without_masks) == counts
            if same and (found.with_crf is not None or not crf):
                return found
    with watch.counting(f"{folder.name}: {VAL}") as count:
        return evaluate_segmenter(
            segmenter, dataset, subset=VAL, crf=crf, save=True, progress=count
        )


def _audited(run: RunRecord, dataset: Dataset, split: str, watch: Watch) -> dict[str, Measured]:
    """Audit a run, leave the audit in its folder, and return the figures of the paper's table."""
    training, data = run.settings.training, run.settings.data
    loading = Loading(workers=training.workers, cache=data.cache)
    case = case_of(run, dataset, Question((split,), OBJECT, CONTEXT), loading, watch.note)
    total, done = evaluation.passes_of(case), 0
    with exhaustion_told(workers="training.workers"), watch.counting(run.name) as count:

        def tell(images: int) -> None:
            nonlocal done
            done = min(done + images, total)
            count(done, total)

        found = evaluation.audit(case, evaluation.Request(), tell)
    if run.path is not None:
        added_to(run.path, found).audit.save(run.path)
    splits = found.run.splits
    answers: dict[str, Overall | Group] = {
        VAL: splits[VAL].overall,
        OVERALL: splits[split].overall,
    }
    answers |= {name: splits[split].groups[name] for name in (BARE, EMPTY)}
    return {name: Measured(a.accuracy, a.n, a.accuracy_ci) for name, a in answers.items()}
