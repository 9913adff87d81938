"""Harbour as a dataset: labels known at once, pixels drawn when asked for."""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np

from biasaudit.data.sample import Dataset, Image, Mask, Region, Sample
from biasaudit.data.synthetic.harbour.composition import SUBSETS, Composition, compose
from biasaudit.data.synthetic.harbour.scene import Picture, draw_scene
from biasaudit.data.synthetic.harbour.settings import CONTEXTS, OBJECTS, HarbourSettings


class Drawing:
    """A scene that is drawn when it is first looked at, and kept.

    Args:
        scene: What it holds.
        size: Side in px.
        seed: Of the dataset.
        key: Position of the subset in ``SUBSETS``, position of the scene in the subset. With the
            seed it decides every pixel, whatever was drawn before.
    """

    def __init__(self, scene: Composition, size: int, seed: int, key: tuple[int, int]) -> None:
        self.scene = scene
        self.size = size
        self.seed = seed
        self.key = key

    @cached_property
    def picture(self) -> Picture:
        """The drawn scene."""
        stream = np.random.SeedSequence(self.seed, spawn_key=self.key)
        return draw_scene(self.scene, self.size, np.random.default_rng(stream))

    def image(self) -> Image:
        """Return a copy of the image, (S, S, 3) uint8 RGB."""
        return self.picture.image.copy()

    def mask(self, name: str) -> Mask:
        """Return the visible pixels of one class, (S, S)."""
        return self.picture.mask(name)


def harbour(settings: HarbourSettings | None = None) -> Dataset:
    """Return the embedded dataset.

    Subsets ``train`` and ``val`` have the bias that the settings say; ``test`` holds the four
    groups of boat and water in equal parts, the two bias-conflicting ones first. Every object and
    every ground that is present has an exact mask of its visible pixels; rocks have no label.

    Args:
        settings: The default ones where None.
    """
    settings = settings or HarbourSettings()
    return Dataset(
        name="harbour",
        classes=OBJECTS,
        contexts=CONTEXTS,
        subsets={name: _subset(settings, name) for name in SUBSETS},
        object="boat",
        context="water",
        root="harbour",
    )


def _subset(settings: HarbourSettings, name: str) -> tuple[Sample, ...]:
    return tuple(
        _sample(f"{name}-{i:05d}", scene, settings, (SUBSETS.index(name), i))
        for i, scene in enumerate(compose(settings, name))
    )


def _sample(
    name: str, scene: Composition, settings: HarbourSettings, key: tuple[int, int]
) -> Sample:
    drawing = Drawing(scene, settings.size, settings.seed, key)
    return Sample(
        id=name,
        labels=scene.labels,
        contexts=scene.contexts,
        load_image=drawing.image,
        regions={
            present: Region("mask", partial(drawing.mask, present))
            for present in sorted(scene.labels | scene.contexts)
        },
        annotated=frozenset(CONTEXTS),
    )
