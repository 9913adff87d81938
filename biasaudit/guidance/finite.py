"""What of a step must be finite: looked at on the device, and read together."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class FiniteChecks:
    """Numbers that stop the training where they are none, read in one transfer.

    To look at one number the host waits until the device has computed it, and meanwhile gives it
    nothing to do. So they are noted as they come, and read where the host needs a number anyway.
    """

    def __init__(self) -> None:
        self._noted: list[tuple[str, Tensor]] = []
        self._term = ""

    def begin(self, term: str) -> None:
        """What is noted from here on belongs to this term."""
        self._term = term

    def maps(self, maps: Tensor) -> None:
        """Note attention maps of any shape, of which every number must be finite."""
        sound = maps.detach().isfinite().all()
        found = torch.where(sound, 0.0, torch.nan)
        said = f"term '{self._term}': " if self._term else ""
        self._noted.append((f"{said}an attention map holds NaN or infinity", found))

    def loss(self, loss: Tensor) -> None:
        """Note the loss of the term, a scalar."""
        self._noted.append((f"the loss is {{:g}} (term '{self._term}')", loss.detach()))

    def read(self, values: Tensor) -> list[float]:
        """Return (P,) numbers of the device, together with which all that was noted is read.

        Raises:
            FloatingPointError: Something that was noted is not finite: the first that is not.
        """
        noted, self._noted = self._noted, []
        whole = [values, *(found.reshape(1) for _, found in noted)]
        # one type for all, so that they are one transfer: of truth values, 0 and 1
        read: list[float] = torch.cat(whole).tolist() if noted else values.tolist()
        for (said, _), value in zip(noted, read[len(values) :], strict=True):
            if not math.isfinite(value):
                raise FloatingPointError(said.format(value))
        return read[: len(values)]
