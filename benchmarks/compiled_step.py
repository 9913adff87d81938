"""Whether ``torch.compile`` makes a training step faster, and what it costs to compile.

    OMP_NUM_THREADS=1 python -m benchmarks.compiled_step

The same steps as in ``benchmarks.train_step``: of each mode one plain network and one whose body,
forward and backward, is compiled by TorchInductor; they take turns on the same images. A step is
compiled in its first calls, of which the longest is reported: with it the graph is made for any
number of images, as ``gain``'s masked pass needs. Needs a C++ compiler. Writes
``benchmarks/results/compiled_step.csv``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.measure import device_of, in_turn, options, ratio, write
from benchmarks.train_step import CASES, LABELLED, Case, Training, batches_of
from biasaudit.memory import freed_memory_kept
from biasaudit.models.classifier import LayerPass

_FIRST = 3
"""Steps before any is timed: those in which graphs are made."""


def main() -> None:
    """Measure every case and mode, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options(parser, "compiled_step", turns=7)
    parser.add_argument("--cases", nargs="+", default=CASES[:3], help="backbone:side:images")
    parser.add_argument("--modes", nargs="+", default=("baseline", "gain"))
    parser.add_argument("--backend", default="inductor", help="of torch.compile")
    arguments = parser.parse_args()
    device = device_of(arguments)
    rows: list[dict[str, object]] = []
    for case in (Case.read(text, 0.5) for text in arguments.cases):
        for mode in arguments.modes:
            rows.append(measure(case, mode, arguments, device))
            write(rows, device, arguments.out)
            print(
                f"{case.backbone:13} {mode:15} {rows[-1]['ratio']:.2f} of the plain step's time, "
                f"{rows[-1]['compile_seconds']:.0f} s to compile",
                flush=True,
            )


def measure(
    case: Case, mode: str, arguments: argparse.Namespace, device: torch.device
) -> dict[str, object]:
    """Return the row of one network and mode."""
    batch, beside = (made.to(device) for made in batches_of(case))
    labelled = beside if mode in LABELLED else None
    plain, compiled = (Training(case.backbone, mode, device) for _ in range(2))
    compiled.model.classifier.layer_pass = compiled_pass(arguments.backend)
    first = []
    for _ in range(_FIRST):
        started = time.perf_counter()
        compiled.step(batch, labelled)
        first.append(time.perf_counter() - started)
    steps = {"plain": plain, "compiled": compiled}
    with freed_memory_kept(device.type):
        seconds = in_turn(
            {name: partial(one.step, batch, labelled) for name, one in steps.items()},
            arguments.turns,
            device,
        )
    return {
        "backbone": case.backbone,
        "image_size": case.size,
        "images": case.images,
        "mode": mode,
        "backend": arguments.backend,
        "compile_seconds": max(first),
        "plain_seconds": median(seconds["plain"]),
        "seconds": median(seconds["compiled"]),
        "ratio": ratio(seconds, "compiled", "plain"),
    }


def compiled_pass(backend: str) -> LayerPass:
    """Return a way of running layers that compiles each sequence of them once."""
    made: dict[tuple[int, ...], Callable[[Tensor], Tensor]] = {}

    def run(layers: Sequence[nn.Module], maps: Tensor) -> Tensor:
        key = tuple(map(id, layers))
        if key not in made:
            made[key] = torch.compile(nn.Sequential(*layers), backend=backend)
        return made[key](maps)

    return run


if __name__ == "__main__":
    main()
