"""Audit, compare and report over a thousand to a hundred thousand images.

    OMP_NUM_THREADS=1 python -m benchmarks.scale

The images are noise of 16 px, drawn when they are looked at, and the network is one convolution of
8 channels: what is measured is what biasaudit does beside the network, and whether it grows faster
than the number of images. Each step has a process of its own: ``audit`` (with attention, all pairs
and faithfulness; ``again`` of another network), ``compare`` of the two audits and ``report`` of
both, from the folders that they were saved in; ``start`` does nothing but import and list the
images. Peak memory is the most that the process held (Linux). Writes
``benchmarks/results/scale.csv``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

import biasaudit as ba
from benchmarks.evaluate import CLASSES, drawn
from benchmarks.measure import options, write
from biasaudit.evaluation.audit import Case, Request, audit, plan_splits
from biasaudit.evaluation.predict import Subject
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.models.harbournet import block
from biasaudit.results import Audit

SIZE = 16
COUNTS = (1_000, 10_000, 100_000)
STEPS = ("start", "audit", "audit again", "compare", "report")


def main() -> None:
    """Measure every count, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options(parser, "scale", turns=1)
    parser.add_argument("--images", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(step(arguments.step, arguments.images[0], arguments.folder)))
        return
    device = torch.device("cpu")
    rows: list[dict[str, object]] = []
    for images in arguments.images:
        with tempfile.TemporaryDirectory() as folder:
            for name in STEPS:
                rows.append({"step": name, "images": images} | _apart(name, images, folder))
                print(rows[-1], flush=True)
                write(rows, device, arguments.out)


def _apart(name: str, images: int, folder: str) -> dict[str, float]:
    """Do one step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "--step", name]
    command += ["--images", str(images), "--folder", folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def step(name: str, images: int, folder: Path) -> dict[str, float]:
    """Do one step; return its seconds, those an image, peak memory and the size of the report."""
    audited = name.startswith("audit")
    dataset = drawn(images, SIZE) if audited or name == "start" else None
    folders = [folder / "first", folder / "second"]
    before, started = _peak_megabytes(), time.perf_counter()
    written = 0
    if audited and dataset is not None:
        place = folders[name == "audit again"]
        splits = plan_splits(dataset, ("val", "biased-boat"), "boat", "water")
        about = {"name": place.name, "mode": "external", "backbone": "any"}
        subject = _subject(int(name == "audit again"))
        case = Case(subject, dataset, "boat", "water", splits, about)
        audit(case, Request(all_pairs=True, faithfulness=True)).save(place)
    elif name == "compare":
        ba.compare(*(Audit.load(place) for place in folders))
    elif name == "report":
        ba.report(folders, folder / "report.html")
        written = (folder / "report.html").stat().st_size
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "milliseconds_an_image": 1000 * seconds / images,
        "megabytes_before": before,
        "peak_megabytes": _peak_megabytes(),
        "report_megabytes": written / 1e6,
    }


def _subject(seed: int) -> Subject:
    torch.manual_seed(seed)
    model = Classifier(block(3, 8), PooledLinear(8, len(CLASSES)), (0.5,) * 3, (0.25,) * 3)
    return Subject(model.eval(), CLASSES, SIZE, torch.device("cpu"), 64)


def _peak_megabytes() -> float:
    """Return the most memory that this process ever held, from Linux's VmHWM.

    getrusage would tell of the process that started this one too.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
