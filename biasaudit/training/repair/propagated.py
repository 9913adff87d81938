"""The object found by a classifier of pixels and by colour.

A linear classifier of pixels, on features that the network has anyway, is fitted to the labelled
regions; GrabCut (C. Rother, V. Kolmogorov and A. Blake, SIGGRAPH 2004; OpenCV's) then follows the
colours of the image from where the classifier is sure. Every labelled image is held back once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from biasaudit.data.annotation.outlines import cut_out
from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.classifier import Classifier
from biasaudit.training.repair.examples import Tell
from biasaudit.training.repair.foregrounds import Found, Images, folds_of, overlap

RIDGES = (0.03, 0.1, 0.3)
"""Penalties that are compared by IoU on regions held back."""
PIXELS = 128
"""Drawn of each image inside the region, and as many outside."""
SURE = 1.0
"""Scores beyond this, to either side, are not for GrabCut to change."""

Vector = NDArray[np.float64]


def propagate(model: Classifier, images: Images, seed: int, tell: Tell) -> Found:
    """Propose regions; a :class:`biasaudit.training.repair.foregrounds.Finder`."""

    def done(count: int) -> None:
        tell("images", count)

    with _hypercolumns(model) as columns:
        generator = np.random.default_rng([seed, len(images.labelled)])
        folds = folds_of(images, generator)
        pieces = _pieces(columns, images, folds, generator, done)
        ridge, held_back = _held_back(columns, images, folds, pieces)
        classifier = fit_pixels(pieces, ridge)
        found: dict[int, Tensor] = {}
        for row in images.unlabelled:
            image = images.pixels(row)
            found[row] = cut(image, classifier(columns(image), image.shape[-1]))
            done(1)
    return Found(found, held_back)


@dataclass(frozen=True)
class Piece:
    """What the pixels of some images say: a weighted sum over them.

    Attributes:
        gram: (K + 1, K + 1) Σ weight · x xᵀ, a 1 behind the K features.
        target: (K + 1,) Σ weight · answer · x, answers of 1 inside and −1 outside.
    """

    gram: Vector
    target: Vector

    def __add__(self, other: Piece) -> Piece:
        """Return the sums over the pixels of both."""
        return Piece(self.gram + other.gram, self.target + other.target)


class PixelClassifier:
    """Scores of pixels: above 0 inside.

    Args:
        weight: (K + 1,), the last one the intercept.
    """

    def __init__(self, weight: NDArray[np.floating]) -> None:
        self._weight = torch.from_numpy(weight).float()

    def __call__(self, columns: Tensor, size: int) -> Tensor:
        """Return (size, size) scores of the (G·G, K) features of one image."""
        side = round(len(columns) ** 0.5)
        scores = columns @ self._weight[:-1] + self._weight[-1]
        larger: Tensor = functional.interpolate(
            scores.reshape(1, 1, side, side), (size, size), mode="bilinear", align_corners=False
        )
        return larger[0, 0]


def fit_pixels(pieces: Sequence[Piece], ridge: float) -> PixelClassifier:
    """Fit by least squares, each feature penalised by ``ridge`` times its variance."""
    whole = reduce(add, pieces)
    gram, target = whole.gram, whole.target
    total = gram[-1, -1]
    variance = np.diag(gram) / total - (gram[-1] / total) ** 2
    penalty = ridge * total * np.maximum(variance, 1e-12)
    penalty[-1] = 0.0
    return PixelClassifier(np.linalg.solve(gram + np.diag(penalty), target))


def cut(image: Tensor, scores: Tensor) -> Tensor:
    """Follow the image's colours from where the scores are sure.

    Args:
        image: (3, S, S) uint8.
        scores: (S, S), above 0 inside.

    Returns:
        (S, S) float, 1 inside. Where the scores name no inside or no outside, as they are.
    """
    values = scores.numpy()
    likely, sure = values > 0, (values > SURE) | (values <= -SURE)
    if likely.any() and not likely.all():
        likely = cut_out(image.permute(1, 2, 0).numpy(), likely, sure)
    return torch.from_numpy(likely).float()


Columns = Callable[[Tensor], Tensor]
"""The (G·G, K) features of one (3, S, S) uint8 image."""


@contextmanager
def _hypercolumns(model: Classifier) -> Iterator[Columns]:
    """Give for each place of an image what the network's layers have there.

    The last map of each resolution, the attention layer's own among them, brought to one grid of
    an eighth of the image's side (B. Hariharan et al., *Hypercolumns*, CVPR 2015).
    """
    seen: dict[torch.Size, Tensor] = {}

    def note(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            seen[output.shape[2:]] = output

    device = next(model.parameters()).device

    @torch.no_grad()
    def columns(image: Tensor) -> Tensor:
        seen.clear()
        size = image.shape[-1]
        grid = (max(8, size // 8),) * 2
        with untouched_batch_norm(model):
            features = model(image[None].to(device).float() / 255).features
        seen[features.shape[2:]] = features
        maps = [seen[shape] for shape in sorted(seen) if max(shape) <= size // 4]
        return torch.cat([_to_grid(one, grid) for one in maps], dim=1)[0].flatten(1).T.cpu()

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        yield columns
    finally:
        for handle in handles:
            handle.remove()


def _to_grid(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    if maps.shape[-1] > grid[1]:
        return functional.adaptive_avg_pool2d(maps, grid)
    return functional.interpolate(maps, grid, mode="bilinear", align_corners=False)


def _pieces(
    columns: Columns,
    images: Images,
    folds: Mapping[int, int],
    generator: np.random.Generator,
    tell: Callable[[int], None],
) -> list[Piece]:
    """Return the sums of each fold of the labelled images, and of as many grounds."""
    drawn = generator.permutation(sorted(images.without))[: len(folds)].tolist()
    dealt = [*folds.items(), *zip(drawn, folds.values(), strict=False)]
    pieces: dict[int, Piece] = {}
    for row, fold in dealt:
        features = columns(images.pixels(row))
        side = round(len(features) ** 0.5)
        inside = np.zeros(len(features), dtype=bool)
        if row in images.labelled:
            region = images.labelled[row][None, None].float()
            inside = _to_grid(region, (side, side)).flatten().numpy() > 0.5
        piece = _sums(features.numpy(), inside, generator)
        pieces[fold] = pieces[fold] + piece if fold in pieces else piece
        tell(1)
    return [pieces[fold] for fold in sorted(pieces)]


def _sums(
    features: NDArray[np.float32],
    inside: NDArray[np.bool_],
    generator: np.random.Generator,
) -> Piece:
    """Draw pixels of one image; those inside weigh ½ together, and so do those outside."""
    chosen, weights, answers = [], [], []
    for part, answer in ((inside, 1.0), (~inside, -1.0)):
        there = generator.permutation(np.flatnonzero(part))[:PIXELS]
        chosen.append(there)
        weights.append(np.full(len(there), 0.5 / max(1, len(there))))
        answers.append(np.full(len(there), answer))
    rows = features[np.concatenate(chosen)]
    augmented = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    weight = np.concatenate(weights)
    weighted = augmented * weight[:, None].astype(np.float32)
    return Piece(
        (weighted.T @ augmented).astype(np.float64),
        weighted.T.astype(np.float64) @ np.concatenate(answers),
    )


def _held_back(
    columns: Columns,
    images: Images,
    folds: Mapping[int, int],
    pieces: Sequence[Piece],
) -> tuple[float, dict[int, Tensor]]:
    """Return the penalty that finds labelled regions best, and what it finds of each held back."""
    scores: dict[float, dict[int, Tensor]] = {ridge: {} for ridge in RIDGES}
    for fold in range(len(pieces)):
        others = [piece for number, piece in enumerate(pieces) if number != fold]
        classifiers = {ridge: fit_pixels(others, ridge) for ridge in RIDGES}
        for row in (row for row, own in folds.items() if own == fold):
            image = images.pixels(row)
            features = columns(image)
            for ridge, classifier in classifiers.items():
                scores[ridge][row] = classifier(features, image.shape[-1])

    def quality(ridge: float) -> float:
        found = scores[ridge].items()
        return sum(overlap((one > 0).float(), images.labelled[row]) for row, one in found)

    best = max(RIDGES, key=quality)
    return best, {row: cut(images.pixels(row), found) for row, found in scores[best].items()}
