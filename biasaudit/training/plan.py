"""From settings to a run that can start: dataset read, every open choice made and recorded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from biasaudit.config import AUTO, Settings
from biasaudit.data.annotation.labels import LabelChoice, choose_labels
from biasaudit.data.catalogue import dataset_of
from biasaudit.data.loading.skipping import told_skipped
from biasaudit.data.sample import Dataset, context_shown
from biasaudit.errors import ConfigError, named_field
from biasaudit.guidance.modes import ActiveTerm, Mode, active_terms, mode_of
from biasaudit.models.attention_modules import ATTENTION_MODULES
from biasaudit.models.backbones import BACKBONES, Backbone, check_weights
from biasaudit.registry import load_plugins
from biasaudit.training.device import check_device


@dataclass(frozen=True)
class Usual:
    """How a dataset is trained on where nobody says otherwise.

    Attributes:
        backbone: A registered backbone.
        recipe: What of that backbone's recipe is another here.
    """

    backbone: str
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def recipe_of(self, backbone: str) -> Backbone:
        """Return the recipe of a backbone, the usual one or another."""
        return replace(BACKBONES[backbone], **(self.recipe if backbone == self.backbone else {}))


USUAL = {
    "harbour": Usual("harbournet"),
    # A third of harbour's images: more, smaller steps.
    "camera": Usual(
        "harbournet",
        {"epochs": 48, "batch_size": 16, "labels_per_step": 16, "learning_rate": 1e-3},
    ),
}
"""By built-in dataset."""
ELSEWHERE = Usual("mobilenet_v2")
"""On every other dataset: a network that a laptop can train."""


@dataclass(frozen=True)
class Plan:
    """A run before its first step.

    Attributes:
        settings: Complete: nothing is None that the run needs.
        dataset: The dataset, read.
        labels: Which images give their regions.
        terms: The mode's terms with their options.
        mode: The mode itself.
    """

    settings: Settings
    dataset: Dataset
    labels: LabelChoice
    terms: list[ActiveTerm]
    mode: Mode

    @property
    def seeks_batch_size(self) -> bool:
        """Whether the batch size is yet to be found."""
        return self.settings.training.batch_size == AUTO

    def sized(self, batch_size: int) -> Plan:
        """Return the plan with a batch size."""
        settings = self.settings.model_copy(deep=True)
        settings.training.batch_size = batch_size
        return replace(self, settings=settings)

    @property
    def recipe(self) -> Backbone:
        """How its network is trained on its dataset where nobody says otherwise."""
        usual = USUAL.get(self.dataset.name, ELSEWHERE)
        return usual.recipe_of(str(self.settings.model.backbone))

    @property
    def notes(self) -> list[str]:
        """What a user should know before the run starts, one line each."""
        data, lines = self.settings.data, []
        if self.dataset.skipped:
            lines.append(told_skipped(self.dataset.skipped))
        if not self.spends_labels and self._asked:
            lines.append(
                f"mode '{self.settings.training.mode}' uses no labels: "
                f"the {self._asked} asked for are not spent"
            )
        pixels = Counter(entry.form for entry in self.labels.of_pixel_labels())
        stand_ins = pixels.total() - pixels["mask"]
        if self.spends_labels and stand_ins > 0:
            lines.append(
                f"{pixels.total()} pixel labels: {pixels['mask']} masks "
                f"(all there are) and {stand_ins} boxes, "
                f"{'the object in each outlined by GrabCut' if pixels['outline'] else 'filled'}"
            )
        if data.regions == "shuffled":
            lines.append(
                "a control: the region of each labelled image is moved to a random place in it"
                if self.spends_labels
                else f"{named_field('data.regions', 'shuffled')}: the mode uses no regions"
            )
        if self.settings.training.workers and data.cache == "memory":
            lines.append(
                "loading processes keep no image in memory from epoch to epoch: a cache folder does"
            )
        if self.mode.reads_context:
            lines.append(
                f"mode '{self.settings.training.mode}' reads the label of '{data.context}' of "
                f"{self.annotated} of {len(self.dataset.subset('train'))} training images"
                " and draws its balanced groups from these"
            )
        objects, regions = self.labels.objects, len(self.labels.entries)
        if self.spends_labels and len(objects) > 1:
            lines.append(
                f"{self._asked} labels of each of {', '.join(objects)}: {regions} in all"
                if data.labels_by == "class"
                else f"{self._asked} labelled images give {regions} regions"
            )
        return lines

    @property
    def spends_labels(self) -> bool:
        """Whether the mode has a term that looks at regions."""
        return any(active.term.needs_labels for active in self.terms)

    @property
    def annotated(self) -> int:
        """How many training images tell whether they show the context."""
        context, classes = self.settings.data.context, self.dataset.classes
        shown = [context_shown(s, context, classes) for s in self.dataset.subset("train")]
        return sum(not math.isnan(value) for value in shown)

    @property
    def _asked(self) -> int:
        return self.settings.data.pixel_labels + self.settings.data.box_labels

    @property
    def name(self) -> str:
        """Mode, labels spent and seed: the same settings give the same name."""
        data, training = self.settings.data, self.settings.training
        parts = [training.mode]
        parts += ["softmax"] if training.loss == "softmax" else []
        parts += [module] if (module := self.settings.model.attention_module) else []
        if self.spends_labels:
            parts += ["shuffled"] if data.regions == "shuffled" else []
            parts += [str(data.pixel_labels)] if data.pixel_labels else []
            parts += [f"{data.box_labels}boxes"] if data.box_labels else []
        return "-".join([*parts, f"seed{training.seed}"])


def make_plan(settings: Settings, dataset: Dataset | None = None) -> Plan:
    """Read the dataset, fill in what the settings leave open, and choose the labels.

    Args:
        settings: Not yet complete.
        dataset: The dataset that the settings name, where it was read already.

    Raises:
        BiasAuditError: Anything of it does not exist or does not fit together.
    """
    load_plugins(settings.plugins)
    terms = active_terms(settings)
    if dataset is None:
        dataset = dataset_of(settings.data)
    settings = complete(settings, dataset)
    data, training = settings.data, settings.training
    spends = any(active.term.needs_labels for active in terms)
    if spends and not data.pixel_labels + data.box_labels:
        raise ConfigError(
            f"{named_field('training.mode', training.mode)}: needs labelled images",
            f"add {named_field('data.pixel_labels', 'N')}",
        )
    if training.loss == "softmax":
        _check_one_class(dataset)
    mode = mode_of(settings)
    if mode.reads_context and data.context is None:
        raise ConfigError(
            f"{named_field('training.mode', training.mode)}: needs a context",
            f"add {named_field('data.context')}",
        )
    guided = dataset.guided or (str(data.object),)
    labels = choose_labels(
        dataset.subset("train"),
        dataset.classes if data.labels_by == "image" else guided,
        data.pixel_labels if spends else 0,
        data.box_labels if spends else 0,
        training.seed,
        outlines=data.outlines,
        by=data.labels_by,
    )
    plan = Plan(settings, dataset, labels, terms, mode)
    if mode.reads_context and not plan.annotated:
        raise ConfigError(
            f"{named_field('training.mode', training.mode)}: no training image tells whether it "
            f"shows '{data.context}'",
            "label the context of some, or choose another mode",
        )
    return plan


def check_start(plan: Plan) -> None:
    """Refuse what a training refuses as it begins: a device or starting weights.

    Raises:
        ConfigError: The device is not there, or the weights do not exist or do not fit.
    """
    model = plan.settings.model
    check_device(plan.settings.training.device)
    check_weights(str(model.backbone), str(model.weights))


def _check_one_class(dataset: Dataset) -> None:
    """Refuse softmax where a training image has several classes, or none."""
    if len(dataset.classes) < 2:
        raise ConfigError(
            f"{named_field('training.loss', 'softmax')}: one class alone",
            f"use {named_field('training.loss', 'sigmoid')}",
        )
    samples = dataset.subset("train")
    wrong = [sample for sample in samples if len(sample.labels) != 1]
    if wrong:
        named = ", ".join(sorted(wrong[0].labels)) or "none"
        raise ConfigError(
            f"{named_field('training.loss', 'softmax')}: {len(wrong)} of {len(samples)} training "
            f"images do not have exactly one class (the first, '{wrong[0].id}': {named})",
            f"use {named_field('training.loss', 'sigmoid')}",
        )


def complete(settings: Settings, dataset: Dataset) -> Settings:
    """Fill in the dataset's object and context and the backbone's recipe.

    Raises:
        BiasAuditError: An object or context that the dataset does not know, or none at all.
    """
    settings = settings.model_copy(deep=True)
    data, model, training = settings.data, settings.model, settings.training
    data.name = dataset.origin or data.name  # in full: a run may be evaluated from elsewhere
    if (data.object or dataset.object) is None:
        raise ConfigError(
            f"{dataset.root}: names no object to audit",
            f"add {named_field('data.object')}, one of: {', '.join(dataset.classes)}",
            field="data.object",
        )
    data.object = dataset.check_object(str(data.object or dataset.object))
    context = data.context or dataset.context
    data.context = dataset.check_context(context) if context else None
    usual = USUAL.get(dataset.name, ELSEWHERE)
    model.backbone = model.backbone or usual.backbone
    recipe = usual.recipe_of(model.backbone)
    if model.attention_module is not None:
        ATTENTION_MODULES[model.attention_module]
    model.weights = model.weights or recipe.weights
    model.frozen = recipe.frozen if model.frozen is None else model.frozen
    model.batch_norm = model.batch_norm or recipe.batch_norm
    data.image_size = data.image_size or recipe.image_size
    training.epochs = training.epochs or recipe.epochs
    training.batch_size = training.batch_size or recipe.batch_size
    training.labels_per_step = training.labels_per_step or recipe.labels_per_step
    training.learning_rate = training.learning_rate or recipe.learning_rate
    return settings
