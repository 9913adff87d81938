"""The audit of one model on the splits of one dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.analysis.classes import class_answers
from biasaudit.analysis.figures import Question, add_faithfulness, figures
from biasaudit.analysis.operating_point import decisions_at, operating_point_of
from biasaudit.analysis.quadrants import quadrant_of
from biasaudit.data.sample import BIASED, Dataset
from biasaudit.data.splits.groups import count_groups
from biasaudit.data.splits.resolve import resolve_split
from biasaudit.data.splits.split import Split as SplitSpec
from biasaudit.evaluation.all_pairs import audit_pairs
from biasaudit.evaluation.classes import Scores, answer_classes, images_of, scores_of
from biasaudit.evaluation.faithfulness import Eraser
from biasaudit.evaluation.predict import Extras, Pass, Subject, one_pass
from biasaudit.inputs.tables import join_tables, text_column
from biasaudit.results import METRIC_PREFIX, PER_IMAGE_COLUMNS, Audit, Gallery, Run, Skipped

GALLERY_PER_GROUP = 200
"""Pictures kept of each group: enough to choose the worst from, bounded whatever the dataset."""
VAL = "val"
SKIPPED_NAMED = 20
"""So many images that were left out are named in the results."""

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Request:
    """What is measured beside scores and attention.

    Attributes:
        faithfulness: Erase what the attention marks, and see how far the score falls.
        all_pairs: Answer every other object-context pair of the dataset too.
        maps: Keep the attention map of every image.
    """

    faithfulness: bool = False
    all_pairs: bool = False
    maps: bool = False


@dataclass(frozen=True)
class Case:
    """One model, one dataset, one question.

    Attributes:
        subject: The classifier under audit.
        dataset: What it is audited on.
        object: The audited object.
        context: Its suspected context, or None.
        splits: What :func:`plan_splits` gave.
        about: What else the results say of the model: name, mode, backbone, settings, ...
        trained_here: Whether the dataset's training images are those of the model.
    """

    subject: Subject
    dataset: Dataset
    object: str
    context: str | None
    splits: Sequence[SplitSpec]
    about: Mapping[str, Any] = field(default_factory=dict)
    trained_here: bool = True

    @property
    def split_context(self) -> str | None:
        """The context that rows outside the groups speak of."""
        return next((split.context for split in self.splits if split.context), self.context)


def plan_splits(
    dataset: Dataset, names: Sequence[str], object_: str, context: str | None
) -> list[SplitSpec]:
    """Return the splits to audit, each once.

    Raises:
        BiasAuditError: Unknown split, or one with an empty group.
    """
    return [resolve_split(dataset, name, object_, context) for name in dict.fromkeys(names)]


def plan_pairs(dataset: Dataset, pairs: Sequence[tuple[str, str]]) -> list[SplitSpec]:
    """Return the split ``biased-OBJECT`` of each pair of object and context.

    Where an object stands in several pairs, its splits are called ``biased-OBJECT@CONTEXT``.

    Raises:
        BiasAuditError: No such object or context, or a group is empty.
    """
    objects = Counter(name for name, _ in pairs)
    return [
        replace(
            resolve_split(dataset, BIASED + name, name, context),
            name=f"{BIASED}{name}" + (f"@{context}" if objects[name] > 1 else ""),
        )
        for name, context in pairs
    ]


def passes_of(case: Case) -> int:
    """Return how many images an audit passes through the model, erasures aside."""
    passed = {s.id for split in case.splits for s in split.samples if s.pair is None}
    images = sum(len(split.samples) for split in case.splits)
    return images + sum(sample.id not in passed for sample in images_of(case.dataset))


def audit(case: Case, request: Request | None = None, tell: Tell = lambda _: None) -> Audit:
    """Audit a model: one pass over each split, then figures, quadrants and verdict from the rows.

    Args:
        case: The model and what is asked of it.
        request: What is measured beside scores and attention; nothing where None.
        tell: Called with the number of images just done.

    Raises:
        BiasAuditError: An image cannot be read, or the model gives a score that is no number.
    """
    request = request or Request()
    context = case.split_context
    table, gallery, maps, passed, erased = _measure(case, request, tell)
    classes, pairs = _other_answers(case, request.all_pairs, passed, tell)
    del passed  # every class's scores are not needed any longer, and large
    point = operating_point_of(table, case.object, case.subject.operating_points)
    asked = {split.name: split.object for split in case.splits}
    own = table["score"].where(table["split"].map(asked) == case.object)
    table["decision_at_operating_point"] = decisions_at(point, own)
    questions = [_question(case, split) for split in case.splits]
    found = figures(table, questions, context)
    if erased is not None:
        table = _with_erasures(table, erased)
        add_faithfulness(found, table)
    run = Run(
        object=case.object,
        context=context,
        dataset=case.dataset.name,
        operating_point=point,
        splits=found,
        classes=class_answers(classes),
        skipped=_skipped(case.dataset),
        **case.about,
    )
    pictures = None if gallery is None else gallery.pictures()
    return Audit(run, table, pictures, pairs, gallery, maps, classes=classes)


def _skipped(dataset: Dataset) -> Skipped | None:
    left_out = dataset.skipped
    if not left_out:
        return None
    return Skipped(n=len(left_out), images=[one.id for one in left_out[:SKIPPED_NAMED]])


def _measure(
    case: Case, request: Request, tell: Tell
) -> tuple[pd.DataFrame, Gallery | None, NDArray[np.float32] | None, Scores, pd.DataFrame | None]:
    """Return rows, pictures and maps of all splits, every class's scores by image, erasures."""
    ids: list[str] = []
    scores: list[NDArray[np.float32]] = []
    tables: list[pd.DataFrame] = []
    galleries: list[Gallery] = []
    maps: list[NDArray[np.float32]] = []
    erased: list[pd.DataFrame] = []
    pictured = pictured_splits(case.splits)
    for split in case.splits:
        context = split.context or case.split_context
        eraser = None
        if request.faithfulness:
            eraser = Eraser(case.subject, split.object, context, split.samples)
        for group, samples in split.image_sets.items():
            pictures = GALLERY_PER_GROUP if split.name in pictured else 0
            done = one_pass(
                case.subject,
                split.object,
                samples,
                context=context,
                extras=Extras(pictures, request.maps, eraser),
                tell=tell,
            )
            tables.append(_labelled(done, split, group))
            as_they_are = [s.pair is None for s in samples]
            ids += [s.id for s in samples if s.pair is None]
            scores.append(done.scores[as_they_are])
            galleries += [done.gallery] if done.gallery is not None else []
            maps += [done.maps] if done.maps is not None else []
            erased += [] if done.erased is None else [done.erased.assign(split=split.name)]
    return (
        join_tables(tables),
        Gallery.joined(galleries) if galleries else None,
        np.concatenate(maps) if maps else None,
        Scores.of(ids, scores),
        pd.concat(erased) if erased else None,
    )


