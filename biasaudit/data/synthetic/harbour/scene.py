"""One scene: composition and random numbers in, picture and labels out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from biasaudit.data.sample import Image, Mask
from biasaudit.data.synthetic.harbour.boats import draw_boat
from biasaudit.data.synthetic.harbour.canvas import LABEL, NOTHING, OVERSAMPLING, Canvas, Pen, mix
from biasaudit.data.synthetic.harbour.composition import Composition
from biasaudit.data.synthetic.harbour.grounds import View, paint_grounds
from biasaudit.data.synthetic.harbour.objects import PAINTERS, draw_rock
from biasaudit.data.synthetic.harbour.placement import Placed, place
from biasaudit.data.synthetic.harbour.sky import Hour, draw_hour, paint_sky
from biasaudit.data.synthetic.harbour.textures import Field

_DRAW = {**PAINTERS, "boat": draw_boat, "rock": draw_rock}


@dataclass(frozen=True)
class Picture:
    """A drawn scene.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        labels: (S, S) uint8; each pixel belongs to one class or to none.
    """

    image: Image
    labels: NDArray[np.uint8]

    def mask(self, name: str) -> Mask:
        """Return the visible pixels of one object or context class, (S, S)."""
        mask: Mask = self.labels == LABEL[name]
        return mask


def draw_scene(scene: Composition, size: int, rng: np.random.Generator) -> Picture:
    """Draw a scene at twice its size, and shrink it.

    Args:
        scene: What it holds.
        size: S, the image's side in px.
        rng: Draws everything else.
    """
    side = size * OVERSAMPLING
    hour = draw_hour(rng)
    view = View.of(side, round(side * rng.uniform(0.25, 0.41)))
    picture = np.empty((side, side, 3), dtype=np.float32)
    labels = np.zeros((side, side), dtype=np.uint8)
    paint_sky(picture, labels, view.horizon, hour, rng)
    bank = paint_grounds(picture, labels, scene, view, hour, rng)
    things = place(scene, view, bank, rng)
    _shade(picture, things, float(rng.uniform(-0.25, 0.25)))
    canvas = Canvas(np.clip(picture, 0, 255).astype(np.uint8), labels, hour.light)
    for thing in things:
        _draw(canvas, thing, hour, rng)
    drawn, marked = canvas.arrays()
    return Picture(_develop(drawn, size, rng), shrink_labels(marked, size))


def _shade(picture: Field, things: list[Placed], lean: float) -> None:
    """Darken the ground at the foot of each thing that stands on land, in place."""
    side = len(picture)
    for thing in things:
        if thing.afloat:
            continue
        half, depth = thing.scale * 0.52, thing.scale * 0.09
        middle = thing.x + lean * thing.scale
        top, bottom = max(0, int(thing.y - depth)), min(side, int(thing.y + depth) + 2)
        left, right = max(0, int(middle - half)), min(side, int(middle + half) + 2)
        y = (np.arange(top, bottom)[:, None] - thing.y) / depth
        x = (np.arange(left, right)[None, :] - middle) / half
        shade = np.clip(1.2 - x**2 - y**2, 0, 1) * 0.45
        picture[top:bottom, left:right] *= (1 - shade)[..., None]


def _draw(canvas: Canvas, thing: Placed, hour: Hour, rng: np.random.Generator) -> None:
    label = LABEL.get(thing.kind, NOTHING)
    pen = Pen(canvas, label, (thing.x, thing.y), thing.scale, thing.mirrored)
    if thing.afloat:
        before = canvas.picture.copy()
        _DRAW[thing.kind](pen, rng)
        _reflect(canvas, before, thing)
        _wet(canvas, thing, hour, rng)
    else:
        _DRAW[thing.kind](pen, rng)


def _reflect(canvas: Canvas, before: PillowImage.Image, thing: Placed) -> None:
    """Mirror what was drawn faintly in the water below its foot."""
    left, right = int(thing.x - thing.scale * 0.6), int(thing.x + thing.scale * 0.6)
    foot, high = int(thing.y), int(thing.scale * 0.9)
    drawn = canvas.picture.crop((left, foot - high, right, foot))
    old = np.asarray(before.crop((left, foot - high, right, foot)), dtype=np.int16)
    changed = np.abs(np.asarray(drawn, dtype=np.int16) - old).sum(axis=2) > 0
    flat = (right - left, max(1, int(high * 0.6)))
    mirrored = drawn.transpose(PillowImage.Transpose.FLIP_TOP_BOTTOM).resize(flat)
    share = PillowImage.fromarray((changed[::-1] * 90).astype(np.uint8)).resize(flat)
    below = canvas.labels.crop((left, foot, right, foot + flat[1]))
    wet = np.asarray(below) == LABEL["water"]
    share = PillowImage.fromarray(np.where(wet, np.asarray(share), 0).astype(np.uint8))
    canvas.picture.paste(mirrored, (left, foot), share)


def _wet(canvas: Canvas, thing: Placed, hour: Hour, rng: np.random.Generator) -> None:
    """Draw small waves along the waterline."""
    foam = mix(hour.horizon, (245, 248, 248), 0.5)
    for _ in range(4):
        middle = thing.x + rng.uniform(-0.5, 0.5) * thing.scale
        half = rng.uniform(0.05, 0.16) * thing.scale
        y = thing.y + rng.uniform(-0.01, 0.05) * thing.scale
        canvas.line([(middle - half, y), (middle + half, y)], foam, thing.scale * 0.015, None)


def _develop(drawn: NDArray[np.uint8], size: int, rng: np.random.Generator) -> Image:
    """Shrink the canvas, and give it a camera's exposure, contrast and noise."""
    small = PillowImage.fromarray(drawn).reduce(OVERSAMPLING)
    image = np.asarray(small, dtype=np.float32)
    image = (image - 128) * rng.uniform(0.88, 1.08) + 128 + rng.uniform(-10, 10)
    image += rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(1.5, 4)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def shrink_labels(labels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Give each image pixel the label that most of its four canvas pixels have."""
    blocks = labels.reshape(size, OVERSAMPLING, size, OVERSAMPLING).transpose(0, 2, 1, 3)
    ordered = np.sort(blocks.reshape(size, size, OVERSAMPLING**2), axis=2)
    # A label on at least three of the four is the second smallest; of an even pair, the smaller.
    return np.ascontiguousarray(ordered[..., 1])
