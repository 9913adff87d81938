"""The digest by which a model is told from another: SHA-256 of its weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import save
from torch import nn

from biasaudit.errors import RunError
from biasaudit.inputs.files import Source, digest_of_file
from biasaudit.models.backbones import state_of


def weights_digest(network: nn.Module, file: Path | None = None) -> str:
    """Return the SHA-256 of a model's weights as 64 hexadecimal digits.

    Args:
        network: The model.
        file: The file that its weights were read from: its own bytes count, so that ``sha256sum``
            gives the same. Where None, the bytes of the weights as a safetensors file.

    Raises:
        RunError: The file cannot be read.
    """
    if file is None:
        return hashlib.sha256(save(state_of(network))).hexdigest()
    return digest_of_file(Source(file, RunError))
