"""Water, grass, sand and road, seen in perspective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasaudit.data.synthetic.harbour.canvas import LABEL, Colour, channels
from biasaudit.data.synthetic.harbour.composition import Composition
from biasaudit.data.synthetic.harbour.sky import Hour
from biasaudit.data.synthetic.harbour.textures import Field, noise, ridge

_WATER = ((24, 66, 104), (28, 98, 112), (58, 92, 92), (72, 98, 116), (36, 132, 146), (40, 60, 84))
_GRASS = ((92, 132, 56), (120, 142, 62), (70, 114, 60), (146, 148, 78), (84, 126, 84))
_SAND = ((222, 196, 146), (208, 178, 128), (232, 214, 178), (200, 164, 130), (214, 190, 160))
_ROAD = ((112, 112, 116), (92, 94, 100), (136, 132, 128), (122, 124, 132), (146, 146, 148))
_FOAM = (236, 242, 240)


@dataclass(frozen=True)
class View:
    """The rows below the horizon, and where each of their pixels lies on the ground.

    Attributes:
        side: P, the canvas's side.
        horizon: The first of the rows.
        near: (R, 1) closeness of a row: 0 at the horizon, 1 at the lower edge.
        across: (R, P) sideways distance from the middle, one unit a hundredth of the near edge.
        along: (R, 1) distance from the eye in the same unit.
    """

    side: int
    horizon: int
    near: Field
    across: Field
    along: Field

    @classmethod
    def of(cls, side: int, horizon: int) -> View:
        """Look at a flat ground that meets the sky at row ``horizon``."""
        rows = side - horizon
        near = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None]
        distance = 1.06 / (near + 0.06)
        x = (np.arange(side, dtype=np.float32) + 0.5)[None, :] / side - 0.5
        return cls(side, horizon, near, x * 100 * distance, 90 * distance)


def paint_grounds(
    picture: Field,
    labels: NDArray[np.uint8],
    scene: Composition,
    view: View,
    hour: Hour,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Paint the ground, and the bank over it, and return where the bank lies, (P, P).

    Args:
        picture: (P, P, 3) in [0, 255], painted in place.
        labels: (P, P), written in place.
        scene: Which grounds, and where the bank lies.
        view: The perspective.
        hour: The light.
        rng: Draws the textures.
    """
    surface = _surface(scene.ground, view, hour, rng)
    bank = np.zeros((view.side, view.side), dtype=bool)
    labels[view.horizon :] = LABEL[scene.ground]
    if scene.bank is not None:
        inside = _bank_share(scene.bank_place, view, rng)
        edge = np.clip(1 - np.abs(inside) * 40, 0, 1)[..., None]
        other = _surface(scene.bank, view, hour, rng)
        surface = np.where((inside > 0)[..., None], other, surface)
        rim = channels(_FOAM if scene.ground == "water" else (96, 88, 62)) * hour.light
        surface += (rim - surface) * edge * (0.7 if scene.ground == "water" else 0.35)
        bank[view.horizon :] = inside > 0
        labels[bank] = LABEL[scene.bank]
    haze = (0.45 * np.exp(-view.near / 0.12))[..., None]
    picture[view.horizon :] = surface + (channels(hour.horizon) - surface) * haze
    return bank


def _surface(ground: str, view: View, hour: Hour, rng: np.random.Generator) -> Field:
    """Return one ground's (R, P, 3) colours in the hour's light."""
    if ground == "water":
        return _water(view, hour, rng)
    painter = {"grass": _grass, "sand": _sand, "road": _road}[ground]
    lit: Field = painter(view, rng) * channels(hour.light)
    return lit


def _bank_share(place: str, view: View, rng: np.random.Generator) -> Field:
    """Return (R, P) distances from the bank's edge in canvas sides, positive on the bank."""
    side = view.side
    y = (np.arange(side - view.horizon, dtype=np.float32))[:, None] / side
    x = (np.arange(side, dtype=np.float32) + 0.5)[None, :] / side
    depth = 1 - view.horizon / side
    if place == "far":
        line = ridge(side, rng.uniform(8, 30), rng)[None, :] * 0.008
        return (depth * rng.uniform(0.18, 0.28) + line - y).astype(np.float32)
    if place == "near":
        line = ridge(side, rng.uniform(8, 30), rng)[None, :] * 0.015
        return (y - depth * rng.uniform(0.68, 0.80) + line).astype(np.float32)
    line = ridge(side - view.horizon, rng.uniform(8, 30), rng)[:, None] * 0.012
    reach = rng.uniform(0.33, 0.42) + rng.uniform(-0.1, 0.38) * (y / depth - 0.5) + line
    return (reach - (x if place == "left" else 1 - x)).astype(np.float32)


