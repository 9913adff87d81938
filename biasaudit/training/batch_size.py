"""The largest batch whose training step fits into memory, where the user asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from biasaudit import processes
from biasaudit.errors import BiasAuditError, ConfigError, RunFailedError, named_field
from biasaudit.memory import free_bytes
from biasaudit.training.device import make_accelerator
from biasaudit.training.plan import Plan
from biasaudit.training.trial import Trial

SHARE_OF_DEVICE = 0.9
"""Of the memory that is free on a GPU: steps of several sizes leave gaps between them."""
SHARE_OF_HOST = 0.5
"""Of the main memory that is free: others take of it too, and libraries beside the tensors."""
_MEASURED = (8, 16)
"""Images of the largest steps that are made where the device is the CPU."""


def sized_together(plan: Plan, note: Callable[[str], None]) -> Plan:
    """Return the plan with the batch size that the first process finds, in all processes.

    Raises:
        BiasAuditError: As of :func:`sized`, in all processes.
    """
    if not plan.seeks_batch_size:
        return plan
    word: BiasAuditError | int = 0
    if processes.first():
        try:
            word = int(sized(plan, note).settings.training.batch_size or 0)
        except BiasAuditError as error:
            word = error
    word = processes.told(word)
    if isinstance(word, BiasAuditError):
        raise word
    return plan.sized(word)


def sized(plan: Plan, note: Callable[[str], None]) -> Plan:
    """Find the batch size of a plan that leaves it open; this process works alone.

    The sizes tried are the recipe's own, doubled or halved. On a GPU steps are made, of twice as
    many images each time, until memory runs out; on a CPU, which would bring the whole machine to
    a halt, the memory of two small steps is measured and taken to grow with the images. Of several
    processes each has a device of its own, or an equal part of the main memory.

    Steps are made by a network, an optimiser and random generators of their own, with as many true
    classes an image as the dataset has at the most: the training is that of the same number given
    by hand.

    Args:
        plan: Of the training.
        note: Told what was found.

    Raises:
        ConfigError: Nobody says how much main memory is free, or a mode cannot be trained so.
        RunFailedError: Not even the smallest step fits.
    """
    settings = plan.settings.training
    accelerator = make_accelerator(settings.device, settings.precision)
    device = accelerator.device
    cuda = [device] if device.type == "cuda" else []
    with processes.apart(), torch.random.fork_rng(cuda):
        trial = Trial(plan, accelerator)
        fits = _fits_main_memory(trial) if device.type == "cpu" else _fits_device(trial)
        found = largest(plan.recipe.batch_size, trial.least, trial.most, fits)
    del trial, fits
    clear_device_cache(garbage_collection=True)
    if found is None:
        raise RunFailedError(
            f"{named_field('training.batch_size', 'auto')}: not even the smallest step fits into "
            f"the memory of this {'machine' if device.type == 'cpu' else 'GPU'}",
            f"lower {named_field('data.image_size')} or {named_field('training.labels_per_step')}",
        )
    note(
        f"batch size found: {found} images a step of mode '{settings.mode}' "
        f"(the recipe's own: {plan.recipe.batch_size}; the learning rate stays)"
    )
    return plan.sized(found)


def largest(start: int, least: int, most: int, fits: Callable[[int], bool]) -> int | None:
    """Return the largest of ``start``, doubled or halved, that fits; None where none does.

    Args:
        start: Tried first, or ``most`` where it is less.
        least: No size is smaller.
        most: No size is larger.
        fits: Says it of a size; where one does not, no larger one is asked for.

    >>> largest(8, 2, 100, lambda size: size <= 40)
    32
    >>> largest(8, 2, 100, lambda size: size <= 3)
    2
    """
    size = min(start, most)
    if not fits(size):
        while size > least:
            size = max(size // 2, least)
            if fits(size):
                return size
        return None
    while size * 2 <= most and fits(size * 2):
        size *= 2
    return size


def _fits_device(trial: Trial) -> Callable[[int], bool]:
    """Return what makes a step on the GPU and says whether it fits."""
    device = trial.accelerator.device
    budget = float("inf")
    if device.type == "cuda":
        budget = SHARE_OF_DEVICE * torch.cuda.mem_get_info(device)[0]

    def fits(size: int) -> bool:
        try:
            peak = trial.peak(size) if device.type == "cuda" else trial.steps(size)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            peak = None
        trial.forget()  # here the error is gone, and with it what its traceback held
        return peak is not None and peak <= budget

    return fits


def _fits_main_memory(trial: Trial) -> Callable[[int], bool]:
    """Return what says whether a step fits, from the peaks of two small ones."""
    free = free_bytes()
    if free is None:
        raise ConfigError(
            f"{named_field('training.batch_size', 'auto')}: this system does not say how much "
            "memory is free",
            "give a number",
        )
    budget = SHARE_OF_HOST * free / processes.count_here() - trial.kept
    peak = cache(trial.peak)
    small, larger = _MEASURED

    def fits(size: int) -> bool:
        if size <= larger:
            return peak(size) <= budget
        if peak(small) > budget:
            return False
        slope = (peak(larger) - peak(small)) / (larger - small)
        return peak(larger) + slope * (size - larger) <= budget

    return fits
