"""The training loop: one for a laptop, a GPU and a cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from biasaudit.data.loading.batches import Batch, SampleTensors, collate
from biasaudit.errors import RunFailedError, named_field
from biasaudit.guidance.classification import cross_entropy
from biasaudit.models.backbones import build_classifier
from biasaudit.models.classifier import Classifier
from biasaudit.statistics import OperatingPoint, fit_operating_point
from biasaudit.training.device import deterministic, make_accelerator
from biasaudit.training.frozen import FrozenOutputs, frozen_outputs
from biasaudit.training.guided import GuidedModel
from biasaudit.training.plan import Plan
from biasaudit.training.streams import LabelledStream, tensors, training_loader


@dataclass(frozen=True)
class EpochMetrics:
    """One row of ``metrics.csv``.

    Attributes:
        epoch: From 1.
        losses: Mean of each term over the epoch, unweighted, and of their weighted ``total``.
        val_accuracy: Of the audited object's decision on the val subset.
        val_loss: Mean L_cl on the val subset.
    """

    epoch: int
    losses: dict[str, float]
    val_accuracy: float
    val_loss: float

    def row(self) -> dict[str, float]:
        """Return the metrics as one flat row."""
        losses = {f"loss_{name}": value for name, value in self.losses.items()}
        return {
            "epoch": self.epoch,
            **losses,
            "val_accuracy": self.val_accuracy,
            "val_loss": self.val_loss,
        }


class Progress(Protocol):
    """Who is told how the training goes."""

    def start(self, epochs: int, steps: int) -> None:
        """Training begins: so many epochs of so many steps."""

    def step(self, epoch: int, total: float) -> None:
        """One step of an epoch is done; ``total`` is its weighted loss."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""


