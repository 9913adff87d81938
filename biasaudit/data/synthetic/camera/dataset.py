"""Camera as a dataset: labels known at once, pixels drawn when asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biasaudit.data.sample import Dataset, Image, Mask, Region, Sample
from biasaudit.data.synthetic.camera.device import critical_area
from biasaudit.data.synthetic.camera.photograph import photograph
from biasaudit.data.synthetic.camera.settings import (
    CLASSES,
    FORWARD,
    REVERSE,
    SUBSETS,
    CameraSettings,
)
from biasaudit.data.synthetic.camera.style import (
    ELSEWHERE,
    OWN,
    Style,
    Surroundings,
    draw_surroundings,
)


@dataclass(frozen=True)
class Shot:
    """A photograph that is drawn whenever it is looked at.

    Attributes:
        orientation: The class.
        style: What its surroundings are drawn from.
        size: Side in px.
        seed: Of the dataset.
        key: Position of the subset in ``SUBSETS``, and a number in it. With the seed it decides
            the surroundings and all that is drawn at random, whatever was drawn before.
    """

    orientation: str
    style: Style
    size: int
    seed: int
    key: tuple[int, int]

    @property
    def surroundings(self) -> Surroundings:
        """Viewpoint, light and ground."""
        return draw_surroundings(self.style, self._stream(0))

    def image(self) -> Image:
        """Return the image, (S, S, 3) uint8 RGB."""
        return photograph(self.orientation, self.surroundings, self.size, self._stream(1))

    def area(self) -> Mask:
        """Return the box about the gap, (S, S)."""
        return critical_area(self.orientation, self.surroundings.view, self.size)

    def _stream(self, what: int) -> np.random.Generator:
        stream = np.random.SeedSequence(self.seed, spawn_key=(*self.key, what))
        return np.random.default_rng(stream)


def camera(settings: CameraSettings | None = None) -> Dataset:
    """Return the embedded dataset.

    Each image shows the device in one of two orientations, and gives the box about the gap that
    tells them apart. In ``train``, ``val`` and ``test1`` viewpoint, light and ground follow the
    orientation as the settings say. ``test2`` has other grounds and lights and every viewpoint,
    and photographs each of its scenes with the device in either orientation: whoever does not
    look at the gap scores one half there.

    Args:
        settings: The default ones where None.
    """
    settings = settings or CameraSettings()
    return Dataset(
        name="camera",
        classes=CLASSES,
        contexts=(),
        subsets={name: _subset(settings, name) for name in SUBSETS},
        object=FORWARD,
        root="camera",
        guided=CLASSES,
    )


def _subset(settings: CameraSettings, name: str) -> tuple[Sample, ...]:
    number = getattr(settings, name)
    place = SUBSETS.index(name)
    biased = round(number * settings.bias)
    shots = []
    for row in range(number):
        for column, orientation in enumerate(CLASSES):
            if name == "test2":
                style, key = ELSEWHERE, row
            else:
                style = OWN[orientation if row < biased else _other(orientation)]
                key = 2 * row + column
            shots.append(Shot(orientation, style, settings.size, settings.seed, (place, key)))
    return tuple(_sample(f"{name}-{i:05d}", shot) for i, shot in enumerate(shots))


def _other(orientation: str) -> str:
    return REVERSE if orientation == FORWARD else FORWARD


def _sample(name: str, shot: Shot) -> Sample:
    return Sample(
        id=name,
        labels=frozenset({shot.orientation}),
        contexts=frozenset(),
        load_image=shot.image,
        regions={shot.orientation: Region("box", shot.area)},
    )
