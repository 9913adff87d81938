r"""Time the CRF of biasaudit against the dense sum, and say how far its answers are from it.

    OMP_NUM_THREADS=2 python -m benchmarks.crf --out benchmarks/results/crf.csv \
        --images ../shared/photos/images/msrc

Speed: one image of 321 by 321 pixels with 21 classes. The dense sum in float64 goes through all
pairs once for the row sums and once an iteration; it is timed on ``--rows`` of its rows, each of
which costs the same, and the time of all rows is reported. Nearness: the same image at 64 by 64,
spatial widths reduced alike, where the sum over all pairs fits into memory.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from biasaudit.segmentation.crf import Crf, mean_field

SIDE, SMALL, CLASSES = 321, 64, 21


def main() -> None:
    """Time and compare on several images; write a row an image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--count", type=int, default=3, help="how many of them")
    parser.add_argument("--rows", type=int, default=2000, help="rows of the dense sum that run")
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*.jpg"))
    rows = []
    for file in files[:: max(1, len(files) // arguments.count)][: arguments.count]:
        rows.append(
            {
                "image": file.name,
                "threads": torch.get_num_threads(),
                **measured(file, arguments.rows),
            }
        )
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.6g")


def measured(file: Path, rows: int) -> dict[str, float]:
    """Return seconds of both ways, their ratio, and the difference at 64 pixels."""
    log_probabilities, image = problem(file, SIDE)
    start = time.perf_counter()
    mean_field(log_probabilities, image)
    quick = time.perf_counter() - start
    dense = dense_seconds(log_probabilities, image, rows)
    smaller = Crf().at_scale(SIDE / SMALL)
    small = problem(file, SMALL)
    exact = mean_field(small[0].double(), small[1].double(), smaller)
    found = mean_field(
        *small,
        Crf(
            smaller.bilateral_weight,
            smaller.bilateral_xy,
            gaussian_xy=smaller.gaussian_xy,
            exact_pixels=0,
        ),
    )
    apart = (found - exact).abs()
    return {
        "seconds": quick,
        "dense_seconds": dense,
        "times_as_fast": dense / quick,
        "mean_difference": float(apart.mean()),
        "largest_difference": float(apart.max()),
        "same_label": float((found.argmax(1) == exact.argmax(1)).double().mean()),
    }


def problem(file: Path, side: int) -> tuple[Tensor, Tensor]:
    """Return drawn log-probabilities, smooth over an eighth of the side, and the image."""
    image = np.array(Image.open(file).convert("RGB").resize((side, side)))
    logits = 1.5 * torch.randn(1, CLASSES, 8, 8, generator=torch.Generator().manual_seed(0))
    wide = functional.interpolate(logits, size=(side, side), mode="bilinear")
    return wide.log_softmax(dim=1), torch.from_numpy(image).permute(2, 0, 1)[None].float()


def dense_seconds(log_probabilities: Tensor, image: Tensor, rows: int) -> float:
    """Return the seconds that the dense sum in float64 takes, from those of some of its rows."""
    crf = Crf()
    side = image.shape[-1]
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side)).double()
    colours = image[0].flatten(1).T.double()
    both = torch.cat([places / crf.bilateral_xy, colours / crf.bilateral_rgb], dim=1)
    values = log_probabilities[0].flatten(1).T.double().exp()
    start = time.perf_counter()
    for first in range(0, rows, 500):
        part = slice(first, first + 500)
        for features in (places / crf.gaussian_xy, both):
            squared = torch.cdist(features[part], features).square_()
            squared.mul_(-0.5).exp_() @ values
    passes = crf.iterations + 1
    return (time.perf_counter() - start) * passes * side * side / rows


if __name__ == "__main__":
    main()
