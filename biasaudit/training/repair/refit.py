"""One class's row of the last layer, refitted by ridge logistic regression.

P. Kirichenko, P. Izmailov and A. G. Wilson, *Last Layer Re-Training is Sufficient for Robustness to
Spurious Correlations*, ICLR 2023, refit the last layer on images that break the correlation, and
average several refits. Here such images are edits of the training images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from biasaudit.errors import RunFailedError
from biasaudit.training.repair.contexts import inverse_propensities

Vector = NDArray[np.float64]
Rows = NDArray[np.int64]

ORIGINAL, EDITED, CROPPED, FOUND = 0, 1, 2, 3
"""Origins of a row of :class:`Examples`."""

_ITERATIONS = 5000
_TOLERANCE = 1e-5
"""Largest component of the gradient at an optimum, relative to C, the features' norm
and the sum of the weights."""


@dataclass(frozen=True)
class Row:
    """What scores one class: features · weight + bias.

    Attributes:
        weight: (K,) float64.
        bias: The intercept.
    """

    weight: Vector
    bias: float

    def scores(self, features: NDArray[np.floating], offsets: Vector | float = 0.0) -> Vector:
        """Return the (N,) scores of (N, K) features, each with its (N,) offset added."""
        scores: Vector = features.astype(np.float64) @ self.weight + self.bias + offsets
        return scores


@dataclass(frozen=True)
class Examples:
    """Images, their edits and their crops, as the last layer sees them.

    Attributes:
        features: (N, K) inputs of the last layer.
        answers: (N,) bool: whether the image shows the object.
        origins: (N,) :data:`ORIGINAL`, :data:`EDITED`, :data:`CROPPED` or :data:`FOUND`: an
            edit by a foreground that was found and not drawn.
        sources: (N,) number of the training image that each was made from; an original's own. A
            pasted object counts for the image that it was cut from.
        folds: (N,) cross-validation fold of everything that each was made from.
        offsets: (N,) what is added to features · weight + bias whatever the row: 0 where a class
            is answered for itself; where one of several is chosen, what the other classes say.
        contexts: (N, A) which contexts an original shows; of the other rows nothing is said. None
            where no context label is read.

    Raises:
        ValueError: Lengths that differ.
    """

    features: NDArray[np.float32]
    answers: NDArray[np.bool_]
    origins: Rows
    sources: Rows
    folds: Rows
    offsets: Vector
    contexts: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        for name in ("answers", "origins", "sources", "folds", "offsets", "contexts"):
            if getattr(self, name) is not None and len(getattr(self, name)) != len(self.features):
                raise ValueError(
                    f"{name}: {len(getattr(self, name))} rows, expected {len(self.features)}"
                )

    def __len__(self) -> int:
        return len(self.features)

    def part(self, rows: NDArray[np.bool_] | Rows) -> Examples:
        """Return some of the rows."""
        return Examples(
            self.features[rows],
            self.answers[rows],
            self.origins[rows],
            self.sources[rows],
            self.folds[rows],
            self.offsets[rows],
            None if self.contexts is None else self.contexts[rows],
        )


@dataclass(frozen=True)
class Recipe:
    """How a row is refitted.

    Attributes:
        dose: Weight of all edits together as a share of that of all originals, 0 or more.
        strength: C, the inverse of the ridge: the weight of one original's log-loss against ½‖w‖²,
            for features scaled to a mean squared norm of 1, so that no network needs its own.
        crops: The share of the dose that goes to crops, in [0, 1].
        refits: How many refits are averaged, each on a bootstrap sample of the source images;
            1 uses every image once.
        smoothing: Label smoothing: the answers are smoothing/2 and 1 − smoothing/2.
        balance: Originals weigh their inverse propensity to this power: 0 weighs all alike, 1 makes
            the answer independent of the contexts, more turns the correlation round. Only where
            context labels are read.
        found: The share of the dose that goes to edits of foregrounds found, in [0, 1].
    """

    dose: float = 0.3
    strength: float = 20.0
    crops: float = 0.0
    refits: int = 1
    smoothing: float = 0.0
    balance: float = 0.0
    found: float = 0.0


def example_weights(examples: Examples, recipe: Recipe) -> Vector:
    """Return the weight of each row in the loss, (N,).

    Each original image weighs 1, all its copies together; where context labels are read, 1 in the
    mean over each answer, by inverse propensity to the power ``balance``. Edits weigh together
    ``dose`` times what the originals do: yes and no half each, whatever their numbers, and so do
    crops and edits of foregrounds found, with their share of the dose. What has no rows leaves its
    share to nobody.
    """
    original = examples.origins == ORIGINAL
    weights = np.zeros(len(examples))
    total = len(np.unique(examples.sources[original]))
    weights[original] = total / max(1, original.sum())
    if examples.contexts is not None and recipe.balance > 0:
        answers = examples.answers[original]
        scarce = inverse_propensities(answers, examples.contexts[original]) ** recipe.balance
        for answer in np.unique(answers):
            scarce[answers == answer] /= scarce[answers == answer].mean()
        weights[original] *= scarce
    shares = {CROPPED: recipe.crops, FOUND: recipe.found}
    shares[EDITED] = 1 - sum(shares.values())
    for origin, share in shares.items():
        for answer in (True, False):
            rows = (examples.origins == origin) & (examples.answers == answer)
            if rows.any():
                weights[rows] = recipe.dose * share * total / 2 / rows.sum()
    return weights


def refit(examples: Examples, recipe: Recipe, start: Row, seed: int = 0) -> Row:
    """Fit a row on originals and edits; the mean of ``recipe.refits`` bootstrap refits.

    A bootstrap sample draws source images with replacement; everything made from an image comes
    with it.

    Args:
        examples: Both answers must occur.
        recipe: Doses, ridge and number of refits.
        start: Where the search begins; the problem is convex, so it decides the time alone.
        seed: Of the bootstrap samples, 0 or more.

    Raises:
        RunFailedError: An answer does not occur, or the search does not end.
    """
    if examples.answers.all() or not examples.answers.any():
        raise RunFailedError(
            "repair: all training images have the same answer", "add images of the other answer"
        )
    weights = example_weights(examples, recipe)
    if recipe.refits == 1:
        return optimum(examples, weights, recipe, start)
    rows: list[Row] = []
    numbers, place = np.unique(examples.sources, return_inverse=True)
    for stream in np.random.SeedSequence(seed).spawn(recipe.refits):
        generator = np.random.default_rng(stream)
        drawn = generator.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)))
        rows.append(optimum(examples, weights * drawn[place], recipe, rows[-1] if rows else start))
    return Row(np.mean([r.weight for r in rows], axis=0), float(np.mean([r.bias for r in rows])))


def optimum(examples: Examples, weights: Vector, recipe: Recipe, start: Row) -> Row:
    """Return the row that minimises ½‖w‖² + C Σᵢ weightᵢ · log-loss(answerᵢ, xᵢ·w + b + offsetᵢ).

    C is the recipe's strength by the mean squared norm of the originals' features. The bias is not
    penalised. L-BFGS in float64.

    Raises:
        RunFailedError: The search does not end.
    """
    objective = Objective(examples, weights, recipe)
    # thousands of products of one matrix and one vector: handing each to several threads costs
    # many times what it saves where other work has the cores
    with threadpool_limits(1, user_api="blas"):
        found = minimize(
            objective,
            np.append(start.weight, start.bias),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": _ITERATIONS,
                "maxfun": 2 * _ITERATIONS,
                "gtol": _TOLERANCE * objective.strength * objective.norm * float(weights.sum()),
                "ftol": 1e-13,
            },
        )
    if not np.isfinite(found.fun) or found.nit >= _ITERATIONS:
        raise RunFailedError(
            f"repair: the refit does not converge ({found.message})",
            "lower the strength, or scale the features",
        )
    return Row(found.x[:-1], float(found.x[-1]))


class Objective:
    """The loss of a row and its gradient; see :func:`optimum`.

    Args:
        examples: N of them.
        weights: (N,), 0 or more; rows that weigh nothing cost no time.
        recipe: Ridge and label smoothing.

    Attributes:
        norm: Root of the mean squared norm of the originals' features.
        strength: C.
    """

    def __init__(self, examples: Examples, weights: Vector, recipe: Recipe) -> None:
        originals = examples.features[examples.origins == ORIGINAL].astype(np.float64)
        squared = float(np.square(originals).sum(axis=1).mean()) if len(originals) else 1.0
        self.norm = float(np.sqrt(squared or 1.0))
        self.strength = recipe.strength / (squared or 1.0)
        used = weights > 0
        self._weights = self.strength * weights[used]
        self._features = examples.features[used].astype(np.float64)
        self._offsets = examples.offsets[used]
        self._targets = examples.answers[used] * (1 - recipe.smoothing) + recipe.smoothing / 2

    def __call__(self, point: Vector) -> tuple[float, Vector]:
        """Return the value and the (K + 1,) gradient at (w, b)."""
        weight = point[:-1]
        scores = self._features @ weight + point[-1] + self._offsets
        losses = np.logaddexp(0, scores) - self._targets * scores
        residual = self._weights * (expit(scores) - self._targets)
        value = float(self._weights @ losses) + 0.5 * float(weight @ weight)
        return value, np.append(self._features.T @ residual + weight, residual.sum())
