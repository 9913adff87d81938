"""Copies of training images as a camera might have taken them: cropped, mirrored, recoloured.

A trained network tells its own training images apart more surely than others, so that a refit on
their features alone believes them easier than they are. Copies that it never saw are answered
less surely, and hold a refit back where edits would make it say yes to anything new.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from biasaudit.data.sample import Sample

ASPECT = 4 / 3
"""Crops are stretched by up to so much either way."""
COLOUR = 0.2
"""Brightness, contrast and saturation change by up to this share."""
HUE = 0.03
"""Hue turns by up to this share of the circle."""


def augmented(image: Tensor, least: float, generator: np.random.Generator) -> Tensor:
    """Return a crop of an image, enlarged to its size, mirrored half of the time, recoloured.

    Args:
        image: (3, S, S) uint8.
        least: The smallest share of the area that a crop keeps, in (0, 1].
        generator: What it draws from.
    """
    side = image.shape[-1]
    area, stretch = generator.uniform(least, 1), math.log(ASPECT)
    ratio = math.exp(generator.uniform(-stretch, stretch))
    height = min(side, max(1, round(side * math.sqrt(area / ratio))))
    width = min(side, max(1, round(side * math.sqrt(area * ratio))))
    top, left = generator.integers(side - height + 1), generator.integers(side - width + 1)
    made = functional.resized_crop(
        image, int(top), int(left), height, width, [side, side], antialias=True
    )
    changes = generator.uniform(1 - COLOUR, 1 + COLOUR, 3)
    made = functional.adjust_brightness(made, float(changes[0]))
    made = functional.adjust_contrast(made, float(changes[1]))
    made = functional.adjust_saturation(made, float(changes[2]))
    made = functional.adjust_hue(made, float(generator.uniform(-HUE, HUE)))
    return made.flip(-1) if generator.random() < 0.5 else made


def augmented_copies(
    samples: Sequence[Sample],
    pixels: Callable[[int], Tensor],
    least: Iterable[float],
    number: int,
    seed: int,
) -> Iterator[Tensor]:
    """Yield one copy of each image; the order of the images changes none of them.

    Args:
        samples: The images.
        pixels: Gives the (3, S, S) uint8 image of a position.
        least: Of each image, the smallest share of its area that a crop keeps.
        number: Which copy.
        seed: 0 or more.
    """
    for row, (sample, share) in enumerate(zip(samples, least, strict=True)):
        key = [seed, zlib.crc32(sample.id.encode()), zlib.crc32(b"augmented"), number]
        yield augmented(pixels(row), share, np.random.default_rng(key))


def one_thread(items: Iterable[Tensor]) -> Iterator[Tensor]:
    """Make items by one thread each: many small operations, and several threads cost more."""
    threads = torch.get_num_threads()
    made = iter(items)
    while True:
        torch.set_num_threads(1)
        try:
            item = next(made, None)
        finally:
            torch.set_num_threads(threads)
        if item is None:
            return
        yield item
