"""The sky, the light it throws on everything, and the hills beneath it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasaudit.data.synthetic.harbour.canvas import LABEL, NOTHING, Colour, channels, mix
from biasaudit.data.synthetic.harbour.textures import Field, noise, ridge


@dataclass(frozen=True)
class Hour:
    """An hour of the day, or a kind of weather.

    Attributes:
        top: Colour of the zenith.
        horizon: Colour above the ground.
        light: Factor on every colour below, by channel.
        sun: Colour of the sun or the moon, None behind clouds.
        cloud: Colour of the clouds.
        cover: How much of the sky the clouds take, in [0, 1].
    """

    top: Colour
    horizon: Colour
    light: Colour
    sun: Colour | None
    cloud: Colour
    cover: float


HOURS = (
    Hour((58, 122, 196), (178, 212, 236), (1.0, 1.0, 1.0), (255, 250, 225), (250, 250, 250), 0.35),
    Hour((86, 150, 214), (206, 226, 238), (1.04, 1.02, 0.98), None, (246, 248, 250), 0.5),
    Hour(
        (128, 148, 196), (250, 206, 176), (1.02, 0.92, 0.86), (255, 236, 190), (252, 214, 200), 0.4
    ),
    Hour(
        (92, 84, 140), (248, 168, 104), (0.98, 0.80, 0.70), (255, 214, 130), (226, 128, 110), 0.45
    ),
    Hour((148, 158, 170), (204, 208, 210), (0.88, 0.90, 0.92), None, (176, 182, 190), 0.7),
    Hour((96, 112, 132), (168, 178, 184), (0.76, 0.80, 0.84), None, (126, 136, 150), 0.65),
    Hour((44, 52, 104), (150, 120, 150), (0.74, 0.72, 0.86), (240, 236, 214), (104, 96, 140), 0.35),
    Hour(
        (92, 178, 206), (236, 236, 206), (1.06, 1.02, 0.92), (255, 252, 230), (255, 255, 250), 0.25
    ),
)


def draw_hour(rng: np.random.Generator) -> Hour:
    """Return one of ``HOURS``, a little to either side."""
    hour = HOURS[int(rng.integers(len(HOURS)))]
    other = HOURS[int(rng.integers(len(HOURS)))]
    share = float(rng.uniform(0.0, 0.25))
    return Hour(
        mix(hour.top, other.top, share),
        mix(hour.horizon, other.horizon, share),
        mix(hour.light, other.light, share),
        hour.sun,
        mix(hour.cloud, other.cloud, share),
        float(np.clip(hour.cover + rng.normal(0, 0.15), 0.05, 0.95)),
    )


def paint_sky(
    picture: Field, labels: NDArray[np.uint8], horizon: int, hour: Hour, rng: np.random.Generator
) -> None:
    """Paint sky, clouds, sun and hills above row ``horizon``.

    Args:
        picture: (P, P, 3) in [0, 255], painted in place.
        labels: (P, P), written in place; hills belong to no class.
        horizon: The first row of the ground.
        hour: The light.
        rng: Draws the shapes.
    """
    side = len(picture)
    x = (np.arange(side, dtype=np.float32) / side)[None, :]
    y = ((np.arange(horizon, dtype=np.float32) + 1) / side)[:, None]
    height = y * side / horizon
    sky = _blend(channels(hour.top), channels(hour.horizon), height[..., None] ** 1.3)
    sky = np.repeat(sky, side, axis=1)
    if hour.sun is not None:
        _paint_sun(sky, x, y, hour.sun, rng)
    _paint_clouds(sky, x, height, hour, rng)
    picture[:horizon] = sky
    labels[:horizon] = LABEL["sky"]
    _paint_hills(picture, labels, horizon, hour, rng)


def _blend(first: Field, second: Field, share: Field) -> Field:
    return first + (second - first) * share


def _paint_sun(sky: Field, x: Field, y: Field, sun: Colour, rng: np.random.Generator) -> None:
    centre = rng.uniform(0.08, 0.92), rng.uniform(0.06, 0.3)
    radius = rng.uniform(0.025, 0.05)
    distance = np.hypot(x - centre[0], y - centre[1])
    glow = np.exp(-distance / 0.10) * 0.6
    disc = np.clip((radius - distance) * 90 + 0.5, 0, 1)
    sky += (channels(sun) - sky) * np.maximum(glow, disc)[..., None]


def _paint_clouds(
    sky: Field, x: Field, height: Field, hour: Hour, rng: np.random.Generator
) -> None:
    """Clouds lie flatter and closer together towards the horizon."""
    depth = 1.0 / (1.15 - 0.75 * height)
    field = noise(
        x * 60 * rng.uniform(0.6, 1.2) * depth, 40 * depth * rng.uniform(0.8, 2.0), 1.5, rng
    )
    thickness = np.clip((field - (1.3 - 2.4 * hour.cover)) * 0.8, 0, 1) * 0.85
    sky += (channels(hour.cloud) - sky) * thickness[..., None]


def _paint_hills(
    picture: Field, labels: NDArray[np.uint8], horizon: int, hour: Hour, rng: np.random.Generator
) -> None:
    side = len(picture)
    rows = np.arange(horizon)[:, None]
    for layer in range(int(rng.integers(0, 3))):
        rise = side * (0.045 - 0.015 * layer)
        line = ridge(side, rng.uniform(20, 60), rng) * rise * 0.5 + rise * rng.uniform(0.2, 1.0)
        hill = rows >= horizon - line[None, :]
        base: Colour = (70, 96, 92) if rng.random() < 0.6 else (96, 88, 96)
        lit = tuple(c * f for c, f in zip(base, hour.light, strict=True))
        colour = mix((lit[0], lit[1], lit[2]), hour.horizon, 0.55 - 0.25 * layer)
        picture[:horizon][hill] = colour
        labels[:horizon][hill] = NOTHING
