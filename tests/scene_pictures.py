"""Pictures that look like photographs to a hash: smooth noise by seed."""

import numpy as np
import PIL.Image


def scene(seed, size=(160, 120)):
    """A picture of soft blobs: what a photograph has and noise has not."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return PIL.Image.fromarray(small).resize(size, PIL.Image.Resampling.BICUBIC)
