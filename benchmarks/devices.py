"""What does it cost that two processes train together, and what would more of them gain?

    OMP_NUM_THREADS=1 python -m benchmarks.devices

Two processes on this machine, a thread each, talk by gloo. In turn both make a step of their own
(``alone``), the same step by the batch norm of several processes with nothing sent (``unsent``),
and one step together: the same images a process, gradients averaged, batch norm over all images.
Beside that, what the step sends is sent by itself: its gradients in one piece, and the statistics
of its batch norms one by one. Steps are timed by the processor (median over the turns), which other
work on the machine does not disturb; what is sent, by the clock, the least of all turns.

The speed-up on paper for N processes takes the gradients as a ring sends them, 2(N - 1)/N times
their size, and the statistics as a tree does, log2(N) times their time between two:

    speed-up = N * alone / (unsent + 2(N - 1)/N * gradients + log2(N) * statistics)

which leaves out that gradients are sent while others are still computed. Writes
``benchmarks/results/devices.csv``. Three minutes on two cores.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch
from torch import distributed, multiprocessing, nn

from biasaudit import processes
from biasaudit.config import load_settings
from biasaudit.data.loading.batches import Batch
from biasaudit.guidance.modes import active_terms
from biasaudit.models.backbones import build_classifier
from biasaudit.models.shared_norm import SharedBatchNorm2d, share_batch_norm
from biasaudit.training.guided import GuidedModel

RESULTS = Path(__file__).parent / "results" / "devices.csv"
CASES = (
    ("harbournet", 64, 32, "baseline"),
    ("harbournet", 64, 32, "counterfactual"),
    ("mobilenet_v2", 128, 16, "baseline"),
    ("mobilenet_v2", 128, 16, "counterfactual"),
    ("resnet18", 128, 16, "baseline"),
)
"""Backbone, side of its input in px, images a process, mode. All layers train."""
LABELLED, CLASSES, PROCESSES = 8, 4, 2
ON_PAPER = (2, 4, 8, 16, 64)


def main() -> None:
    """Time every case in two processes, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--turns", type=int, default=9, help="timings of each kind, in turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given = (Path(folder), options.turns)
        multiprocessing.spawn(measure, args=given, nprocs=PROCESSES)
        table = pd.read_csv(Path(folder) / "table.csv")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out, index=False, float_format="%.4g")
    print(table.to_string(index=False))


def measure(number: int, folder: Path, turns: int) -> None:
    """Time every case in this process; the first one writes the table."""
    torch.set_num_threads(1)
    os.environ.update({"RANK": str(number), "WORLD_SIZE": str(PROCESSES)})
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=number, world_size=PROCESSES)
    rows = [timed(*case, turns=turns) for case in CASES]
    if processes.first():
        about = {
            "processes": PROCESSES,
            "threads": 1,
            "cores": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        }
        pd.DataFrame(rows).assign(**about).to_csv(folder / "table.csv", index=False)
    processes.leave()


def timed(backbone: str, size: int, images: int, mode: str, *, turns: int) -> dict[str, Any]:
    """Time one case."""
    own, joint = guided(backbone, mode), guided(backbone, mode)
    share_batch_norm(joint.classifier)
    wrapped = nn.parallel.DistributedDataParallel(joint)
    batch, labelled = drawn(images, size), drawn(LABELLED, size)
    seen = labelled if mode != "baseline" else None
    gradients = torch.zeros(sum(p.numel() for p in joint.parameters()))
    layers = [m for m in joint.modules() if isinstance(m, SharedBatchNorm2d)]
    tables = [torch.zeros(PROCESSES, 2 * layer.num_features + 1) for layer in layers]

    def send_statistics() -> None:
        for table in [*tables, *reversed(tables)]:  # forward, and backward
            distributed.all_reduce(table)

    def alone() -> None:
        with unconnected():
            stepped(own, batch, seen)

    def unsent() -> None:
        with nothing_sent():
            stepped(joint, batch, seen)

    computed = {
        "alone": alone,
        "unsent": unsent,
        "together": lambda: stepped(wrapped, batch, seen),
    }
    exchanged = {
        "gradients": lambda: distributed.all_reduce(gradients),
        "statistics": send_statistics,
    }
    taken = seconds_of(computed, turns, time.process_time)
    took = {name: median(found) for name, found in taken.items()}
    taken = seconds_of(exchanged, 5 * turns, time.perf_counter)
    took |= {name: min(found) for name, found in taken.items()}
    sent = took["gradients"] + took["statistics"]
    return {
        "backbone": backbone,
        "image_size": size,
        "images_a_process": images,
        "mode": mode,
        "megabytes_of_gradients": 4e-6 * len(gradients),
        "batch_norms": len(layers),
        **{f"{name}_ms": 1000 * seconds for name, seconds in took.items()},
        "share_sent": sent / (took["unsent"] + sent),
        **{f"speed_up_of_{n}_on_paper": on_paper(n, took) for n in ON_PAPER},
    }


def on_paper(n: int, took: Mapping[str, float]) -> float:
    """Return by how much N processes would be faster than one, in images a second."""
    sent = 2 * (n - 1) / n * took["gradients"] + math.log2(n) * took["statistics"]
    return n * took["alone"] / (took["unsent"] + sent)


def seconds_of(
    programs: Mapping[str, Callable[[], None]], turns: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Run all programs once to warm up, then in turn; return the seconds that each took."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(turns + 1):
        for name, run in programs.items():
            distributed.barrier()
            started = clock()
            run()
            if turn:
                seconds[name].append(clock() - started)
    return seconds


def guided(backbone: str, mode: str) -> GuidedModel:
    """Return an untrained network with the terms of a mode, all layers in training."""
    torch.manual_seed(0)
    model = build_classifier(backbone, CLASSES, "none", 0)
    settings = load_settings(None, (), {"training.mode": mode})
    return GuidedModel(model, active_terms(settings)).train()


def stepped(guided: nn.Module, batch: Batch, labelled: Batch | None) -> None:
    """Make one step but for the optimiser: losses and gradients, past every warm-up."""
    guided.zero_grad(set_to_none=True)
    guided(batch, labelled, 100.0)["total"].backward()


def drawn(images: int, size: int) -> Batch:
    """Return noise with one class an image, and a square region in each."""
    generator = torch.Generator().manual_seed(0)
    regions = torch.zeros(images, size, size)
    regions[:, size // 4 : size // 2, size // 4 : size // 2] = 1
    rows = torch.arange(images)
    return Batch(
        images=torch.rand(images, 3, size, size, generator=generator),
        labels=torch.eye(CLASSES)[rows % CLASSES],
        regions=regions,
        region_rows=rows,
        region_classes=rows % CLASSES,
        indices=rows,
        mirrored=torch.zeros(images, dtype=torch.bool),
    )


@contextmanager
def unconnected() -> Iterator[None]:
    """Let this process believe that it is alone."""
    connected = processes._distributed
    processes._distributed = lambda: None
    try:
        yield
    finally:
        processes._distributed = connected


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Let every sum over processes be this one's value."""
    sent = distributed.all_reduce
    distributed.all_reduce = lambda values, *given, **named: None
    try:
        yield
    finally:
        distributed.all_reduce = sent


if __name__ == "__main__":
    main()
