"""A pass over images by several processes: each takes whole batches, all get all answers.

Batches are those of one process, so that every number is the same, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from biasaudit import processes
from biasaudit.data.sample import Sample

Value = TypeVar("Value")


def by_process(
    samples: Sequence[Sample], batch_size: int, work: Callable[[Sequence[Sample], int], Value]
) -> list[Value]:
    """Pass each process's part of some images, and return all parts in their order.

    Args:
        samples: The images.
        batch_size: Images a batch: a part begins where a batch of one process would.
        work: Given some of the images, in their order, and the place of the first among all.

    Raises:
        BiasAuditError: The work failed so in some process.
    """
    part = processes.span(-(-len(samples) // batch_size))
    start = part.start * batch_size
    own = samples[start : part.stop * batch_size]
    parts = processes.shared(lambda: work(own, start) if own else None)
    return [found for found in parts if found is not None]
