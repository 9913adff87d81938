"""Trainings and audits in processes of their own, which are killed at chosen moments.

The processes are forked from a server that has imported what they need, so that a moment falls
into the work and not into the imports.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["biasaudit.api", "biasaudit.training.resumable", "biasaudit.evaluation.audit"]
)
OPTIONS = {"train": 48, "val": 16, "group": 6}
STEPS = 6
"""Of an epoch."""


def settings(mode, **changes):
    from biasaudit import api

    labels = {} if mode in ("baseline", "last_layer") else {"pixel_labels": 6}
    small = {"image_size": 64, "batch_size": 8, "labels_per_step": 3, "epochs": 2, "device": "cpu"}
    data = api.load_dataset("harbour", options=OPTIONS)
    return data, api.settings_for(data, mode, **{**small, **labels, **changes})


def train(folder, mode, changes=None, kill=None, note=None):
    """Train into a folder, or go on there; killed before its ``kill``-th change of a file."""
    import torch

    from biasaudit import api

    torch.set_num_threads(1)
    if kill is not None:
        die_at(kill, Path(folder))
    data, chosen = settings(mode, **(changes or {}))
    api.train(data, settings=chosen, out=folder, resume=True, note=note)


def audit(run, target, batch_size, kill=None):
    """Audit a run into a folder; killed before its ``kill``-th change of a file there."""
    import torch

    from biasaudit import api

    torch.set_num_threads(1)
    data = api.load_dataset("harbour", options=OPTIONS)
    found = api.audit(run, data, batch_size=batch_size, maps=batch_size == 4)
    if kill is not None:
        die_at(kill, Path(target))
    found.save(target)


def save(run, target, kill=None):
    """Write a run in memory, as a repair does, to a folder of its own."""
    from biasaudit import api

    found = api.load_run(run)
    if kill is not None:
        die_at(kill, Path(target).parent)
    found.save(target)


def die_at(number, folder):
    """Send SIGKILL to this process before it changes a file under ``folder`` so many times."""
    changed = 0

    def count(event, arguments):
        nonlocal changed
        if event == "open":
            path, mode, _ = arguments
            if not isinstance(mode, str) or not set(mode) & set("wxa+"):
                return
        elif event in ("os.rename", "os.remove", "os.rmdir"):
            path = arguments[0]
        else:
            return
        if isinstance(path, str | Path) and Path(path).is_relative_to(folder):
            changed += 1
            if changed >= number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def run(function, *arguments, seconds=None):
    """Call a function in a process of its own.

    Args:
        function: Of a module.
        arguments: What it is given.
        seconds: When to kill the process, counted from its start; None lets it end.

    Returns:
        Whether it ended by itself, and the seconds that it took.
    """
    process = CONTEXT.Process(target=function, args=arguments)
    begun = time.monotonic()
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
    took = time.monotonic() - begun
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{function.__name__} ended with {process.exitcode}")
    return process.exitcode == 0, took
