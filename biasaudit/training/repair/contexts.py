"""What labels of contexts tell a refit: which images are scarce, which recipe ignores a context.

Weights by the inverse of P(answer | contexts) make an answer independent of what it usually comes
with: P. R. Rosenbaum and D. B. Rubin, *The Central Role of the Propensity Score in Observational
Studies for Causal Effects*, Biometrika 1983.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from biasaudit.statistics import auroc

LEAST = 10
"""Images that either bias-conflicting group of a context must have to be ranked."""
_RIDGE = 1.0


def inverse_propensities(
    answers: NDArray[np.bool_], contexts: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return P(answer) / P(answer | contexts) of each image.

    P(answer | contexts) is a logistic regression on the contexts, each by itself, with a ridge
    of ½‖w‖².

    Args:
        answers: (N,) whether the image shows the object; N is 1 or more.
        contexts: (N, A) which contexts it shows.

    Returns:
        (N,), above 0: above 1 where the contexts speak for the other answer.
    """
    inputs = np.column_stack([contexts.astype(np.float64), np.ones(len(answers))])

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = inputs @ point
        ridge = np.append(_RIDGE * point[:-1], 0.0)
        value = float((np.logaddexp(0, scores) - answers * scores).sum() + ridge @ point / 2)
        return value, inputs.T @ (expit(scores) - answers) + ridge

    start = np.zeros(inputs.shape[1])
    scores = inputs @ minimize(loss, start, jac=True, method="L-BFGS-B").x
    share = np.where(answers, answers.mean(), 1 - answers.mean())
    return np.asarray(share / expit(np.where(answers, scores, -scores)))


def conflicting_auroc(
    scores: NDArray[np.float64], answers: NDArray[np.bool_], contexts: NDArray[np.bool_]
) -> float:
    """Return how scores rank the bias-conflicting groups of the context that misleads most.

    The groups of a context are the object without it and the context without the object.

    Args:
        scores: (N,) logits.
        answers: (N,) the right answers.
        contexts: (N, A) which contexts each image shows.

    Returns:
        The smallest AUROC over the contexts whose groups have :data:`LEAST` images each; NaN
        where none has.
    """
    found = []
    for shown in contexts.T:
        there, misleads = answers & ~shown, ~answers & shown
        if min(there.sum(), misleads.sum()) >= LEAST:
            found.append(auroc(scores[there], scores[misleads]))
    return min(found, default=math.nan)
