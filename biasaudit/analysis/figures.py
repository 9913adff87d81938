"""Every figure of results.json, made from the per-image table alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from biasaudit.analysis.conclude import conclude
from biasaudit.analysis.faithfulness import PROBABILITY, erasure_columns, faithfulness_of
from biasaudit.analysis.flip_rates import flips_of
from biasaudit.analysis.groups import summarise
from biasaudit.analysis.quadrants import quadrants_of
from biasaudit.results import Run, Split


@dataclass(frozen=True)
class Question:
    """What a split asks.

    Attributes:
        split: Its name in the table.
        object: The audited object.
        context: The context that parts its groups; None for a pool.
        training: Training images of each group, where they are known.
        note: How its images were chosen, where a reader must know.
    """

    split: str
    object: str
    context: str | None = None
    training: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def questions_of(run: Run) -> list[Question]:
    """Return what an audit asked, as its results.json records it."""
    return [
        Question(
            name,
            split.object or run.object,
            split.context,
            {
                group: found.n_training
                for group, found in split.groups.items()
                if found.n_training is not None
            },
            split.note,
        )
        for name, split in run.splits.items()
    ]


def figures(
    table: pd.DataFrame,
    questions: Sequence[Question],
    context: str | None,
    comparisons: int | None = None,
) -> dict[str, Split]:
    """Return the figures of every split.

    Args:
        table: The per-image table (:data:`biasaudit.results.PER_IMAGE_COLUMNS`), with the columns
            of faithfulness where that was measured.
        questions: One a split.
        context: The context that the column ``context`` speaks of outside the splits' groups.
        comparisons: How many pairs of object and context are judged together, for which each
            verdict's level is corrected; the number of pairs among the questions where None.

    Returns:
        By split name. With groups and a context: verdict, quadrants and flip rates too.
    """
    asked = {question.split: question for question in questions}
    pairs = {(one.object, one.context) for one in questions if one.context is not None}
    corrected = comparisons or max(len(pairs), 1)
    # without the columns that few rows fill: each split has copies of its rows
    plain = table.drop(columns=erasure_columns(table))
    found = {
        name: _figures(
            question,
            _same_object(question, asked, plain),
            _same_question(question, asked, plain, context),
            corrected,
        )
        for name, question in asked.items()
    }
    add_faithfulness(found, table)
    return found


def add_faithfulness(splits: Mapping[str, Split], table: pd.DataFrame) -> None:
    """Add to each split what erasing did to its images, where it was measured."""
    if PROBABILITY not in table:
        return
    erased = table[table[PROBABILITY].notna()]
    for name, split in splits.items():
        split.faithfulness = faithfulness_of(erased[erased["split"] == name])


def _same_object(
    question: Question, asked: Mapping[str, Question], table: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of the splits that ask about the object of the question."""
    names = [name for name, other in asked.items() if other.object == question.object]
    rows = table["split"].isin(names)
    return table if rows.all() else table[rows]


def _same_question(
    question: Question, asked: Mapping[str, Question], table: pd.DataFrame, context: str | None
) -> pd.DataFrame:
    """Return the rows of other splits whose context is that of the question."""
    names = [
        name
        for name, other in asked.items()
        if name != question.split
        and other.object == question.object
        and (other.context or context) == question.context
    ]
    return table[table["split"].isin(names)]


def _figures(
    question: Question, table: pd.DataFrame, others: pd.DataFrame, comparisons: int
) -> Split:
    rows = table[table["split"] == question.split]
    split = summarise(rows, question.training)
    split.object = question.object
    split.context = question.context
    split.note = question.note
    if not split.groups or question.context is None:
        return split
    split.verdict = conclude(
        rows, others, question.object, question.context, comparisons=comparisons
    )
    measured = rows[rows["alignment"] != ""]
    split.quadrants = quadrants_of(measured)
    split.flips = flips_of(measured, table.loc[table["pair"] == "", ["id", "decision"]])
    return split