def _pick(colours: tuple[Colour, ...], rng: np.random.Generator) -> Field:
    """Return one colour of a palette, a little off."""
    colour = channels(colours[int(rng.integers(len(colours)))])
    return (colour * rng.uniform(0.9, 1.1) + rng.normal(0, 4, 3)).astype(np.float32)


def _speckle(base: Field, texture: Field, view: View, strength: float) -> Field:
    """Return a colour made lighter and darker by a texture that fades into the distance."""
    factor = 1 + strength * texture * np.minimum(1, view.near * 4 + 0.15)
    colours: Field = base * factor[..., None]
    return colours


def _water(view: View, hour: Hour, rng: np.random.Generator) -> Field:
    """The sky's colour towards the horizon, the water's own below; waves lie across."""
    deep = _pick(_WATER, rng) * channels(hour.light)
    waves = noise(view.across * 0.5, view.along * 2.2, 1.0, rng)
    swell = np.sin(view.along * rng.uniform(0.35, 0.7) + 1.2 * waves)
    mirror = (0.20 + 0.55 * (1 - view.near) ** 2)[..., None]
    colours = deep + (channels(hour.horizon) - deep) * mirror
    strength = rng.uniform(0.12, 0.22)
    colours = _speckle(colours, (waves + 0.6 * swell).astype(np.float32), view, strength)
    crests = np.clip(waves - rng.uniform(0.9, 1.5), 0, 1)[..., None] * 0.7
    foam: Field = colours + (channels(hour.horizon) * 1.05 - colours) * crests
    return foam


def _grass(view: View, rng: np.random.Generator) -> Field:
    """Tufts, and larger patches of a second green."""
    base, second = _pick(_GRASS, rng), _pick(_GRASS, rng)
    patches = noise(view.across * 0.5, view.along * 0.5, 1.6, rng)
    share = np.clip(0.5 + 0.5 * patches, 0, 1)[..., None]
    tufts = noise(view.across * 3.0, view.along * 1.2, 0.3, rng)
    return _speckle(base + (second - base) * share, tufts, view, rng.uniform(0.09, 0.16))


def _sand(view: View, rng: np.random.Generator) -> Field:
    """Ripples that the wind bent, and grains."""
    base = _pick(_SAND, rng)
    bend = noise(view.across * 0.4, view.along * 0.4, 1.8, rng)
    slant = rng.uniform(-0.25, 0.25)
    phase = view.along * rng.uniform(0.6, 1.1) + view.across * slant + 2.5 * bend
    ripples = np.sin(phase) * rng.uniform(0.3, 1.0)
    grains = noise(view.across * 3.0, view.along * 3.0, 0.0, rng)
    return _speckle(base, (ripples + 0.35 * grains + 0.6 * bend).astype(np.float32), view, 0.06)


def _road(view: View, rng: np.random.Generator) -> Field:
    """Asphalt with patches, and painted lines that run to the horizon or across."""
    base = _pick(_ROAD, rng)
    grains = noise(view.across * 3.0, view.along * 3.0, 0.0, rng)
    patches = noise(view.across * 0.6, view.along * 0.3, 1.8, rng)
    surface = _speckle(base, 0.6 * grains + 0.8 * patches, view, 0.06)
    width, gap = rng.uniform(1.6, 3.0), rng.uniform(26, 44)
    start = rng.uniform(0, gap)
    if rng.random() < 0.7:
        across, along = view.across, view.along
    else:
        across, along = view.along * 1.6, view.across
    lines = np.abs((across + start) % gap - gap / 2) < width / 2
    if rng.random() < 0.7:
        lines = lines & ((along + start) % 24 < rng.uniform(11, 18))
    paint = channels((232, 228, 214) if rng.random() < 0.8 else (228, 190, 80))
    share = (lines * 0.75 * np.minimum(1, view.near * 5))[..., None]
    painted: Field = surface + (paint - surface) * share
    return painted
