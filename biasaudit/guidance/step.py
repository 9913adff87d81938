"""What a loss term may look at in one training step."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from biasaudit.attention.classifier import classifier_attention
from biasaudit.data.batches import Batch
from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.classifier import Classifier, Output


class Step:
    """One batch, the labelled images beside it, and the model's answers to both.

    The pass is made when the first term asks for it, and once.

    Args:
        model: The classifier in training.
        batch: Images with image-level labels.
        labelled: Images whose regions are known, None where the run has no such labels.
        generator: What terms draw from, so that no term disturbs anybody else's draws.
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
        self._labelled = labelled
        self._generator = generator if generator is not None else torch.Generator()

    def draw(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1) on the CPU."""
        return torch.rand(shape, generator=self._generator)

    def draw_integers(self, high: int, count: int) -> Tensor:
        """Draw ``count`` integers in [0, high) on the CPU."""
        return torch.randint(high, (count,), generator=self._generator)

    @cached_property
    def _joint(self) -> Output:
        """Scores and features of the batch, then of the labelled images, from one pass.

        One pass, so that both are normalised alike: labelled images are all of one class, and
        statistics of their own would describe no picture of the dataset.
        """
        images = self.batch.images
        if self._labelled is not None:
            images = torch.cat([images, self._labelled.images])
        output: Output = self.model(images)
        return output

    @property
    def output(self) -> Output:
        """Scores and features of the batch."""
        return Output(*(values[: len(self.batch)] for values in self._joint))

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
        return Output(*(values[len(self.batch) :] for values in self._joint))

    def labelled_mean(self, values: Tensor) -> Tensor:
        """Average a loss of the labelled pairs over all images of the pass.

        Eq. 8 belongs to one image: L_e is added to the loss of an image that has a label and is
        nothing for the others, so the average runs over both.

        Args:
            values: (M,) one value a labelled pair.

        Returns:
            A scalar.
        """
        labelled = len(self.labelled_batch)
        share = labelled / (len(self.batch) + labelled)
        return share * mean_by_image(values, self.labelled_batch.region_rows)

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

        Args:
            rows: (P,) image of each pair, in the batch or among the labelled images.
            classes: (P,) class of each pair.
            labelled: Whether ``rows`` count the labelled images.
            method: A registered attention method.
            second_order: Whether gradients flow through the channel weights too.
            signed: Leave the ReLU of Eq. 2 out.
        """
        start = len(self.batch) if labelled else 0
        return classifier_attention(
            self.model,
            self._joint,
            classes,
            rows + start,
            method=method,
            second_order=second_order,
            signed=signed,
        )

    def untouched(self, images: Tensor, statistics: str) -> Output:
        """Pass images through the model without moving its batch-norm statistics."""
        with untouched_batch_norm(self.model, statistics):
            output: Output = self.model(images)
        return output

    @property
    def true_pairs(self) -> tuple[Tensor, Tensor]:
        """(rows, classes) of every class that is present in an image of the batch."""
        rows, classes = torch.nonzero(self.batch.labels > 0.5, as_tuple=True)
        return rows, classes


def mean_by_image(values: Tensor, rows: Tensor) -> Tensor:
    """Average over the pairs of each image, then over the images that have one.

    Args:
        values: (P,) one value a pair.
        rows: (P,) the image of each pair.

    Returns:
        A scalar; zero, still part of the graph, where there is no pair.
    """
    if len(values) == 0:
        return values.sum()
    _, position, counts = rows.unique(return_inverse=True, return_counts=True)
    return (values / counts[position]).sum() / len(counts)
