"""Many edited versions of the labelled training images: with the object, yes; without it, no.

Each edit is drawn by its own random numbers, from the seed, the image's id, the kind and the
number of the edit: neither the order of the images nor what else is made changes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from biasaudit.data.sample import Sample
from biasaudit.data.splits import edits as exact
from biasaudit.guidance.edits import grown, paste, placed, remove
from biasaudit.models.classifier import IMAGENET_MEAN

Pixels = Callable[[int], Tensor]
"""The (3, S, S) uint8 image of a number."""

_ATTEMPTS = 40
"""Windows drawn in search of one beside the object."""


@dataclass(frozen=True)
class EditRecipe:
    """How many edits of each labelled image are made, and how.

    Attributes:
        pasted: The object on another image without it: yes.
        blurred: The object filled with the colours around it: no.
        covered: The object covered by a piece of another image: no.
        inpainted: The object filled by Telea's method: no.
        crops: The object in its tight box, enlarged to the whole image: yes.
        windows: Parts of the image beside the object, enlarged likewise: no.
        alone: The region in front of one colour: the answer of its image. Its seam is drawn, and
            nothing else: more than a few differ in little but their mirroring.
        scale: A pasted object is scaled by a factor drawn between 1/scale and scale.
        least_area: And enlarged where it would cover less of the image than this share.
        shift: And moved by up to this share of the image's side.
        margin: What is taken out is the region and so much around it, a share of the side.
        edge: The seam's blur is drawn between 0 and this standard deviation, a share of the side.
        jitter: Brightness and colour of what is pasted change by up to about this share.
    """

    pasted: int = 8
    blurred: int = 2
    covered: int = 4
    inpainted: int = 1
    crops: int = 0
    windows: int = 0
    alone: int = 0
    scale: float = 1.5
    least_area: float = 0.06
    shift: float = 0.15
    margin: float = 0.03
    edge: float = 0.012
    jitter: float = 0.2

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind are made of each labelled image."""
        return {kind: int(getattr(self, kind)) for kind in KINDS}


@dataclass(frozen=True)
class Edit:
    """One edited image.

    Attributes:
        image: (3, S, S) uint8.
        kind: A name in :data:`KINDS`.
        answer: Whether it shows the object.
        source: The labelled image that it was made from.
        ground: The other image that is seen in it; -1 where there is none.
    """

    image: Tensor
    kind: str
    answer: bool
    source: int
    ground: int = -1


@dataclass(frozen=True)
class _Draw:
    """What one edit is made from: (1, 3, S, S) images and a (1, S, S) region, in [0, 1]."""

    image: Tensor
    region: Tensor
    other: Tensor | None
    number: int
    recipe: EditRecipe
    generator: torch.Generator

    def uniform(self, *shape: int) -> Tensor:
        """Draw numbers in [0, 1)."""
        return torch.rand(shape, generator=self.generator)

    def seam(self) -> float:
        """Draw the seam's standard deviation in px; a very narrow one is none."""
        sigma = float(self.uniform()) * self.recipe.edge * self.image.shape[-1]
        return sigma if sigma > 0.3 else 0.0

    @property
    def wide(self) -> Tensor:
        """The region with its margin."""
        return grown(self.region, self.recipe.margin)


