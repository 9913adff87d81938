"""Samples read side by side, and given in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from biasaudit.data.sample import Sample

_AHEAD = 64
"""Samples that wait read for their turn at most."""
Read = TypeVar("Read")


def read_ahead(samples: Sequence[Sample], read: Callable[[Sample], Read]) -> Iterator[Read]:
    """Yield what ``read`` makes of each sample, in order; decoding leaves Python's lock."""
    waiting = iter(samples)
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(read, sample) for sample in islice(waiting, _AHEAD)]
        while futures:
            yield futures.pop(0).result()
            futures += [pool.submit(read, sample) for sample in islice(waiting, 1)]
