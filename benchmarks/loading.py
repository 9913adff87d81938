"""How long an epoch takes to load, without and with the cache of decoded images.

    python benchmarks/loading.py --data ../shared/photos --out benchmarks/results/loading.csv

The first epoch decodes every file, scales it and writes it into the cache. The second one, of the
same loader, reads the cache; so does the first one of a fresh loader, as a next run has it, which
also holds each cached image against its sum. Nothing is kept in memory, and every pixel is copied.
Each figure is the least of several rounds: other programs only add to it.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import torch

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Sample


def loader(samples: list[Sample], size: int, cache: Path | None = None) -> SampleTensors:
    """Return a loader as an epoch of a training has it, with nothing kept in memory."""
    return SampleTensors(samples, ("object",), size, keep=False, cache=cache)


def epoch(data: SampleTensors) -> float:
    """Return the seconds that one pass over the images takes."""
    start = time.perf_counter()
    for index in range(len(data)):
        data[index].image.clone()
    return time.perf_counter() - start


def measure(samples: list[Sample], size: int) -> dict[str, float]:
    """Return the seconds of each kind of epoch, in one round with an empty cache."""
    without = epoch(loader(samples, size))
    with tempfile.TemporaryDirectory() as folder:
        data = loader(samples, size, Path(folder))
        first, second = epoch(data), epoch(data)
        next_run = epoch(loader(samples, size, Path(folder)))
    return {
        "without_cache_s": without,
        "first_epoch_s": first,
        "second_epoch_s": second,
        "next_run_s": next_run,
    }


def main() -> None:
    """Measure and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a dataset of image files")
    parser.add_argument("--images", type=int, default=700)
    parser.add_argument("--image-size", type=int, nargs="+", default=[128, 224])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/loading.csv"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load_dataset(options.data)
    samples = [s for subset in dataset.subsets.values() for s in subset][: options.images]
    rows = []
    for size in options.image_size:
        rounds = [measure(samples, size) for _ in range(options.rounds)]
        least = {name: min(one[name] for one in rounds) for name in rounds[0]}
        rows.append(
            {
                "images": len(samples),
                "image_size": size,
                **{name: round(seconds, 4) for name, seconds in least.items()},
                "second_to_first": round(least["second_epoch_s"] / least["first_epoch_s"], 4),
                "second_to_no_cache": round(least["second_epoch_s"] / least["without_cache_s"], 4),
            }
        )
        print(rows[-1])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
