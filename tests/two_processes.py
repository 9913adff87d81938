"""Work done by one process, or by two that talk by gloo, each in a process of its own.

The processes are forked from a server that has imported what they need, and meet in a file: no
port is taken.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from killing import CONTEXT

SEVEN = 7
"""Labelled images: not to be shared out evenly."""
UNLABELLED = ("baseline", "upweight", "last_layer")


def run(work, folder, *arguments, count=2, seconds=240):
    """Call a function of a module in so many processes, and return their exit codes.

    Args:
        work: What to call.
        folder: Empty; given to ``work`` first, and what the processes print lies beside it, in
            ``folder.0`` and so on.
        arguments: What else it is given.
        count: How many processes.
        seconds: They are killed after that.
    """
    meeting = f"{folder}.meeting"
    Path(meeting).unlink(missing_ok=True)
    processes = [
        CONTEXT.Process(target=_begin, args=(work, folder, number, count, meeting, *arguments))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    end = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
        if process.exitcode is None:
            process.kill()
            process.join()
    return [process.exitcode for process in processes]


def printed(folder, number):
    """Return what a process printed."""
    return Path(f"{folder}.{number}").read_text("utf-8")


def _begin(work, folder, number, count, meeting, *arguments):
    stream = os.open(f"{folder}.{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    import torch

    torch.set_num_threads(1)
    if count > 1:
        told = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": count, "OMP_NUM_THREADS": 1}
        os.environ.update({name: str(value) for name, value in told.items()})
        os.environ.update({"LOCAL_WORLD_SIZE": str(count), "SOURCE_DATE_EPOCH": "1767225600"})
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{meeting}", rank=number, world_size=count
        )
    try:
        work(Path(folder), *arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def harbour(train=44):
    from biasaudit import api

    return api.load_dataset("harbour", options={"train": train, "val": 13, "group": 6})


def in_double_precision():
    """Let trainings compute in float64: what differs then is no rounding that Adam magnifies."""
    from biasaudit.training import network

    build = network.build_classifier
    network.build_classifier = lambda *given, **named: build(*given, **named).double()


def train(out, mode, batch, labelled, images=44, **changes):
    """Train a mode with a batch, and labelled images a step, of all processes together."""
    from biasaudit import api, processes

    count = processes.count()
    labels = {} if mode in UNLABELLED else {"pixel_labels": SEVEN}
    small = {"image_size": 32, "epochs": 2, "device": "cpu"}
    share = {"batch_size": batch // count, "labels_per_step": labelled // count}
    return api.train(harbour(images), mode, out=out, **small | share | labels | changes)


def every_mode(folder):
    """Train each built-in mode, and more where the images do not share out evenly."""
    from biasaudit.guidance.modes import MODES

    in_double_precision()
    for mode in MODES:
        train(folder / mode, mode, 8, 4)
    train(folder / "rfga", "gain_ext", 8, 4, attention_module="rfga")
    for mode in ("gain_ext", "rrr", "counterfactual"):
        # 43 images in one batch, 22 and 21; 7 labelled ones, 4 and 3
        train(folder / f"uneven-{mode}", mode, 60, 10, images=43, epochs=3)
        # one labelled image: a process has none
        train(folder / f"one-{mode}", mode, 8, 2, pixel_labels=1)


def every_gradient(folder):
    """Keep the gradients of each step of each built-in mode, in float32, weights held as they are.

    ``MODE.safetensors`` holds them, (steps, parameters), those of all parameters in one row.
    """
    import torch
    from safetensors.torch import save_file

    from biasaudit import processes
    from biasaudit.guidance.modes import MODES
    from biasaudit.training.loop import _Loop

    step, rows = _Loop._step, []

    def kept(self, *given):
        losses = step(self, *given)
        left = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.model.parameters()]
        rows.append(torch.cat([gradient.flatten() for gradient in left]))
        return losses

    _Loop._step = kept
    for mode in MODES:
        rows.clear()
        train(folder / "runs" / mode, mode, 8, 4, learning_rate=1e-30)
        if processes.first():
            save_file({"gradients": torch.stack(rows)}, folder / f"{mode}.safetensors")


def audited(folder, run):
    """Audit a run with everything that is measured, and repair it."""
    from biasaudit import api, processes

    data = harbour()
    audit = api.audit(run, data, batch_size=4, faithfulness=True, all_pairs=True, maps=True)
    if processes.first():
        audit.save(folder / "audit")
    for name, foregrounds in (("repaired", "labelled"), ("propagated", "propagated")):
        given = {"pixel_labels": SEVEN, "max_val_loss": 0.99, "foregrounds": foregrounds}
        api.repair(run, data, out=folder / name, **given)


def command(folder, words, kill=None):
    """Run the command line; process 1 kills itself in the ``kill``-th step where that is said."""
    from biasaudit import processes
    from biasaudit.cli import main

    if kill is not None and processes.number() == 1:
        in_step(kill, lambda: os.kill(os.getpid(), signal.SIGKILL))
    os.chdir(folder)
    main(words)


def stopped(folder, words, step):
    """Run the command line; process 1 alone gets SIGTERM in a step."""
    from biasaudit import processes
    from biasaudit.cli import main

    if processes.number() == 1:
        in_step(step, lambda: os.kill(os.getpid(), signal.SIGTERM))
    os.chdir(folder)
    main(words)


def unreadable(folder, words):
    """Run the command line; process 1 alone finds an image that cannot be read."""
    import multiprocessing

    from biasaudit import processes
    from biasaudit.cli import main
    from biasaudit.data.loading.batches import SampleTensors
    from biasaudit.errors import DataError

    load = SampleTensors.__getitem__

    def failing(images, index):
        if processes.launched()[0] == 1:
            raise DataError("3.png: not an image that can be read")
        return load(images, index)

    multiprocessing.set_start_method("fork", force=True)  # loading processes inherit what fails
    SampleTensors.__getitem__ = failing
    os.chdir(folder)
    main(words)


def in_step(number, act):
    """Act before the ``number``-th step of the training to come."""
    from biasaudit.training.loop import _Loop

    step, done = _Loop._step, 0

    def counted(self, *given):
        nonlocal done
        done += 1
        if done == number:
            act()
        return step(self, *given)

    _Loop._step = counted