def assign_folds(
    samples: Sequence[Sample], object: str, count: int, seed: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Deal images into cross-validation folds, of each answer and source alike many.

    Args:
        samples: The training images, in any order.
        object: Whose presence is the answer.
        count: Folds, 2 or more.
        seed: 0 or more.

    Returns:
        (N,) numbers from 0 to ``count`` - 1.
    """
    strata: dict[tuple[bool, str], list[int]] = {}
    for i in sorted(range(len(samples)), key=lambda i: samples[i].id):
        strata.setdefault((object in samples[i].labels, samples[i].source), []).append(i)
    generator = np.random.default_rng([seed, count])
    folds = np.zeros(len(samples), dtype=np.int64)
    for key in sorted(strata):
        places = generator.permutation(len(strata[key])) + generator.integers(count)
        folds[strata[key]] = places % count
    return folds


def make_edits(
    samples: Sequence[Sample],
    pixels: Pixels,
    regions: Mapping[int, Tensor],
    grounds: Mapping[int, Sequence[int]],
    recipe: EditRecipe,
    seed: int,
    answers: Sequence[bool] | None = None,
) -> Iterator[Edit]:
    """Yield the edits of all labelled images.

    Args:
        samples: The training images.
        pixels: Gives the image of a number, (3, S, S) uint8.
        regions: By the number of a labelled image, its (S, S) region in [0, 1].
        grounds: By the number of a labelled image, the images without the object that its edits
            may use. An image without any is neither pasted nor covered.
        recipe: How many, and how.
        seed: 0 or more.
        answers: By number, whether an image shows the object. What shows the region of an image
            without it is made in the kinds that keep the answer of their image alone. None where
            all labelled images show it.
    """
    for row, region in regions.items():
        shown = answers is None or bool(answers[row])
        image = as_float(pixels(row))
        backdrops = sorted(grounds.get(row, ()), key=lambda i: samples[i].id)
        for kind, count in recipe.counts.items():
            how = KINDS[kind]
            if how.answer is not None and not shown:
                continue
            answer = shown if how.answer is None else how.answer
            for number in range(count if backdrops or not how.needs_ground else 0):
                key = [
                    seed,
                    zlib.crc32(samples[row].id.encode()),
                    zlib.crc32(kind.encode()),
                    number,
                ]
                generator = np.random.default_rng(key)
                ground = int(generator.choice(backdrops)) if how.needs_ground else -1
                drawn = _Draw(
                    image,
                    region[None].float(),
                    as_float(pixels(ground)) if how.needs_ground else None,
                    number,
                    recipe,
                    torch.Generator().manual_seed(int(generator.integers(2**62))),
                )
                made = how.make(drawn)
                if made is not None:
                    mirrored = made.flip(-1) if drawn.uniform() < 0.5 else made
                    yield Edit(as_bytes(mirrored[0]), kind, answer, row, ground)


def _pasted(draw: _Draw) -> Tensor:
    recipe, ground = draw.recipe, draw.other
    scale = recipe.scale ** (2 * draw.uniform(1) - 1)
    area = draw.region.mean().clamp_min(1 / draw.region.numel())
    scale = torch.maximum(scale, (recipe.least_area / area).sqrt()[None])
    offset = recipe.shift * (2 * draw.uniform(1, 2) - 1)
    image, region = placed(draw.image, draw.region, scale, offset)
    image = _jittered(image, draw)
    if draw.uniform() < 0.5:
        image, region = image.flip(-1), region.flip(-1)
    return paste(image, region, image if ground is None else ground, draw.seam())


def _covered(draw: _Draw) -> Tensor:
    piece = draw.image if draw.other is None else draw.other
    if draw.uniform() < 0.5:
        piece = piece.flip(-1)
    return paste(piece, (draw.wide > 0).float(), draw.image, draw.seam())


def _blurred(draw: _Draw) -> Tensor:
    # a tight and a wide fill in turn: neither's trace is all there is to learn
    margin, spread = ((0.02, 0.1), (0.05, 0.05))[draw.number % 2]
    return remove(draw.image, grown(draw.region, margin), spread)


def _inpainted(draw: _Draw) -> Tensor | None:
    hole = draw.wide[0].numpy() > 0
    if hole.all():
        return None
    picture = as_bytes(draw.image[0]).permute(1, 2, 0).numpy()
    return as_float(torch.from_numpy(exact.remove(picture, hole)).permute(2, 0, 1))


def _crop(draw: _Draw) -> Tensor | None:
    """Return the object in its box; None where it is too small to be enlarged."""
    side = draw.image.shape[-1]
    ends = []
    for axis in (1, 0):
        there = torch.nonzero(draw.region[0].amax(dim=axis) > 0)[:, 0]
        if len(there) < 0.15 * side:
            return None
        rim = round(0.05 * side) * (draw.number % 2)
        ends.append((max(0, int(there[0]) - rim), min(side, int(there[-1]) + 1 + rim)))
    (top, bottom), (left, right) = ends
    return _enlarged(draw.image[:, :, top:bottom, left:right], side)


def _window(draw: _Draw) -> Tensor | None:
    """Return a part beside the object; None where none is found."""
    side, wide = draw.image.shape[-1], draw.wide[0]
    for _ in range(_ATTEMPTS):
        sizes = (side * (0.35 + 0.4 * draw.uniform(2))).int()
        top, left = (draw.uniform(2) * (side - sizes + 1)).int().tolist()
        bottom, right = top + int(sizes[0]), left + int(sizes[1])
        if float(wide[top:bottom, left:right].max()) == 0:
            return _enlarged(draw.image[:, :, top:bottom, left:right], side)
    return None


def _alone(draw: _Draw) -> Tensor:
    return in_front_of_one_colour(draw.image, draw.region, draw.seam())


def in_front_of_one_colour(image: Tensor, region: Tensor, seam: float = 0.0) -> Tensor:
    """Return (1, 3, S, S) images in [0, 1] of nothing but their (1, S, S) regions.

    Args:
        image: (1, 3, S, S) in [0, 1].
        region: (1, S, S) in [0, 1].
        seam: Standard deviation in px of the blur at the rim.
    """
    # black or white would be an edge; the colour that normalisation calls zero is the least loud
    ground = torch.tensor(IMAGENET_MEAN)[None, :, None, None].expand_as(image)
    return paste(image, grown(region, 0.01), ground, seam)


@dataclass(frozen=True)
class EditKind:
    """A way to edit, and what the answer then is; None where it is that of the edited image."""

    make: Callable[[_Draw], Tensor | None]
    answer: bool | None
    needs_ground: bool = False
    crop: bool = False


KINDS: Mapping[str, EditKind] = {
    "pasted": EditKind(_pasted, answer=True, needs_ground=True),
    "blurred": EditKind(_blurred, answer=False),
    "covered": EditKind(_covered, answer=False, needs_ground=True),
    "inpainted": EditKind(_inpainted, answer=False),
    "crops": EditKind(_crop, answer=True, crop=True),
    "windows": EditKind(_window, answer=False, crop=True),
    "alone": EditKind(_alone, answer=None),
}


def _jittered(image: Tensor, draw: _Draw) -> Tensor:
    """Change brightness, and each colour for itself."""
    jitter = draw.recipe.jitter
    colour = jitter * (draw.uniform(3, 1, 1) - 0.5)
    brightness = 1.5 * jitter * (draw.uniform(1, 1, 1) - 0.5)
    return (image * (1 + colour + brightness)).clamp(0, 1)


def _enlarged(part: Tensor, side: int) -> Tensor:
    resized: Tensor = functional.interpolate(
        part, (side, side), mode="bilinear", antialias=True, align_corners=False
    )
    return resized.clamp(0, 1)


def as_float(image: Tensor) -> Tensor:
    """Return a (3, S, S) uint8 image as (1, 3, S, S) in [0, 1]."""
    return image[None].float() / 255


def as_bytes(image: Tensor) -> Tensor:
    """Return a (3, S, S) image in [0, 1] as uint8."""
    return (image * 255).round().clamp(0, 255).to(torch.uint8)
