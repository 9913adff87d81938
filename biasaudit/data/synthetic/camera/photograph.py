"""One photograph: ground, light, device, and what a camera makes of them."""

from __future__ import annotations

import numpy as np

from biasaudit.data.sample import Image
from biasaudit.data.synthetic.camera.device import draw_device
from biasaudit.data.synthetic.camera.grounds import paint_ground
from biasaudit.data.synthetic.camera.paint import Picture
from biasaudit.data.synthetic.camera.style import Light, Surroundings

OVERSAMPLING = 2
"""Canvas pixels on a side of one image pixel."""


def photograph(
    orientation: str, around: Surroundings, size: int, rng: np.random.Generator
) -> Image:
    """Draw a photograph at twice its size, and shrink it.

    Two photographs that differ in ``orientation`` alone differ in the two critical areas alone.

    Args:
        orientation: A class.
        around: Viewpoint, light and ground.
        size: S, the side in px.
        rng: Draws everything else.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    side = size * OVERSAMPLING
    picture = paint_ground(around.ground, side, rng)
    draw_device(picture, orientation, around.view, around.light, rng)
    _light(picture, around.light)
    return _develop(picture, size, rng)


def _light(picture: Picture, light: Light) -> None:
    """Tint the picture and darken it away from the lamp, in place."""
    at = np.linspace(-0.5, 0.5, len(picture))
    near = np.cos(light.angle) * at[None, :] - np.sin(light.angle) * at[:, None]
    picture *= np.asarray(light.colour) * (1 + light.fall * near)[..., None]


def _develop(picture: Picture, size: int, rng: np.random.Generator) -> Image:
    """Shrink the canvas, and give it a camera's exposure, contrast and noise."""
    blocks = np.clip(picture, 0, 255).reshape(size, OVERSAMPLING, size, OVERSAMPLING, 3)
    image = blocks.mean(axis=(1, 3))
    image = (image - 128) * rng.uniform(0.9, 1.06) + 128 + rng.uniform(-8, 8)
    image += rng.standard_normal(image.shape) * rng.uniform(1.5, 3.5)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
