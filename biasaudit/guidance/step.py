"""What a loss term may look at in one training step."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from biasaudit.attention.classifier import classifier_attention
from biasaudit.data.loading.batches import Batch
from biasaudit.data.loading.transfer import sent
from biasaudit.guidance.finite import FiniteChecks
from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.classifier import Classifier, Output
from biasaudit.models.shared_norm import mean_of_all


class Addition(Protocol):
    """Pictures that a term makes for the step's pass, and whatever it must remember of them."""

    @property
    def images(self) -> Tensor:
        """(E, 3, S, S) in [0, 1]."""


class Step:
    """One batch, the labelled images beside it, and the model's answers to both.

    The pass is made when the first term asks for it, and once. Terms that need the answers to
    pictures of their own add them before.

    Args:
        model: The classifier in training.
        batch: Images with image-level labels.
        labelled: Images whose regions are known, None where the run has no such labels.
        generator: What terms draw from, so that no term disturbs anybody else's draws.

    Attributes:
        checks: What must be finite; whoever makes the step reads them at its end.
    """

    def __init__(
        self,
        model: Classifier,
        batch: Batch,
        labelled: Batch | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.model = model
        self.batch = batch
        self.checks = FiniteChecks()
        self._labelled = labelled
        self._added: dict[str, Addition] = {}
        self._generator = generator if generator is not None else torch.Generator()

    def draw(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1) on the CPU, in every process the same ones."""
        return torch.rand(shape, generator=self._generator)

    def sent(self, values: Tensor) -> Tensor:
        """Return what lies on the CPU on the device of the step; the host does not wait."""
        return sent(values, self.batch.images.device)

    def read(self, values: Tensor) -> list[float]:
        """Return (P,) numbers of the device to the host, which waits for them.

        Everything that must be finite is read with them, so that this is the only wait.

        Raises:
            FloatingPointError: An attention map, or a loss, so far is NaN or infinite.
        """
        return self.checks.read(values)

    def add(self, name: str, addition: Addition) -> None:
        """Let the pass see the pictures that the term ``name`` made, too.

        Raises:
            RuntimeError: The pass has been made already.
        """
        if "_joint" in self.__dict__:
            raise RuntimeError(f"'{name}' adds images to a pass that has been made")
        self._added[name] = addition

    def added(self, name: str) -> tuple[Any, Output]:
        """Return what the term ``name`` added, and the scores and features of its images."""
        names = list(self._added)
        before = [len(self._added[other].images) for other in names[: names.index(name)]]
        start = len(self.batch) + self._labelled_count + sum(before)
        addition = self._added[name]
        return addition, self._part(start, start + len(addition.images))

    @cached_property
    def _joint(self) -> Output:
        """Scores and features of the batch, the labelled images and the added ones.

        One pass, so that all are normalised alike and as in evaluation: labelled images are all
        of one class, edited ones half a picture each, and statistics of their own would describe
        no picture of the dataset.
        """
        started = [self._started(self.batch)]
        if self._labelled is not None:
            started.append(self._started(self._labelled))
        started += [self.model.start(addition.images) for addition in self._added.values()]
        return self.model.finish(torch.cat(started) if len(started) > 1 else started[0])

    def _started(self, batch: Batch) -> Tensor:
        return batch.started if batch.started is not None else self.model.start(batch.images)

    def _part(self, start: int, stop: int) -> Output:
        return Output(*(values[start:stop] for values in self._joint))

    @property
    def _labelled_count(self) -> int:
        return len(self._labelled) if self._labelled is not None else 0

    @property
    def output(self) -> Output:
        """Scores and features of the batch."""
        return self._part(0, len(self.batch))

    @property
    def labelled_batch(self) -> Batch:
        """The labelled images.

        Raises:
            RuntimeError: The run has none (modes are checked before training).
        """
        if self._labelled is None:
            raise RuntimeError("a term asks for labelled images in a run without any")
        return self._labelled

    @property
    def labelled_output(self) -> Output:
        """Scores and features of the labelled images."""
        start = len(self.batch)
        return self._part(start, start + self._labelled_count)

    def labelled_mean(self, values: Tensor) -> Tensor:
        """Average a loss of the labelled pairs over the labelled images.

        Eq. 8 belongs to one image. L_e is averaged over the images that have a region, L_cl and
        L_am over those of the batch: a term's weight then means the same whatever the number of
        labels, and whatever share of a step they are.

        Args:
            values: (M,) one value a labelled pair.

        Returns:
            A scalar.
        """
        return mean_by_image(values, self.labelled_batch.host.region_rows)

    def attention(
        self,
        rows: Tensor,
        classes: Tensor,
        *,
        labelled: bool = False,
        method: str = "grad_cam",
        second_order: bool = False,
        signed: bool = False,
    ) -> Tensor:
        """Return the (P, H, W) maps of (image, class) pairs, not scaled.

        A map that holds NaN or infinity stops the training at the end of the step, or earlier.

        Args:
            rows: (P,) image of each pair, in the batch or among the labelled images; like
                ``classes`` best on the CPU, where the host reads them without waiting.
            classes: (P,) class of each pair.
            labelled: Whether ``rows`` count the labelled images.
            method: A registered attention method.
            second_order: Whether gradients flow through the channel weights too.
            signed: Leave the ReLU of Eq. 2 out.
        """
        start = len(self.batch) if labelled else 0
        maps = classifier_attention(
            self.model,
            self._joint,
            classes,
            rows + start,
            method=method,
            second_order=second_order,
            signed=signed,
        )
        self.checks.maps(maps)
        return maps

    def untouched(self, images: Tensor, statistics: str) -> Output:
        """Pass images through the model without moving its batch-norm statistics."""
        with untouched_batch_norm(self.model, statistics):
            output: Output = self.model(images)
        return output

    @property
    def true_pairs(self) -> tuple[Tensor, Tensor]:
        """(rows, classes) of every class that is present in an image of the batch, on the CPU."""
        rows, classes = torch.nonzero(self.batch.host.labels > 0.5, as_tuple=True)
        return rows, classes


def mean_by_image(values: Tensor, rows: Tensor) -> Tensor:
    """Average over the pairs of each image, then over the images that have one.

    Args:
        values: (P,) one value a pair.
        rows: (P,) the image of each pair; best on the CPU, where the host reads them without
            waiting for the device.

    Returns:
        A scalar; zero, still part of the graph, where there is no pair. Where several processes
        share a step, this one's part of the mean over the images of all of them.
    """
    _, position, counts = rows.cpu().unique(return_inverse=True, return_counts=True)
    return mean_of_all((values / sent(counts[position], values.device)).sum(), len(counts))
