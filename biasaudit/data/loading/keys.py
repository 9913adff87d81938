"""What the pixels of an image depend on, as the cache of decoded images asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from biasaudit.data.sample import Sample


class Keyed(Protocol):
    """What gives an image, and knows what its pixels depend on."""

    def key(self, content: Callable[[Path], str]) -> str | None:
        """Return a text that differs wherever the pixels do, None where no file tells.

        Args:
            content: Gives the digest of a file's content; raises OSError.
        """


def key_of(sample: Sample, content: Callable[[Path], str]) -> str | None:
    """Return what a sample's pixels depend on, as :class:`Keyed` has it; None for a drawn one."""
    keyed: Keyed | None = sample.load_image if hasattr(sample.load_image, "key") else None
    return None if keyed is None else keyed.key(content)
