"""Foregrounds for a repair: SEC's masks of images without a region.

A segmentation network is trained from image-level labels, the attention of the network to be
repaired, and the labelled regions that are not held back; :mod:`biasaudit.training.repair.engine`
prunes and measures what it draws.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from biasaudit.config import RepairSettings, SegmentSettings, segment_settings
from biasaudit.data.sample import Dataset
from biasaudit.errors import ConfigError, named_field
from biasaudit.evaluation.predict import Subject
from biasaudit.models.classifier import Classifier
from biasaudit.models.external import LoadedModel
from biasaudit.segmentation.network import recipe_of
from biasaudit.segmentation.origin import Origin, origin_of
from biasaudit.segmentation.segmenter import Segmenter, check_settings, make_segmenter
from biasaudit.segmentation.subject import check_classes
from biasaudit.training.device import make_accelerator
from biasaudit.training.repair.examples import Tell
from biasaudit.training.repair.foregrounds import Finder, Found, Images, folds_of
from biasaudit.training.repair.propagated import cut, propagate
from biasaudit.training.run_directory import RunRecord

MOST_STEPS = 400
"""Of the training, where no number is asked for: a repair is not to last hours."""
HELD_BACK = 0
"""The fold of labelled images that the network is not shown: one training is all there is."""
_BATCH = 32


def finder_of(
    model: RunRecord | LoadedModel, dataset: Dataset, object: str, settings: RepairSettings
) -> Finder | None:
    """Return what finds foregrounds as a repair's settings ask for; None where they ask for none.

    Args:
        model: What is repaired.
        dataset: Its ``train`` is what numbers of images count.
        object: The audited class.
        settings: Of the repair.

    Raises:
        BiasAuditError: SEC cannot be trained after this model, on these images or with these
            settings.
    """
    if settings.segment and settings.foregrounds != "sec":
        raise ConfigError(
            f"{named_field('foregrounds', settings.foregrounds)}: trains no segmentation network, "
            f"whose {next(iter(settings.segment))} is set",
            f"add {named_field('foregrounds', 'sec')}, or leave the setting out",
            field="foregrounds",
        )
    if settings.foregrounds == "labelled":
        return None
    if settings.foregrounds == "propagated":
        return propagate
    origin = origin_of(model)
    check_classes(origin.name, origin.classes, dataset)
    asked = _with_defaults(origin, settings.segment)
    check_settings(origin.backbone, origin.weights, asked)
    return Sec(origin, dataset, object, asked)


def _with_defaults(origin: Origin, given: dict[str, object]) -> SegmentSettings:
    steps = recipe_of(origin.backbone).iterations
    own = {"iterations": min(steps, MOST_STEPS), "regions": True}
    return segment_settings({**own, **given})


@dataclass(frozen=True)
class Sec:
    """Finds foregrounds by a segmentation network (a :class:`Finder`).

    Of the labelled regions a third is held back, by which what the network draws is measured; the
    others stand in place of attention in the images that they are of.

    Attributes:
        origin: What the network takes over from the model that is repaired.
        dataset: The training images; a number of an image is its place in them.
        object: The audited class.
        settings: Of the training; with ``regions`` off, no region is shown to the network.
    """

    origin: Origin
    dataset: Dataset
    object: str
    settings: SegmentSettings

    def __call__(self, model: Classifier, images: Images, seed: int, tell: Tell) -> Found:
        """Train the network, and return its masks; see :class:`Finder`."""
        folds = folds_of(images, np.random.default_rng([seed, len(images.labelled)]))
        held_back = [row for row, fold in folds.items() if fold == HELD_BACK]
        segmenter = self._trained(model, images, held_back, seed, tell)

        def drawn(rows: Sequence[int]) -> dict[int, Tensor]:
            found = {}
            for row in rows:
                found[row] = region_of(segmenter, self.object, images.pixels(row))
                tell("masks", 1)
            return found

        return Found(drawn(images.unlabelled), drawn(held_back))

    def _trained(
        self, model: Classifier, images: Images, held_back: Sequence[int], seed: int, tell: Tell
    ) -> Segmenter:
        samples = self.dataset.subset("train")
        shown = sorted(set(images.labelled) - set(held_back)) if self.settings.regions else []
        settings = self.settings
        if settings.seed is None:
            settings = settings.model_copy(update={"seed": seed})
        place = make_accelerator(settings.device, "fp32").device
        # a copy: the model is another's, and stays on its device
        network = copy.deepcopy(model).to(place)
        size = images.pixels(next(iter(images.labelled))).shape[-1]
        subject = Subject(network, self.origin.classes, size, place, _BATCH)
        segmenter = make_segmenter(
            self.origin,
            subject,
            self.dataset,
            settings,
            {samples[row].id: {self.object: images.forms[row]} for row in shown},
            lambda *_: tell("steps", 1),
            lambda count: tell("images", count),
        )
        segmenter.network.to(place)
        return segmenter


def region_of(segmenter: Segmenter, object: str, image: Tensor) -> Tensor:
    """Return where a segmenter sees an object, followed by the colours of the image.

    Args:
        segmenter: Draws it.
        object: One of its classes.
        image: (3, S, S) uint8.

    Returns:
        (S, S) float, 1 inside.
    """
    found = segmenter.probabilities(image.permute(1, 2, 0).numpy(), crf=False)
    place = segmenter.classes.index(object) + 1
    others = torch.cat([found[:place], found[place + 1 :]]).amax(dim=0)
    return cut(image, (found[place].log() - others.log()).cpu())
