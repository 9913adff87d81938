"""Trainings and audits in processes of their own, which are killed at chosen moments.

The processes are forked from one that has imported what they need and drawn the pictures, so that
a moment falls into the work and not into what comes before it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
NEEDED = """
    cases cli data.synthetic.harbour evaluation.audit guidance.built_in models.external
    models.harbournet models.whole_network training.resumable
"""
CONTEXT.set_forkserver_preload([f"biasaudit.{name}" for name in NEEDED.split()])
OPTIONS = {"train": 48, "val": 16, "group": 6}
STEPS = 6
"""Of an epoch."""


@cache
def dataset():
    from biasaudit import api

    return api.load_dataset("harbour", options=OPTIONS)


def settings(mode, **changes):
    from biasaudit import api

    labels = {} if mode in ("baseline", "last_layer") else {"pixel_labels": 6}
    small = {"image_size": 64, "batch_size": 8, "labels_per_step": 3, "epochs": 2, "device": "cpu"}
    data = dataset()
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
    found = api.audit(run, dataset(), batch_size=batch_size, maps=batch_size == 4)
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
    begun = time.monotonic()
    _server().send((function, arguments))
    pid = _server().recv()
    if not _server().poll(seconds):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    code = _server().recv()
    took = time.monotonic() - begun
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{function.__name__} ended with {code}")
    return code == 0, took


@cache
def _server():
    """Start the process that forks the others, and return this end of what joins them."""
    here, there = CONTEXT.Pipe()
    CONTEXT.Process(target=_serve, args=(there,), daemon=True).start()
    return here


def _serve(asked):
    """Fork a process for whatever is asked, tell its number, and how it ended."""
    for subset in ("train", "val", "test"):
        for sample in dataset().subset(subset):
            sample.load_image()
    while True:
        function, arguments = asked.recv()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                function(*arguments)
                code = 0
            finally:
                if code:
                    traceback.print_exc()
                os._exit(code)
        asked.send(pid)
        asked.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
