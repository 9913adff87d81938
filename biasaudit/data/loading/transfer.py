"""From the CPU to a device, without waiting for what the device computes."""

from __future__ import annotations

import torch
from torch import Tensor


def sent(values: Tensor, device: torch.device | str) -> Tensor:
    """Return a tensor on a device; one that lies there is returned as it is.

    To a CUDA device the copy goes by pinned memory: one out of ordinary memory would wait until
    the device had done all work before it. The next kernel on the device finds it done.

    Args:
        values: Of any shape.
        device: Where they shall be.
    """
    device = torch.device(device)
    if values.device.type == "cpu" and device.type == "cuda":
        values = values.pin_memory()
    # elsewhere than on CUDA, torch says nothing of who keeps the memory until the copy is done
    return values.to(device, non_blocking=device.type != "mps" and values.device.type == "cpu")