class Silent:
    """A progress that nobody follows."""

    def start(self, epochs: int, steps: int) -> None:
        """Training begins."""

    def step(self, epoch: int, total: float) -> None:
        """One step is done."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""


@dataclass
class Trained:
    """What training gives.

    Attributes:
        model: The classifier, on the CPU, in evaluation mode.
        metrics: One entry an epoch.
        device: The kind of device it was trained on.
        operating_points: Of each class, fitted on the val subset.
    """

    model: Classifier
    metrics: list[EpochMetrics] = field(default_factory=list)
    device: str = "cpu"
    operating_points: dict[str, OperatingPoint] = field(default_factory=dict)


def train(plan: Plan, progress: Progress) -> Trained:
    """Train the planned run.

    Args:
        plan: Complete settings, dataset and labels.
        progress: Told of every step and epoch.

    Raises:
        ConfigError: The device is not there.
        RunFailedError: The loss is no longer a number.
    """
    settings = plan.settings.training
    accelerator = make_accelerator(settings.device, settings.precision)
    torch.manual_seed(settings.seed)
    model = build_classifier(
        str(plan.settings.model.backbone),
        len(plan.dataset.classes),
        str(plan.settings.model.weights),
        int(plan.settings.model.frozen or 0),
        str(plan.settings.model.batch_norm),
        softmax=settings.loss == "softmax",
    )
    loop = _Loop(plan, accelerator, model)
    with deterministic(accelerator.device):
        metrics = loop.run(progress)
        points = loop.operating_points()
    return Trained(model.cpu().eval(), metrics, accelerator.device.type, points)


class _Loop:
    """The state of one training: loaders, optimiser, schedule."""

    def __init__(self, plan: Plan, accelerator: Accelerator, model: Classifier) -> None:
        self.plan = plan
        self.accelerator = accelerator
        settings = plan.settings.training
        self.epochs = int(settings.epochs or 1)
        self.images = tensors(plan, plan.dataset.subset("train"), flip=plan.settings.data.flip)
        self.val = tensors(plan, plan.dataset.subset("val"))
        self.val_answers = (torch.empty(0), torch.empty(0))
        self.guided = accelerator.prepare(GuidedModel(model, plan.terms, settings.seed))
        self.labelled = (
            LabelledStream(plan, int(settings.labels_per_step or 1))
            if plan.labels.entries
            else None
        )
        self._start_phase(self.epochs, balanced=plan.mode.balanced)

    def _start_phase(self, epochs: int, *, balanced: bool) -> None:
        """Begin with a fresh optimiser for what trains now, and a schedule over ``epochs``."""
        settings = self.plan.settings.training
        optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=float(settings.learning_rate or 0),
            weight_decay=settings.weight_decay,
        )
        loader = training_loader(self.plan, self.images, balanced=balanced)
        self.optimizer, self.loader = self.accelerator.prepare(optimizer, loader)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, epochs * len(self.loader)
        )
        labelled = None if self.labelled is None else self.labelled.images
        self.started = self._frozen_outputs(self.images)
        self.labelled_started = None if labelled is None else self._frozen_outputs(labelled)

    def _frozen_outputs(self, images: SampleTensors) -> FrozenOutputs | None:
        """Run the frozen layers over images that are kept in memory; None where they are not."""
        if not images.keep:
            return None
        with self.accelerator.autocast():
            size = int(self.plan.settings.training.batch_size or 1)
            return frozen_outputs(self.model, images, size, self.accelerator.device)

    @property
    def model(self) -> Classifier:
        """The network itself, whatever wraps it."""
        classifier: Classifier = self.accelerator.unwrap_model(self.guided).classifier
        return classifier

    def run(self, progress: Progress) -> list[EpochMetrics]:
        """Train all epochs, then the head alone where the mode says so."""
        head_epochs = self.plan.mode.head_epochs
        progress.start(self.epochs + head_epochs, len(self.loader))
        metrics = []
        for epoch in range(self.epochs + head_epochs):
            if epoch == self.epochs:
                self.model.freeze(len(list(self.model.body.children())))
                self._start_phase(head_epochs, balanced=True)
            self.images.start_epoch(epoch)
            losses = self._epoch(epoch, progress)
            metrics.append(EpochMetrics(epoch + 1, losses, *self._validate()))
            progress.epoch(metrics[-1])
        return metrics

    def _epoch(self, epoch: int, progress: Progress) -> dict[str, float]:
        self.guided.train()
        sums: dict[str, float] = {}
        for number, batch in enumerate(self.loader):
            losses = self._step(batch, epoch + number / len(self.loader))
            values = {name: float(loss.detach()) for name, loss in losses.items()}
            if not math.isfinite(values["total"]):
                raise RunFailedError(
                    f"epoch {epoch + 1}, step {number + 1}: the loss is {values['total']} "
                    f"({', '.join(f'{k} {v:g}' for k, v in values.items())})",
                    f"lower {named_field('training.learning_rate')} or the weights of the terms",
                )
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value
            progress.step(epoch + 1, values["total"])
        return {name: value / len(self.loader) for name, value in sums.items()}

    def _step(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        labelled = None
        if self.labelled is not None:
            labelled = next(self.labelled).to(self.accelerator.device)
            if self.labelled_started is not None:
                labelled.started = self.labelled_started.of(labelled)
        if self.started is not None:
            batch.started = self.started.of(batch)
        with self.accelerator.autocast():
            losses: dict[str, Tensor] = self.guided(batch, labelled, progress)
        self.optimizer.zero_grad()
        self.accelerator.backward(losses["total"])
        self.optimizer.step()
        self.schedule.step()
        return losses

    def _validate(self) -> tuple[float, float]:
        """Return the object's accuracy and mean L_cl on the val subset."""
        self.val_answers = scores, labels = self._answer_val()
        column = self.plan.dataset.class_index[str(self.plan.settings.data.object)]
        said = scores[:, column] > 0
        loss = torch.nn.functional.multilabel_soft_margin_loss(scores, labels)
        if self.model.softmax:
            said = scores.argmax(dim=1) == column
            loss = cross_entropy(scores, labels)
        right = said == (labels[:, column] > 0.5)
        return float(right.double().mean()), float(loss)

    def operating_points(self) -> dict[str, OperatingPoint]:
        """Return each class's operating point, fitted on the last pass over the val subset."""
        scores, labels = (answers.numpy() for answers in self.val_answers)
        return {
            name: fit_operating_point(scores[:, column], labels[:, column] > 0.5)
            for name, column in self.plan.dataset.class_index.items()
        }

    @torch.no_grad()
    def _answer_val(self) -> tuple[Tensor, Tensor]:
        """Return scores and labels of the val subset, (N, C) each, on the CPU."""
        model = self.model.eval()
        size = int(self.plan.settings.training.batch_size or 1)
        scores, labels = [], []
        for batch in DataLoader(self.val, size, collate_fn=collate):
            scores.append(model(batch.images.to(self.accelerator.device)).scores.float().cpu())
            labels.append(batch.labels)
        return torch.cat(scores), torch.cat(labels)
