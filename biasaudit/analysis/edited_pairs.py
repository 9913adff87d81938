"""Versions of one image that differ in the context: within one image nothing else differs.

Two versions are compared where they show the same object (or the same lack of it) and were *edited
in the same way*: the object pasted on a ground with the context, and the same object pasted on a
ground without it. An image as it is, compared with an edited version, differs in the trace of the
edit too, which turns answers by itself; such a comparison does not enter. This is the comparison of
"mixed-same" with "mixed-rand" (Xiao, Engstrom, Ilyas and Madry, ICLR 2021), image by image.

Where the versions are not edited in the same way (the context replaced and the object kept in the
one, the object removed and the context kept in the other), they answer a weaker question: in how
many images does the answer follow the context *against* the object, and in how many the object
against the context? Both versions carry a trace. More of the first than of the second is a bias
whatever the traces do short of exchanging the two answers; the reverse shows nothing, for a model
that leans on both follows the object more often than not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasaudit.results import Answer, Answered, AnswerEffect, PairEvidence
from biasaudit.statistics.paired import Paired, count_pairs, mcnemar, paired_interval
from biasaudit.statistics.rates import NO_INTERVAL, Interval

ANSWERS: tuple[tuple[Answer, int], ...] = (("yes", 1), ("no", 0))
"""The right answers by name, and by the label of their images."""


def measure_pairs(rows: pd.DataFrame, level: float = 0.95) -> PairEvidence:
    """Compare the edited versions of each image.

    Args:
        rows: Edited images, one row each: ``pair`` (id of the original), ``label``, ``context``,
            ``decision``, and ``edit``, the way in which the version was made apart from the
            context; without such a column no two versions are edited in the same way. A version
            that is there twice counts once, the first.
        level: Confidence level, in (0, 1).
    """
    kept = rows[(rows["pair"].fillna("") != "") & rows["context"].notna()]
    same = _same_edits(kept)
    by_answer: dict[Answer, AnswerEffect] = {
        name: _one_answer(same[value], level) for name, value in ANSWERS if len(same[value])
    }
    effect, interval, p_value, n = _together(same, by_answer, level)
    right = sum(int((table[[0, 1]].to_numpy() == value).sum()) for value, table in same.items())
    follow_context, follow_object, follow_p = _follow(kept)
    return PairEvidence(
        effect=effect,
        effect_ci=interval,
        p_value=p_value,
        by_answer=by_answer,
        n=n,
        versions=Answered(right=right, n=sum(2 * len(table) for table in same.values())),
        follow_context=follow_context,
        follow_object=follow_object,
        follow_p=follow_p,
    )


def _same_edits(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Return for each answer a table, image by context (columns 0 and 1), of the decisions."""
    empty = pd.DataFrame(columns=[0, 1], dtype=int)
    found = {1: empty, 0: empty}
    if "edit" not in rows or rows.empty:
        return found
    for value in (1, 0):
        part = rows[rows["label"] == value]
        part = part.drop_duplicates(["pair", "edit", "context"])
        sides = [
            part[part["context"] == shown].set_index(["pair", "edit"])["decision"]
            for shown in (0, 1)
        ]
        table = pd.concat(sides, axis=1, join="inner", keys=[0, 1]).astype(int)
        table = table.reset_index("edit", drop=True)
        # One comparison an image: two ways of editing one image are not two images.
        found[value] = table[~table.index.duplicated()]
    return found


def _one_answer(table: pd.DataFrame, level: float) -> AnswerEffect:
    """Return one answer's effect: Newcombe's paired interval, exact McNemar."""
    pairs = count_pairs(table[1], table[0])
    return AnswerEffect(
        effect=pairs.difference,
        effect_ci=paired_interval(pairs, level),
        p_value=mcnemar(pairs),
        n_with=pairs.n,
        n_without=pairs.n,
    )


def _together(
    same: Mapping[int, pd.DataFrame], by_answer: Mapping[Answer, AnswerEffect], level: float
) -> tuple[float, Interval, float, int]:
    """Return effect, interval, p-value and images of both answers together."""
    if not by_answer:
        return math.nan, NO_INTERVAL, math.nan, 0
    if len(by_answer) == 1:
        one = next(iter(by_answer.values()))
        return one.effect, one.effect_ci, one.p_value, one.n_with
    both = same[1].index.intersection(same[0].index)
    if both.empty:
        return math.nan, NO_INTERVAL, math.nan, 0
    tables = [same[value].loc[both] for value in (1, 0)]
    moves = [(table[1] - table[0]).to_numpy() for table in tables]
    effects = [_one_answer(table, level) for table in tables]
    effect = (effects[0].effect + effects[1].effect) / 2
    # The two answers are measured on the same images: their errors add with their correlation.
    tie = max(0.0, _correlation(*moves))
    down, up = (
        math.sqrt(a * a + b * b + 2 * tie * a * b) / 2
        for a, b in zip(*(_arms(one) for one in effects), strict=True)
    )
    interval = max(-1.0, effect - down), min(1.0, effect + up)
    return effect, interval, swap_p_value(moves[0] + moves[1]), len(both)


def swap_p_value(moves: NDArray[np.int_]) -> float:
    """Return the exact two-sided p-value of a sum of moves whose signs are drawn image by image.

    Args:
        moves: (N,) whole numbers from -2 to 2: how many of an image's answers the context moves
            towards yes, less how many it moves away.
    """
    sizes = np.abs(moves)
    chances = np.ones(1)
    for step in (1, 2):
        for _ in range(int((sizes == step).sum())):
            wider = np.zeros(len(chances) + 2 * step)
            wider[: len(chances)] += chances / 2
            wider[2 * step :] += chances / 2
            chances = wider
    sums = np.arange(len(chances)) - len(chances) // 2
    return float(min(1.0, chances[np.abs(sums) >= abs(int(moves.sum()))].sum()))


def _follow(rows: pd.DataFrame) -> tuple[int, int, float]:
    """Count the images whose two conflicting versions follow the context, or the object."""
    versions = []
    for label, context in ((1, 0), (0, 1)):
        part = rows[(rows["label"] == label) & (rows["context"] == context)]
        versions.append(part.drop_duplicates("pair").set_index("pair")["decision"])
    both = versions[0].index.intersection(versions[1].index)
    if both.empty:
        return 0, 0, math.nan
    kept, gone = versions[0].loc[both], versions[1].loc[both]
    counts = Paired(
        int(((gone == 1) & (kept == 1)).sum()),
        int(((gone == 1) & (kept == 0)).sum()),
        int(((gone == 0) & (kept == 1)).sum()),
        int(((gone == 0) & (kept == 0)).sum()),
    )
    return counts.first_only, counts.second_only, mcnemar(counts)


def _correlation(first: NDArray[np.int_], second: NDArray[np.int_]) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _arms(one: AnswerEffect) -> tuple[float, float]:
    return one.effect - one.effect_ci[0], one.effect_ci[1] - one.effect
