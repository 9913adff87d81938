"""How long an epoch takes to load, without and with the cache of decoded images.

    python benchmarks/loading.py --data ../shared/photos

The first epoch decodes every file, scales it and writes it into the cache; the second one, in the
same process and then in a fresh list of samples as a second run would have it, reads the cache.
Nothing is kept in memory. Prints a table and writes it as CSV.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import torch

from biasaudit.data.batches import SampleTensors
from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import Sample


def epoch(samples: list[Sample], size: int, cache: Path | None) -> float:
    """Return the seconds that one pass over the images takes."""
    data = SampleTensors(samples, ("object",), size, keep=False, cache=cache)
    start = time.perf_counter()
    for index in range(len(data)):
        data[index]
    return time.perf_counter() - start


def main() -> None:
    """Measure and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a dataset of image files")
    parser.add_argument("--images", type=int, default=700)
    parser.add_argument("--image-size", type=int, nargs="+", default=[128, 224])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/loading.csv"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load_dataset(options.data)
    samples = [s for subset in dataset.subsets.values() for s in subset][: options.images]
    rows = []
    for size in options.image_size:
        with tempfile.TemporaryDirectory() as folder:
            without = epoch(samples, size, None)
            first, second, next_run = (epoch(samples, size, Path(folder)) for _ in range(3))
        rows.append(
            {
                "images": len(samples),
                "image_size": size,
                "without_cache_s": round(without, 3),
                "first_epoch_s": round(first, 3),
                "second_epoch_s": round(second, 3),
                "third_epoch_s": round(next_run, 3),
                "second_to_first": round(second / first, 4),
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
