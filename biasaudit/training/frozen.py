"""What the frozen layers make of the training images, computed once instead of in every epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from biasaudit.data.loading.batches import Batch, SampleTensors
from biasaudit.data.loading.transfer import sent
from biasaudit.models.classifier import Classifier

MOST_BYTES = 1 << 30
"""What is kept of one subset at most: a laptop has room for it beside the training."""


class FrozenOutputs:
    """Outputs of the frozen layers of all images of a subset, as they are and mirrored.

    Frozen layers do not train and a training image comes in two versions, so that their part of
    the forward pass need not be repeated. Images that training makes itself (masked, edited) go
    through them each time.

    Args:
        outputs: (V, N, H, W, K): V 2 where images are mirrored, else 1.
    """

    def __init__(self, outputs: Tensor) -> None:
        self._outputs = outputs

    def of(self, batch: Batch) -> Tensor:
        """Return the (B, K, H, W) outputs of a batch, on its device."""
        rows = self._outputs[batch.host.mirrored.long(), batch.host.indices]
        return sent(rows, batch.images.device).permute(0, 3, 1, 2)


@torch.no_grad()
def frozen_outputs(
    model: Classifier, images: SampleTensors, batch_size: int, device: torch.device
) -> FrozenOutputs | None:
    """Run the frozen layers once over a subset.

    Args:
        model: In training; its frozen layers are in evaluation mode.
        images: The subset.
        batch_size: Images a pass.
        device: Where the model is.

    Returns:
        None where the model has no frozen layer, or the outputs would take more than
        :data:`MOST_BYTES`.
    """
    if not model.starts_frozen:
        return None
    versions = 1 if images.mirror is None else 2
    kept: Tensor | None = None
    for first in range(0, len(images), batch_size):
        rows = range(first, min(first + batch_size, len(images)))
        batch = torch.stack([images.unmirrored(row) for row in rows]).to(device).float() / 255
        for version in range(versions):
            made = model.start(batch.flip(-1) if version else batch).permute(0, 2, 3, 1).cpu()
            if kept is None:
                shape = (versions, len(images), *made.shape[1:])
                if torch.Size(shape).numel() * made.element_size() > MOST_BYTES:
                    return None
                kept = torch.empty(shape, dtype=made.dtype)
            kept[version, first : first + len(made)] = made
    return None if kept is None else FrozenOutputs(kept)
