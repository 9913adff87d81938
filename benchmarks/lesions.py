r"""Lesions found from image-level labels: attention and SEC against the lesions' masks.

    OMP_NUM_THREADS=1 python -m benchmarks.lesions --out benchmarks/results/lesions.csv \
        --runs RUNS --data ../shared/skin --backbone mobilenet_v2 --image-size 192 \
        --weights ../shared/weights/mobilenet_v2_imagenet.safetensors \
        --set iterations=300 --set background=0.5 \
        --set image_size=192

Networks that tell malignant from benign: ``baseline`` sees image-level labels alone, ``gain_ext``
the masks of 78 training images besides. Of both, the map of the class that the image has, cut at
one share of its maximum; and, for the seeds of ``--sec``, SEC trained on such cues;
``gain_ext+drawn`` is SEC that is given the 78 masks in place of their cues. A figure is the mean
over the test images with a mask of the IoU (Jaccard index) of lesion and answer, whichever class
SEC calls it. The CRF takes seconds an image: it is measured on one of ``--every`` images
(``sec_crf``), and SEC without it on these too (``sec_some``). The share, which is the cues' too, is
the best one on val, and so is the radius of the disc in the middle of the image that all of it has
to beat. RUNS keeps trained runs (``MODE-LABELS-SEED``), the CSV rows that are not measured again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import biasaudit as ba
from benchmarks.modes import entries, fill, means, run_options, trained
from biasaudit.attention.mask import upsample_maps
from biasaudit.data.sample import Dataset, Sample
from biasaudit.evaluation.predict import batches
from biasaudit.inputs.documents import toml_value
from biasaudit.localization.metrics import THRESHOLDS
from biasaudit.segmentation.cues import class_maps
from biasaudit.segmentation.subject import subject_of_attention
from biasaudit.training.run_directory import RunRecord

KEY = ["what", "pixel_labels", "seed"]
SHOWN = ["maps", "sec", "sec_some", "sec_crf"]
DISC, DRAWN = "disc", "+drawn"
LABELS_BY = ("data.labels_by=image",)
Cut = Callable[[float], Sequence[NDArray[np.bool_]]]
"""Returns the masks that a share, or a radius, gives."""


def main() -> None:
    """Measure every way and seed that the CSV does not hold yet; write after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    run_options(parser)
    parser.add_argument("--modes", default=f"{DISC},baseline,gain_ext:78,gain_ext{DRAWN}:78")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sec", default="0", help="seeds that SEC is trained for, with commas")
    parser.add_argument("--every", type=int, default=5, help="of so many images one has the CRF")
    parser.add_argument("--set", action="append", default=[], help="setting of segment, key=value")
    parser.add_argument("--summary", action="store_true", help="print the CSV's means instead")
    arguments = parser.parse_args()
    if arguments.summary:
        print(means(pd.read_csv(arguments.out), ("what", "labels"), SHOWN))
        return
    wanted = [
        [what, labels, seed]
        for seed in map(int, arguments.seeds.split(","))
        for what, labels in entries(arguments.modes)
    ]
    fill(arguments.out, KEY, wanted, partial(measured, arguments))


def measured(arguments: argparse.Namespace, what: str, labels: int, seed: int) -> dict[str, object]:
    """Return the figures of one way of finding lesions."""
    data = ba.load_dataset(arguments.data)
    val, test = ([s for s in data.subset(name) if s.regions] for name in ("val", "test"))
    if what == DISC:
        return {**compared((discs(val), val), (discs(test), test))}
    run, _ = trained(arguments, what.removesuffix(DRAWN), labels, seed, LABELS_BY)
    row: dict[str, object] = {}
    row |= compared((cut_maps(run, data, val), val), (cut_maps(run, data, test), test))
    if str(seed) not in arguments.sec.split(","):
        return row
    given = [text.partition("=") for text in arguments.set]
    settings = {name: toml_value(value) for name, _, value in given}
    start = time.perf_counter()
    segmenter = ba.train_segmenter(
        run, data, threshold=row["chosen"], regions=what.endswith(DRAWN), **settings
    )
    row["train_seconds"] = round(time.perf_counter() - start, 1)
    some = test[:: arguments.every]
    for name, crf, shown in (
        ("sec", False, test),
        ("sec_some", False, some),
        ("sec_crf", True, some),
    ):
        row[name] = jaccard([segmenter.mask(s.load_image(), crf=crf) > 0 for s in shown], shown)
    return row


def compared(
    val: tuple[Cut, Sequence[Sample]], test: tuple[Cut, Sequence[Sample]]
) -> dict[str, float]:
    """Return the mean IoU on test of what is best on val."""
    shares = [jaccard(val[0](share), val[1]) for share in THRESHOLDS]
    chosen = float(THRESHOLDS[int(np.argmax(shares))])
    return {
        "n": len(test[1]),
        "chosen": chosen,
        "val": max(shares),
        "maps": jaccard(test[0](chosen), test[1]),
    }


def cut_maps(run: RunRecord, data: Dataset, samples: Sequence[Sample]) -> Cut:
    """Return what cuts the map of each image's own class, at the size of its mask."""
    subject, _ = subject_of_attention(run, data, None)
    maps: list[NDArray[np.float32]] = []
    for batch in batches(subject, samples, ()):
        own = class_maps(subject.model, batch.to(subject.device)).amax(dim=1)
        for index, found in zip(batch.indices.tolist(), own, strict=True):
            size = lesion(samples[index]).shape
            maps.append(upsample_maps(found[None], size)[0].cpu().numpy())
    return lambda share: [found > share for found in maps]


def discs(samples: Sequence[Sample]) -> Cut:
    """Return what draws a disc, its radius a share of half the image's side."""
    inside = [np.hypot(*np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]) for h, w in sizes(samples)]
    return lambda radius: [distance <= radius for distance in inside]


def sizes(samples: Sequence[Sample]) -> list[tuple[int, ...]]:
    """Return (H, W) of each image's mask."""
    return [lesion(sample).shape for sample in samples]


def lesion(sample: Sample) -> NDArray[np.bool_]:
    """Return the (H, W) mask of an image's one lesion."""
    (region,) = sample.regions.values()
    return region.load()


def jaccard(masks: Sequence[NDArray[np.bool_]], samples: Sequence[Sample]) -> float:
    """Return the mean over images of the IoU with the lesion."""
    ious = []
    for mask, sample in zip(masks, samples, strict=True):
        truth = lesion(sample)
        ious.append((mask & truth).sum() / (mask | truth).sum())
    return float(np.mean(ious))


if __name__ == "__main__":
    main()
