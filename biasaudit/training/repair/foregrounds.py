"""The object found in images that nobody has drawn on, by the few regions that somebody has.

A linear classifier of pixels, on features that the network has anyway, is fitted to the labelled
regions; GrabCut (C. Rother, V. Kolmogorov and A. Blake, SIGGRAPH 2004; OpenCV's) then follows the
colours of the image from where the classifier is sure. What is found costs no label and is no
label: labelled images held back tell how good it is, and a model prunes what does not look like
the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from biasaudit.guidance.edits import grown, remove
from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.classifier import Classifier
from biasaudit.training.repair.edits import as_bytes, as_float, in_front_of_one_colour

RIDGES = (0.03, 0.1, 0.3)
"""Penalties that are compared by IoU on regions held back."""
FOLDS = 3
"""Parts of the labelled images, each held back once."""
PIXELS = 128
"""Drawn of each image inside the region, and as many outside."""
SURE = 1.0
"""Scores beyond this, to either side, are not for GrabCut to change."""
SPREAD = 0.1
"""Of the fill where a region is taken out to look at the rest, a share of the side."""

Pixels = Callable[[int], Tensor]
"""The (3, S, S) uint8 image of a number."""
Scores = Callable[[Iterable[Tensor]], NDArray[np.float64]]
"""A model's score of the object for (3, S, S) uint8 images, (N,)."""
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Foregrounds:
    """Regions found, and how good they are to be taken.

    Attributes:
        regions: By the number of an image, (S, S) float, 1 inside: those that were kept.
        proposed: How many were found before pruning.
        iou: Mean intersection over union with labelled regions held back, in [0, 1].
        kept_iou: The same over those that pruning would have kept; NaN where it keeps none.
        held_back: How many labelled regions that is measured on.
        kept_held_back: How many of these pruning would have kept.
    """

    regions: dict[int, Tensor]
    proposed: int
    iou: float
    kept_iou: float
    held_back: int
    kept_held_back: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the figures as JSON takes them."""
        return {
            "proposed": self.proposed,
            "kept": len(self.regions),
            "iou": self.iou,
            "kept_iou": None if np.isnan(self.kept_iou) else self.kept_iou,
            "held_back": self.held_back,
            "kept_held_back": self.kept_held_back,
        }


@dataclass(frozen=True)
class Images:
    """Where the object is sought, and what shows how it looks.

    Attributes:
        pixels: Gives the image of a number, (3, S, S) uint8.
        labelled: By the number of an image, its (S, S) region in [0, 1]; two images or more.
        without: Images that do not show the object: all of them ground.
        unlabelled: Images that show the object, without a region.
    """

    pixels: Pixels
    labelled: Mapping[int, Tensor]
    without: Sequence[int]
    unlabelled: Sequence[int]


def propagate(
    model: Classifier,
    images: Images,
    score: Scores,
    seed: int,
    tell: Callable[[int], None] = lambda _: None,
) -> Foregrounds:
    """Find the object in images without a region.

    Args:
        model: In evaluation mode: gives the features.
        images: Where it is sought.
        score: A model's score, which prunes: a region is kept where the part cut out scores higher
            than the image without it.
        seed: Of the pixels, folds and grounds drawn, 0 or more.
        tell: Called with 1 for each image done.
    """
    with _hypercolumns(model) as columns:
        generator = np.random.default_rng([seed, len(images.labelled)])
        rows = sorted(images.labelled)
        dealt = generator.permutation(len(rows)) % min(FOLDS, len(rows))
        folds = {row: int(fold) for row, fold in zip(rows, dealt, strict=True)}
        pieces = _pieces(columns, images, folds, generator, tell)
        ridge, folded = _held_back(columns, images, folds, pieces)
        ious = {row: _iou(found, images.labelled[row]) for row, found in folded.items()}
        classifier = fit_pixels(pieces, ridge)
        found: dict[int, Tensor] = {}
        for row in images.unlabelled:
            image = images.pixels(row)
            region = cut(image, classifier(columns(image), image.shape[-1]))
            if 0 < float(region.mean()) < 1:
                found[row] = region
            tell(1)
    kept = _plausible(images.pixels, found, score)
    sound = set(_plausible(images.pixels, folded, score))
    return Foregrounds(
        kept,
        len(found),
        float(np.mean(list(ious.values()))),
        float(np.mean([ious[row] for row in sound])) if sound else float("nan"),
        len(ious),
        len(sound),
    )


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
        return sum(
            _iou((found > 0).float(), images.labelled[row]) for row, found in scores[ridge].items()
        )

    best = max(RIDGES, key=quality)
    return best, {row: cut(images.pixels(row), found) for row, found in scores[best].items()}


def _iou(found: Tensor, region: Tensor) -> float:
    a, b = found > 0.5, region > 0.5
    return float((a & b).sum()) / max(1, int((a | b).sum()))


@torch.no_grad()
def _plausible(pixels: Pixels, regions: Mapping[int, Tensor], score: Scores) -> dict[int, Tensor]:
    """Return the regions whose part cut out scores higher than the image without it."""
    rows = list(regions)
    if not rows:
        return {}
    alone = score(_alone(pixels(row), regions[row]) for row in rows)
    rest = score(_rest(pixels(row), regions[row]) for row in rows)
    return {row: regions[row] for row, a, b in zip(rows, alone, rest, strict=True) if a > b}


def _alone(image: Tensor, region: Tensor) -> Tensor:
    return as_bytes(in_front_of_one_colour(as_float(image), region[None])[0])


def _rest(image: Tensor, region: Tensor) -> Tensor:
    return as_bytes(remove(as_float(image), grown(region[None], 0.03), SPREAD)[0])