def pictured_splits(splits: Sequence[SplitSpec]) -> set[str]:
    """Return the names of the splits whose pictures a report shows.

    Args:
        splits: What is audited.

    Returns:
        Those with groups; without any, all but ``val``, or ``val`` where there is no other.
    """
    with_groups = {split.name for split in splits if split.groups}
    others = {split.name for split in splits if split.name != VAL}
    return with_groups or others or {VAL}


def _other_answers(
    case: Case, all_pairs: bool, passed: Scores, tell: Tell
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the decisions on every class, and the rows of every other pair where asked for."""
    scores = scores_of(case.subject, images_of(case.dataset), passed, tell)
    classes = answer_classes(case.subject, case.dataset, scores)
    if not all_pairs:
        return classes, None
    own = (case.object, case.split_context)
    return classes, audit_pairs(case.subject, case.dataset, own, scores)[0]


def _question(case: Case, split: SplitSpec) -> Question:
    training: Mapping[str, int] = {}
    if case.trained_here and split.groups and split.context:
        training = count_groups(case.dataset, split)
    return Question(
        split.name, split.object, split.context if split.groups else None, training, split.note
    )


def _labelled(done: Pass, split: SplitSpec, group: str) -> pd.DataFrame:
    """Return the rows with their split and group; a group says whether the context is there."""
    named = {"split": split.name, "group": group, "alignment": split.alignment(group)}
    named["subset"] = split.subset
    alike = {column: text_column([name] * len(done.table)) for column, name in named.items()}
    table = done.table.assign(**alike)
    table["decision_at_operating_point"] = np.nan
    table["quadrant"] = quadrant_of(table)
    if group in split.shown:
        table["context"] = float(split.shown[group])
    plugged = [column for column in table if column.startswith(METRIC_PREFIX)]
    return table[[*PER_IMAGE_COLUMNS, *plugged]]


def _with_erasures(table: pd.DataFrame, erased: pd.DataFrame) -> pd.DataFrame:
    """Add to each image that was erased its probabilities; most have none."""
    near = table.loc[table["id"].isin(erased["id"]), ["split", "id"]]
    found = near.reset_index().merge(erased, on=["split", "id"])
    table = table.copy(deep=False)
    for name in found.columns.drop(["index", "split", "id"]):
        values = np.full(len(table), np.nan)
        values[found["index"]] = found[name]
        table[name] = values  # one by one: pandas copies what it is given
    return table
