"""What does an evaluation cost beside the bare forward pass, and does its memory grow?

    OMP_NUM_THREADS=1 python benchmarks/evaluate_cost.py

passes the same drawn images through the same network twice in turn: bare (scores alone), and as
``biasaudit evaluate`` does (scores, attention maps, overlap with the object and the context,
groups with intervals, verdict, quadrants). The ratio of the medians should be at most 1.5. Then it
evaluates few and many images in fresh processes, and compares how much memory each took at its
peak. Writes ``benchmarks/results/evaluate_cost.csv``. A minute on one core; Linux.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch

from biasaudit.data.sample import Dataset, Image, Mask, Region, Sample
from biasaudit.evaluation.audit import Case, audit, plan_splits
from biasaudit.evaluation.predict import Subject, batches
from biasaudit.models.backbones import BACKBONES

RESULTS = Path(__file__).parent / "results" / "evaluate_cost.csv"
CASES = (("harbournet", 64, 800), ("mobilenet_v2", 128, 64), ("resnet18", 224, 32))
"""Backbone, side of its input in px, images."""
FEW, MANY = 800, 8000
"""Both fill the gallery, which holds 200 pictures a group and no more."""


def main() -> None:
    """Time and weigh every case, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--repeats", type=int, default=5, help="timings of each kind, in turn")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        print(peak_megabytes(options.peak_of))
        return
    rows: list[dict[str, Any]] = []
    for backbone, size, images in CASES:
        rows.append(timed(backbone, size, images, options.repeats))
        print(rows[-1], flush=True)
    for images in (FEW, MANY):
        command = [sys.executable, __file__, "--peak-of", str(images)]
        peak = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        rows.append({"measured": "memory", "backbone": "harbournet", "image_size": 64})
        rows[-1] |= {"images": images, "peak_megabytes": peak}
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(threads=torch.get_num_threads())
    table.to_csv(options.out, index=False, float_format="%.4g")


def timed(backbone: str, size: int, images: int, repeats: int) -> dict[str, Any]:
    """Time one network bare and audited, in turn, after one pass of each to warm up."""
    subject, dataset = subject_of(backbone, size), drawn(images, size)
    seconds: dict[str, list[float]] = {"bare": [], "evaluate": []}
    passes: dict[str, Callable[[], None]] = {
        "bare": partial(bare, subject, dataset),
        "evaluate": partial(evaluated, subject, dataset),
    }
    for turn in range(repeats + 1):
        for name, run in passes.items():
            started = time.process_time()
            run()
            if turn:
                seconds[name].append(time.process_time() - started)
    first, second = median(seconds["bare"]), median(seconds["evaluate"])
    return {
        "measured": "time",
        "backbone": backbone,
        "image_size": size,
        "images": images,
        "bare_cpu_seconds": first,
        "evaluate_cpu_seconds": second,
        "ratio": second / first,
    }


def peak_megabytes(images: int) -> float:
    """Evaluate so many images and return the most memory that this process ever held.

    From Linux's VmHWM: getrusage would tell of the process that started this one too.
    """
    evaluated(subject_of("harbournet", 64), drawn(images, 64))
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def subject_of(backbone: str, size: int) -> Subject:
    """Return an untrained network of four classes under audit."""
    torch.manual_seed(0)
    model = BACKBONES[backbone].build(4).eval()
    return Subject(model, ("boat", "car", "house", "tree"), size, torch.device("cpu"), 32)


def drawn(images: int, size: int) -> Dataset:
    """Return a dataset of noise: a half is ``val``, a half the two conflicting groups."""
    groups = (
        ("val", {"boat"}, {"water"}),
        ("val", set(), {"grass"}),
        ("test", {"boat"}, {"grass"}),
        ("test", set(), {"water"}),
    )
    subsets: dict[str, list[Sample]] = {"train": [], "val": [], "test": []}
    for number in range(images):
        subset, labels, contexts = groups[number % 4]
        named = sorted(labels | contexts)
        regions = {name: Region("mask", partial(mask, name, size)) for name in named}
        subsets[subset].append(
            Sample(
                f"{subset}-{number}",
                frozenset(labels),
                frozenset(contexts),
                partial(noise, number, size),
                regions,
            )
        )
    return Dataset("noise", ("boat", "car", "house", "tree"), ("water", "grass"), subsets)


def noise(number: int, size: int) -> Image:
    """Return an image of noise, drawn when it is looked at and not kept."""
    return np.random.default_rng(number).integers(0, 256, (size, size, 3), dtype=np.uint8)


def mask(name: str, size: int) -> Mask:
    """Return a region: an eighth of the image for the object, its lower half for a context."""
    region = np.zeros((size, size), dtype=bool)
    if name == "boat":
        region[size // 4 : size // 2, size // 4 : 3 * size // 4] = True
    else:
        region[size // 2 :] = True
    return region


def bare(subject: Subject, dataset: Dataset) -> None:
    """Load every image of both subsets and pass it through the network."""
    with torch.no_grad():
        for name in ("val", "test"):
            for batch in batches(subject, dataset.subset(name), ()):
                subject.model(batch.images)


def evaluated(subject: Subject, dataset: Dataset) -> None:
    """Audit the same images."""
    splits = plan_splits(dataset, ("val", "biased-boat"), "boat", "water")
    about = {"name": "untrained", "mode": "external", "backbone": "any"}
    audit(Case(subject, dataset, "boat", "water", splits, about))


if __name__ == "__main__":
    main()
