"""How fast images come from the disk, and how long the device waits for them.

    OMP_NUM_THREADS=1 python -m benchmarks.pipeline --data ../shared/photos

``loading``: seconds of an epoch's images without and with the cache of decoded images. The first
epoch decodes every file, scales it and writes it into the cache. The second one, of the same
loader, reads the cache; so does the first one of a fresh loader, as a next run has it, which also
holds each cached image against its sum. Nothing is kept in memory, and every pixel is copied. Each
figure is the least of several rounds: other programs only add to it.

``training``: images a second through the baseline's step, from JPEG files, from the cache and from
memory, with 0 to 2 loading processes, and the share of the time by the clock in which the device
waits for the next batch. Writes ``benchmarks/results/pipeline.csv``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from benchmarks.measure import device_of, options, write
from benchmarks.train_step import Training
from biasaudit.data.catalogue import load_dataset
from biasaudit.data.loading.batches import Batch, SampleTensors, collate
from biasaudit.data.sample import Sample
from biasaudit.memory import freed_memory_kept

CLASSES = tuple(f"class {number}" for number in range(20))


def loader(samples: Sequence[Sample], size: int, cache: Path | None = None) -> SampleTensors:
    """Return a loader as an epoch of a training has it, with nothing kept in memory."""
    return SampleTensors(samples, CLASSES, size, keep=False, cache=cache)


def epoch(data: SampleTensors) -> float:
    """Return the seconds that one pass over the images takes."""
    start = time.perf_counter()
    for index in range(len(data)):
        data[index].image.clone()
    return time.perf_counter() - start


def loading(samples: Sequence[Sample], size: int) -> dict[str, float]:
    """Return the seconds of each kind of epoch, in one round with an empty cache."""
    without = epoch(loader(samples, size))
    with tempfile.TemporaryDirectory() as folder:
        data = loader(samples, size, Path(folder))
        first, second = epoch(data), epoch(data)
        next_run = epoch(loader(samples, size, Path(folder)))
    return {
        "without cache": without,
        "first epoch": first,
        "second epoch": second,
        "next run": next_run,
    }


def training(
    data: SampleTensors, backbone: str, batch_size: int, workers: int, device: torch.device
) -> dict[str, float]:
    """Return images a second and the share of waiting of one epoch, the first step left out."""
    trained = Training(backbone, "baseline", device)
    batches: Iterator[Batch] = iter(
        DataLoader(
            data,
            batch_size,
            collate_fn=collate,
            num_workers=workers,
            drop_last=True,
            pin_memory=False,
        )
    )
    waited = computed = 0.0
    images = 0
    with freed_memory_kept(device.type):
        trained.step(next(batches).to(device), None)
        now = time.perf_counter()
        for batch in batches:
            ready = time.perf_counter()
            trained.step(batch.to(device, non_blocking=True), None)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            waited, computed = waited + ready - now, computed + time.perf_counter() - ready
            images, now = images + len(batch), time.perf_counter()
    return {
        "seconds": waited + computed,
        "images_a_second": images / (waited + computed),
        "waiting": waited / (waited + computed),
    }


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options(parser, "pipeline", turns=3)
    parser.add_argument("--data", required=True, help="a dataset of image files")
    parser.add_argument("--images", type=int, default=700)
    parser.add_argument("--trained", type=int, default=160, help="images of an epoch of training")
    parser.add_argument("--image-size", type=int, nargs="+", default=[128, 224])
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    device = device_of(arguments)
    dataset = load_dataset(arguments.data)
    samples = [s for subset in dataset.subsets.values() for s in subset][: arguments.images]
    rows: list[dict[str, object]] = []
    for size in arguments.image_size:
        rounds = [loading(samples, size) for _ in range(arguments.turns)]
        least = {name: min(one[name] for one in rounds) for name in rounds[0]}
        rows += [
            {"measured": "loading", "source": name, "image_size": size, "images": len(samples)}
            | {"seconds": seconds, "images_a_second": len(samples) / seconds}
            for name, seconds in least.items()
        ]
        rows += trained_rows(samples[: arguments.trained], size, arguments, device)
    for row in rows:
        print(
            f"{row['measured']:9} {row['source']:14} {row['image_size']} px: "
            f"{row['images_a_second']:7.0f} images a second"
            + (f", {row['waiting']:.0%} waiting" if "waiting" in row else "")
        )
    write(rows, device, arguments.out)


def trained_rows(
    samples: Sequence[Sample], size: int, arguments: argparse.Namespace, device: torch.device
) -> list[dict[str, object]]:
    """Return a row of training for each source and number of loading processes."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        cached = loader(samples, size, Path(folder))
        kept = SampleTensors(samples, CLASSES, size, keep=True)
        for data in (cached, kept):
            epoch(data)
        for workers in arguments.workers:
            sources = {"JPEG": loader(samples, size), "cache": cached}
            sources |= {"memory": kept} if workers == 0 else {}
            for name, data in sources.items():
                found = training(data, arguments.backbone, arguments.batch_size, workers, device)
                shared = {"measured": "training", "source": name, "image_size": size}
                rows.append({**shared, "images": len(samples), "workers": workers, **found})
    return rows


if __name__ == "__main__":
    main()
