"""What a loss term may look at in one training step."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from biasaudit.data.batches import Batch
from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.classifier import Classifier, Output


class Step:
    """One batch, the labelled images beside it, and the model's answers to both.

    Each pass is made when the first term asks for it, and once.

    Args:
        model: The classifier in training.
        batch: Images with image-level labels.
        labelled: Images whose regions are known, None where the run has no such labels.
        progress: Epochs done so far; fractional within an epoch.
    """

    def __init__(
        self, model: Classifier, batch: Batch, labelled: Batch | None, progress: float
    ) -> None:
        self.model = model
        self.batch = batch
        self.labelled = labelled
        self.progress = progress

    @cached_property
    def output(self) -> Output:
        """Scores and features of the batch; this pass alone moves batch-norm statistics."""
        output: Output = self.model(self.batch.images)
        return output

    @cached_property
    def labelled_pass(self) -> tuple[Batch, Output]:
        """The labelled images, their scores and features; batch norm stays untouched.

        Raises:
            RuntimeError: The run has no labelled images (modes are checked before training).
        """
        if self.labelled is None:
            raise RuntimeError("a term asks for labelled images in a run without any")
        return self.labelled, self.untouched(self.labelled.images, "running")

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
