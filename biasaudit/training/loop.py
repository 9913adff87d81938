"""The training loop: one for a laptop, a GPU and a cluster."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, cast

import torch
from accelerate import Accelerator
from accelerate.data_loader import prepare_data_loader
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from biasaudit import processes
from biasaudit.data.loading.batches import Batch, SampleTensors, collate, loaded
from biasaudit.data.loading.transfer import sent
from biasaudit.errors import ConfigError, RunFailedError, named_field
from biasaudit.guidance.classification import cross_entropy
from biasaudit.memory import freed_memory_kept
from biasaudit.models.batch_norm import normalises_by_batch
from biasaudit.models.classifier import Classifier
from biasaudit.models.shared_norm import share_batch_norm
from biasaudit.statistics import OperatingPoint, fit_operating_point
from biasaudit.training.checkpoint import Checkpoint, Parts, Position
from biasaudit.training.device import deterministic, make_accelerator
from biasaudit.training.frozen import FrozenOutputs, frozen_outputs
from biasaudit.training.guided import GuidedModel
from biasaudit.training.keeper import Keeper
from biasaudit.training.network import network_of, optimizer_of
from biasaudit.training.plan import Plan
from biasaudit.training.streams import (
    LabelledStream,
    Order,
    images_a_step,
    tensors,
    training_loader,
)
from biasaudit.training.unread import MadeStep, NotANumberError, UnreadSteps, read_every

_NAMED = 20
"""Images of a batch that an error names."""


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


def train(plan: Plan, progress: Progress, keeper: Keeper | None = None) -> Trained:
    """Train the planned run, from its first step or from where an earlier training stopped.

    Several processes that met train it together, each on its part of every batch; each returns
    the whole.

    Args:
        plan: Complete settings, dataset and labels.
        progress: Told of every step and epoch.
        keeper: Keeps the state of the training, and gives back that of an earlier one; None
            keeps nothing.

    Raises:
        ConfigError: The device is not there, or a batch of one image for a network with batch norm.
        RunFailedError: A loss, an attention map or a weight is no longer a number.
        RunInterruptedError: Somebody asked for a stop.
    """
    settings = plan.settings.training
    unused = "classification" not in plan.mode.terms
    accelerator = make_accelerator(settings.device, settings.precision, unused=unused)
    torch.manual_seed(settings.seed)
    model = network_of(plan)
    if settings.batch_size == 1 and normalises_by_batch(model):
        raise ConfigError(
            f"{named_field('training.batch_size', 1)}: "
            f"'{plan.settings.model.backbone}' has batch norm, which needs several images",
            f"give 2 or more, or {named_field('model.batch_norm', 'frozen')}",
        )
    if processes.count() > 1:
        share_batch_norm(model)
        torch.manual_seed(settings.seed + processes.number())  # dropout: each of its own
    loop = _Loop(plan, accelerator, model)
    with deterministic(accelerator.device), freed_memory_kept(accelerator.device.type):
        metrics = loop.run(progress, keeper or Keeper())
        points = loop.operating_points()
    model.layer_pass = None
    return Trained(model.cpu().eval(), metrics, accelerator.device.type, points)


class _Loop:
    """The state of one training: loaders, optimiser, schedule, steps whose losses are unread."""

    def __init__(self, plan: Plan, accelerator: Accelerator, model: Classifier) -> None:
        self.plan = plan
        self.accelerator = accelerator
        settings = plan.settings.training
        self.epochs = int(settings.epochs or 1)
        self.images = tensors(plan, plan.dataset.subset("train"), flip=plan.settings.data.flip)
        self.val = tensors(plan, plan.dataset.subset("val"))
        self.val_answers = (torch.empty(0), torch.empty(0))
        self.guided = self._wrapped(GuidedModel(model, plan.terms, settings.seed))
        self.at = Position()
        self.unread = UnreadSteps(read_every(accelerator.device.type))
        self.progress: Progress = Silent()
        self.random: Checkpoint | None = None
        self.labelled = (
            LabelledStream(plan, int(settings.labels_per_step or 1) * processes.count())
            if plan.labels.entries
            else None
        )
        self._start_phase(self.epochs, balanced=plan.mode.balanced)

    def _wrapped(self, guided: GuidedModel) -> Any:
        """Return the model as the launcher needs it, for the parameters that train now."""
        with warnings.catch_warnings():
            # torch renames broadcast_buffers, in versions that accelerate does not know yet
            warnings.simplefilter("ignore", FutureWarning)
            return self.accelerator.prepare(guided)

    def _start_phase(self, epochs: int, *, balanced: bool) -> None:
        """Begin with a fresh optimiser for what trains now, and a schedule over ``epochs``."""
        pinned = self.accelerator.device.type == "cuda"
        loader = training_loader(self.plan, self.images, balanced=balanced, pinned=pinned)
        self.order = cast("Order", cast("Any", loader.batch_sampler).sampler)
        self.optimizer = self.accelerator.prepare(optimizer_of(self.plan, self.model))
        # one process of one: it takes its part of each batch itself
        self.loader = prepare_data_loader(loader, self.accelerator.device, 1, 0, put_on_device=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, epochs * len(self.loader)
        )
        labelled = None if self.labelled is None else self.labelled.images
        self.started = self._frozen_outputs(self.images)
        self.labelled_started = None if labelled is None else self._frozen_outputs(labelled)

    def _frozen_outputs(self, images: SampleTensors) -> FrozenOutputs | None:
        """Run the frozen layers over images that this process keeps; None where it does not."""
        if not images.keep or self.plan.settings.training.workers:
            return None
        with self.accelerator.autocast():
            size = int(self.plan.settings.training.batch_size or 1)
            return frozen_outputs(self.model, images, size, self.accelerator.device)

    @property
    def model(self) -> Classifier:
        """The network itself, whatever wraps it."""
        classifier: Classifier = self.accelerator.unwrap_model(self.guided).classifier
        return classifier

    def run(self, progress: Progress, keeper: Keeper) -> list[EpochMetrics]:
        """Train all epochs, then the head alone where the mode says so."""
        total = self.epochs + self.plan.mode.head_epochs
        self.progress = progress
        progress.start(total, len(self.loader))
        self._begin(progress, keeper)
        metrics = [EpochMetrics(**told) for told in self.at.metrics]
        while self.at.epoch < total:
            if self.at.epoch == self.epochs and not self.at.head:
                self._start_head()
            self.images.start_epoch(self.at.epoch)
            losses = self._epoch(keeper)
            metrics.append(EpochMetrics(self.at.epoch + 1, losses, *self._validate()))
            self._check_epoch(metrics[-1])
            told = [asdict(done) for done in metrics]
            self.at = Position(self.at.epoch + 1, head=self.at.head, metrics=told)
            progress.epoch(metrics[-1])
            keeper.epoch_done(self._state, [done.row() for done in metrics])
        return metrics

    def _begin(self, progress: Progress, keeper: Keeper) -> None:
        """Go on from the state that was kept, if one was."""
        kept = processes.told(keeper.load() if processes.first() else None)
        if kept is None:
            keeper.started(self._state)
            return
        self.at = kept.position
        kept.restore_weights(self.model)
        if self.at.head:
            self._start_head()
        kept.restore(self._parts, images_a_step(self.plan, len(self.order)))
        if self.at.step:
            self.random = kept  # for the first step: the loader draws before it, and did so then
        else:
            kept.restore_random()
        for told in self.at.metrics:
            for _ in range(len(self.loader)):
                progress.step(told["epoch"], told["losses"]["total"])
        for _ in range(self.at.step):
            progress.step(self.at.epoch + 1, self.at.sums["total"] / self.at.step)

    def _start_head(self) -> None:
        """Begin to train the head alone."""
        self.at.head = True
        self.model.freeze(len(list(self.model.body.children())))
        guided = self.accelerator.unwrap_model(self.guided)
        del self.guided
        self.accelerator.free_memory()
        self.guided = self._wrapped(guided)
        self._start_phase(self.plan.mode.head_epochs, balanced=True)

    @property
    def _parts(self) -> Parts:
        terms = self.accelerator.unwrap_model(self.guided).generator
        return Parts(self.model, self.optimizer, self.schedule, self.order, terms, self.labelled)

    def _state(self) -> Checkpoint:
        self._read()
        return Checkpoint.of(self._parts, self.at)

    def _epoch(self, keeper: Keeper) -> dict[str, float]:
        """Make the steps of the epoch that are left, and return the mean of each loss."""
        self.guided.train()
        for number, batch in enumerate(loaded(self.loader), self.at.step):
            self._restore_random()
            try:
                losses = self._step(batch, self.at.epoch + number / len(self.loader))
            except FloatingPointError as error:
                self._read()  # an earlier step may be the first that went wrong
                raise self._not_a_number(self._made(number, batch, {}), str(error)) from None
            self.unread.add(self._made(number, batch, losses))
            if self.unread.due:
                self._read()
            keeper.stepped(self._state)
        self._read()
        self._restore_random()
        return {name: value / len(self.loader) for name, value in self.at.sums.items()}

    def _made(self, number: int, batch: Batch, losses: Mapping[str, Tensor]) -> MadeStep:
        shown = () if self.labelled is None else tuple(self.labelled.shown)
        checks = self.accelerator.unwrap_model(self.guided).checks
        told = {name: loss.detach() for name, loss in losses.items()}
        return MadeStep(number, batch.indices, shown, told, checks)

    def _read(self) -> None:
        """Read the losses of the steps that were made, and tell of each."""
        try:
            for number, values in self.unread.read():
                for name, value in values.items():
                    self.at.sums[name] = self.at.sums.get(name, 0.0) + value
                self.at.step = number + 1
                self.progress.step(self.at.epoch + 1, values["total"])
        except NotANumberError as error:
            raise self._not_a_number(error.step, str(error)) from None

    def _restore_random(self) -> None:
        if self.random is not None:
            self.random.restore_random()
            self.random = None

    def _not_a_number(self, made: MadeStep, what: str) -> RunFailedError:
        names = [self.images.samples[i].id for i in made.indices.tolist()]
        names += [f"{name} (labelled)" for name in made.labelled]
        more = f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
        return RunFailedError(
            f"epoch {self.at.epoch + 1}, step {made.number + 1}: {what}; "
            f"the images: {', '.join(names[:_NAMED])}{more}",
            f"lower {named_field('training.learning_rate')} or the weights of the terms",
        )

    def _check_epoch(self, done: EpochMetrics) -> None:
        """Refuse weights, or a val loss, that are no numbers: nothing could be audited."""
        state = self.model.state_dict()
        sound = torch.stack([value.isfinite().all() for value in state.values()]).tolist()
        wrong = [
            f"weight '{name}' is NaN or infinite"
            for name, finite in zip(state, sound, strict=True)
            if not finite
        ]
        if not math.isfinite(done.val_loss):
            wrong.append(f"the val loss is {done.val_loss}")
        if wrong:
            raise RunFailedError(
                f"epoch {done.epoch}: {wrong[0]}",
                f"lower {named_field('training.learning_rate')} or the weights of the terms",
            )

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
        if not len(self.val_answers[0]):  # gone on from after the last epoch
            self.val_answers = self._answer_val()
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
        own = Subset(self.val, processes.span(len(self.val)))
        for batch in DataLoader(own, size, collate_fn=collate):
            images = sent(batch.images, self.accelerator.device)
            scores.append(model(images).scores.float())
            labels.append(batch.labels)
        parts = processes.gathered(([found.cpu() for found in scores], labels))
        every = [[tensor for part in parts for tensor in part[kind]] for kind in (0, 1)]
        return torch.cat(every[0]), torch.cat(every[1])
