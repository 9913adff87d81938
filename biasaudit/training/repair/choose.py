"""Which recipe refits a row: cross-validated on training images and edits, guarded by val.

No counterfactual image is seen. Every candidate is refitted on all folds but one and scored on
what is left; a fold holds source images with everything that was made from them, so that no
image, nor a ground, stands on both sides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from biasaudit.errors import ConfigError, named_field
from biasaudit.statistics import auroc
from biasaudit.training.repair.contexts import conflicting_auroc
from biasaudit.training.repair.refit import (
    EDITED,
    ORIGINAL,
    Examples,
    Recipe,
    Row,
    Vector,
    refit,
)

DOSES = (0.1, 0.2, 0.3, 0.5)
STRENGTHS = (6.0, 20.0, 60.0)
CROPS = (0.0,)
KEPT_DOSES = (0.3, 1.0)
"""Where edits keep the answer of their image: they bring no answer that the originals lack."""
BALANCES = (1.0, 1.25, 1.5, 2.0)
"""Where context labels are read."""


@dataclass(frozen=True)
class Answered:
    """How a row answers some images.

    Attributes:
        accuracy: Share answered rightly at a score of 0; the mean over the two answers where
            both occur.
        log_loss: Mean log-loss in nats, averaged likewise.
        auroc: Area under the ROC curve; NaN where one answer does not occur.
    """

    accuracy: float
    log_loss: float
    auroc: float


@dataclass(frozen=True)
class Candidate:
    """A recipe and what it showed.

    Attributes:
        recipe: The recipe.
        originals: On training images left out of the fit.
        edits: On edits left out, yes and no alike heavy.
        val: On the val subset, of a fit on all training images.
        allowed: Whether val stays within what it may lose.
        conflicting: AUROC of the bias-conflicting groups of training images left out, of the
            context that misleads most; NaN where no context label is read.
    """

    recipe: Recipe
    originals: Answered
    edits: Answered
    val: Answered
    allowed: bool
    conflicting: float = math.nan

    def to_dict(self) -> dict[str, float | bool]:
        """Return one flat row of a table."""
        figures = {
            f"{name}_{key}": value
            for name in ("originals", "edits", "val")
            for key, value in asdict(getattr(self, name)).items()
        }
        if not math.isnan(self.conflicting):
            figures["conflicting_auroc"] = self.conflicting
        return {**asdict(self.recipe), **figures, "allowed": self.allowed}


def grid(
    refits: int = 1,
    smoothing: float = 0.0,
    doses: Sequence[float] = DOSES,
    balances: Sequence[float] = (0.0,),
) -> list[Recipe]:
    """Return the recipes that are compared."""
    return [
        Recipe(dose, strength, crops, refits, smoothing, balance)
        for balance, crops, dose, strength in itertools.product(balances, CROPS, doses, STRENGTHS)
    ]


def answered(scores: Vector, answers: NDArray[np.bool_], balanced: bool = False) -> Answered:
    """Measure how scores answer.

    Args:
        scores: (N,) logits.
        answers: (N,) the right answers.
        balanced: Whether both answers weigh the same.
    """
    right = (scores > 0) == answers
    losses = np.logaddexp(0, np.where(answers, -scores, scores))
    groups = [answers, ~answers] if balanced else [np.ones_like(answers)]
    groups = [group for group in groups if group.any()]
    return Answered(
        float(np.mean([right[group].mean() for group in groups])),
        float(np.mean([losses[group].mean() for group in groups])),
        auroc(scores[answers], scores[~answers]),
    )


def left_out_scores(examples: Examples, recipe: Recipe, start: Row, seed: int) -> Vector:
    """Return the score of every row by the refit that left its fold out, (N,)."""
    scores = np.full(len(examples), np.nan)
    row = start
    for fold in np.unique(examples.folds):
        out = examples.folds == fold
        row = refit(examples.part(~out), recipe, row, seed)
        scores[out] = row.scores(examples.features[out], examples.offsets[out])
    return scores


def compare(
    examples: Examples,
    val: Examples,
    before: Row,
    recipes: Sequence[Recipe],
    max_val_loss: float,
    seed: int,
    tell: Callable[[int], None] = lambda _: None,
) -> list[Candidate]:
    """Measure each recipe by cross-validation, and on val.

    Args:
        examples: Training images, edits and crops.
        val: The val subset.
        before: The row that is to be replaced: what val may lose is counted from it.
        recipes: What is compared.
        max_val_loss: How much val accuracy may fall, in [0, 1]; and the AUROC of val, where
            context labels are read: a weight that turns the order of val round can leave its
            accuracy, most images being of one answer.
        seed: Of bootstrap samples.
        tell: Called with 1 for each recipe done.
    """
    least = on(val, before)
    candidates: list[Candidate] = []
    row = before
    for recipe in recipes:
        scores = left_out_scores(examples, recipe, row, seed)
        row = refit(examples, recipe, row, seed)
        on_val = on(val, row)
        parts = [
            answered(scores[rows], examples.answers[rows], balanced=True)
            for rows in (examples.origins == ORIGINAL, examples.origins == EDITED)
        ]
        allowed = on_val.accuracy >= least.accuracy - max_val_loss - 1e-9
        if examples.contexts is not None:
            allowed &= on_val.auroc >= least.auroc - max_val_loss - 1e-9
        conflicting = _conflicting(examples, scores)
        candidates.append(Candidate(recipe, parts[0], parts[1], on_val, allowed, conflicting))
        tell(1)
    return candidates


def _conflicting(examples: Examples, scores: Vector) -> float:
    rows = examples.origins == ORIGINAL
    if examples.contexts is None:
        return math.nan
    return conflicting_auroc(scores[rows], examples.answers[rows], examples.contexts[rows])


def on(examples: Examples, row: Row) -> Answered:
    """Measure how a row answers examples, each of them alike heavy."""
    return answered(row.scores(examples.features, examples.offsets), examples.answers)


def best(candidates: Sequence[Candidate]) -> Candidate:
    """Return the allowed candidate that ranks edits left out best: the one of the highest AUROC.

    Where context labels are read, the one that ranks the bias-conflicting training images left
    out best.

    A larger dose moves the threshold as well as the order; the guard bounds the one, and the AUROC
    measures the other alone.

    Raises:
        ConfigError: None is allowed.
    """
    allowed = [candidate for candidate in candidates if candidate.allowed]
    if not allowed:
        closest = max(candidate.val.accuracy for candidate in candidates)
        raise ConfigError(
            f"{named_field('max_val_loss')}: every refit loses more; the best has {closest:.3f} of "
            "val",
            "allow more, or label more images",
        )
    if any(math.isnan(candidate.conflicting) for candidate in allowed):
        return max(allowed, key=lambda candidate: candidate.edits.auroc)
    return max(allowed, key=lambda candidate: candidate.conflicting)
