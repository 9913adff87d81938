"""The operating point: temperature and threshold that turn raw scores into probabilities.

A score above 0 is a yes because training made it so, not because it fits best on images that the
model has not seen. Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines")
fits p = sigmoid((score - threshold) / temperature) by maximum likelihood on held-out images, and
p > 1/2, which is score > threshold, is the fitted decision. Ranks, and so the AUROC, do not change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """What was fitted, and on how many images.

    Attributes:
        n: Images that it was fitted on.
        positives: Those among them that have the object.
        temperature: Score units that change the log-odds by one, above 0; None where there is no
            operating point.
        threshold: The score at even odds; None likewise.
        nll_raw: Mean negative log-likelihood, in nats, of the labels under sigmoid(score).
        nll_fitted: The same under the fitted probabilities.
        note: Why there is no operating point, else empty.
    """

    n: int
    positives: int
    temperature: float | None = None
    threshold: float | None = None
    nll_raw: float | None = None
    nll_fitted: float | None = None
    note: str = ""

    def probability(self, scores: ArrayLike) -> Floats:
        """Return the fitted probability of the object, in [0, 1].

        Args:
            scores: (N,) raw scores.

        Returns:
            (N,), NaN where there is no operating point.
        """
        values = np.asarray(scores, dtype=np.float64)
        if self.temperature is None or self.threshold is None:
            return np.full(values.shape, np.nan)
        return np.asarray(special.expit((values - self.threshold) / self.temperature))

    def decision(self, scores: ArrayLike) -> Floats:
        """Return 1 where a score lies above the threshold, 0 where it does not.

        Args:
            scores: (N,) raw scores.

        Returns:
            (N,), NaN where there is no operating point.
        """
        values = np.asarray(scores, dtype=np.float64)
        if self.threshold is None:
            return np.full(values.shape, np.nan)
        return np.asarray(values > self.threshold, dtype=np.float64)


def fit_operating_point(scores: ArrayLike, labels: ArrayLike) -> OperatingPoint:
    """Fit temperature and threshold to held-out images by Platt scaling.

    The targets are Platt's, (N₊ + 1) / (N₊ + 2) and 1 / (N₋ + 2) instead of 1 and 0, so that scores
    that part the labels without error have a finite temperature too.

    Args:
        scores: (N,) raw scores of the object.
        labels: (N,) 1 where the object is there, else 0.

    Returns:
        A point without temperature and threshold, and a note that says why, where one answer alone
        is right, the scores are all alike or not finite, or where higher scores do not speak for
        the object.

    Raises:
        ValueError: A label is neither 0 nor 1, or the arrays differ in length.
    """
    values, there = _checked(scores, labels)
    n, positives = len(there), int(there.sum())
    note = _no_fit(values, positives)
    if note:
        return OperatingPoint(n, positives, note=note)
    # Standardised, so that the fit does not depend on the scores' unit and origin.
    centre, unit = float(values.mean()), float(values.std())
    slope, offset = _fit((values - centre) / unit, _platt_targets(there))
    if slope <= 0:
        return OperatingPoint(n, positives, note="higher scores do not speak for the object")
    temperature, threshold = unit / slope, centre - unit * offset / slope
    fitted = (values - threshold) / temperature
    return OperatingPoint(
        n,
        positives,
        temperature,
        threshold,
        float(_losses(values, there).mean()),
        float(_losses(fitted, there).mean()),
    )


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats]:
    values = np.asarray(scores, dtype=np.float64).ravel()
    there = np.asarray(labels, dtype=np.float64).ravel()
    if len(values) != len(there):
        raise ValueError(f"{len(values)} scores and {len(there)} labels")
    if not np.isin(there, (0, 1)).all():
        raise ValueError("labels are 0 or 1")
    return values, there


def _no_fit(values: Floats, positives: int) -> str:
    """Return why these scores and labels determine no operating point, or an empty text."""
    if positives in (0, len(values)):
        return "all images have the object" if positives else "no image has the object"
    if not np.isfinite(values).all():
        return "a score is not finite"
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return "all scores are alike"
    return ""


def _platt_targets(there: Floats) -> Floats:
    positives = there.sum()
    yes, no = (positives + 1) / (positives + 2), 1 / (len(there) - positives + 2)
    return np.where(there == 1, yes, no)


def _losses(logits: Floats, targets: Floats) -> Floats:
    """Return the cross-entropy of each target and sigmoid(logit), without overflow."""
    return np.asarray(np.logaddexp(0.0, logits) - targets * logits)


def _fit(values: Floats, targets: Floats) -> tuple[float, float]:
    """Return slope and offset of the logit; strictly convex, for no target is 0 or 1."""
    design = np.stack([values, np.ones_like(values)], axis=1)

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = design @ weights
        residual = special.expit(logits) - targets
        return float(_losses(logits, targets).mean()), design.T @ residual / len(design)

    def curvature(weights: Floats) -> Floats:
        p = special.expit(design @ weights)
        return np.asarray((design.T * (p * (1 - p))) @ design / len(design))

    mean = float(targets.mean())
    start = np.array([0.0, math.log(mean / (1 - mean))])
    found = optimize.minimize(
        loss, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-10}
    )
    return float(found.x[0]), float(found.x[1])
