"""Audit, compare and report over a thousand to a hundred thousand images.

    OMP_NUM_THREADS=1 python -m benchmarks.scale

The images are noise of 16 px, drawn when they are looked at, and the network is one convolution of
8 channels: what is measured is what biasaudit does beside the network, and whether it grows faster
than the number of images. Each step has a process of its own: ``audit`` (with attention, all pairs
and faithfulness; ``again`` of another network), ``compare`` of the two audits and ``report`` of
both, from the folders that they were saved in; ``start`` does nothing but import and list the
images. The processes of ``compare`` and ``report`` run the command and import nothing else, so no
torch. Seconds include the imports. Peak memory is the most that the process held (Linux). Writes
``benchmarks/results/scale.csv``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biasaudit.data.sample import Dataset

RESULTS = Path(__file__).parent / "results" / "scale.csv"
SIZE = 16
COUNTS = (1_000, 10_000, 100_000)
STEPS = ("start", "audit", "audit again", "compare", "report")


def main() -> None:
    """Measure every count, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV")
    parser.add_argument("--images", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(step(arguments.step, arguments.images[0], arguments.folder)))
        return
    rows: list[dict[str, object]] = []
    for images in arguments.images:
        with tempfile.TemporaryDirectory() as folder:
            for name in STEPS:
                rows.append({"step": name, "images": images} | _apart(name, images, folder))
                print(rows[-1], flush=True)
                _write(rows, arguments.out)


def _apart(name: str, images: int, folder: str) -> dict[str, float]:
    """Do one step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "--step", name]
    command += ["--images", str(images), "--folder", folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _write(rows: Sequence[Mapping[str, object]], out: Path) -> None:
    import torch

    from benchmarks.measure import write

    write(rows, torch.device("cpu"), out)


def step(name: str, images: int, folder: Path) -> dict[str, float]:
    """Do one step; return its seconds, those an image, peak memory and the size of the report."""
    folders = [folder / "first", folder / "second"]
    html = folder / "report.html"
    work: Callable[[], object] = {
        "start": lambda: _listed(images),
        "audit": lambda: _audit(_listed(images), folders[0], seed=0),
        "audit again": lambda: _audit(_listed(images), folders[1], seed=1),
        "compare": lambda: _command("compare", *map(str, folders)),
        "report": lambda: _command("report", *map(str, folders), "--out", str(html)),
    }[name]
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "milliseconds_an_image": 1000 * seconds / images,
        "peak_megabytes": _peak_megabytes(),
        "report_megabytes": html.stat().st_size / 1e6 if name == "report" else 0,
    }


def _listed(images: int) -> Dataset:
    from benchmarks.evaluate import drawn

    return drawn(images, SIZE)


def _audit(dataset: Dataset, place: Path, seed: int) -> None:
    """Audit a network drawn from the seed."""
    import torch

    from biasaudit.evaluation.audit import Case, Request, audit, plan_splits
    from biasaudit.evaluation.predict import Subject
    from biasaudit.models.classifier import Classifier, PooledLinear
    from biasaudit.models.harbournet import block

    torch.manual_seed(seed)
    classes = dataset.classes
    model = Classifier(block(3, 8), PooledLinear(8, len(classes)), (0.5,) * 3, (0.25,) * 3)
    subject = Subject(model.eval(), classes, SIZE, torch.device("cpu"), 64)
    splits = plan_splits(dataset, ("val", "biased-boat"), "boat", "water")
    about = {"name": place.name, "mode": "external", "backbone": "any"}
    case = Case(subject, dataset, "boat", "water", splits, about)
    audit(case, Request(all_pairs=True, faithfulness=True)).save(place)


def _command(*arguments: str) -> None:
    """Run biasaudit in this process."""
    from biasaudit.cli import main

    try:
        main([*arguments])
    except SystemExit as end:
        if end.code:
            raise


def _peak_megabytes() -> float:
    """Return the most memory that this process ever held, from Linux's VmHWM.

    getrusage would tell of the process that started this one too.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
