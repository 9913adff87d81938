r"""Train SEC on the cues of several runs, and measure its masks: a row a run in one CSV.

    OMP_NUM_THREADS=1 python benchmarks/segmentation.py \
        --out benchmarks/results/segmentation_harbour.csv --runs runs/segmentation \
        --modes baseline,gain,gain_ext:78,evidence:78 --seeds 0,1,2 --set iterations=300 \
        --set threshold=0.5 --set background=0.5

A run that the folder ``--runs`` holds (``MODE-LABELS-SEED``) is not trained again, nor is a row
measured again that the CSV holds. Masks are measured on every ``--every``-th image of ``--subset``;
``cues`` is the mean IoU of the cues of 200 training images, undecided pixels as background.
``--summary`` prints means over seeds as a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from modes import entries, fill, means

import biasaudit as ba
from biasaudit.data.sample import Dataset
from biasaudit.inputs.documents import toml_value
from biasaudit.segmentation.evaluate import evaluate_segmenter, truth_of
from biasaudit.segmentation.metrics import VOID, confusion, mean_iou
from biasaudit.training.run_directory import RunRecord

KEY = ["variant", "mode", "pixel_labels", "seed"]
SHOWN = ["cues", "miou", "miou_crf", "boat", "boat_crf"]
_CUES = 200


def main() -> None:
    """Measure every mode and seed that the CSV does not hold yet; write after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs")
    parser.add_argument("--modes", default="baseline,gain,gain_ext:78,evidence:78")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--variant", default="default", help="how the CSV calls what --set does")
    parser.add_argument("--set", action="append", default=[], help="setting of segment, key=value")
    parser.add_argument("--subset", default="test", help="whose masks are measured")
    parser.add_argument("--every", type=int, default=10, help="measure every so-many-th image")
    parser.add_argument("--summary", action="store_true", help="print the CSV's means instead")
    arguments = parser.parse_args()
    if arguments.summary:
        print(means(pd.read_csv(arguments.out), ("mode", "labels"), SHOWN))
        return
    wanted = [
        [arguments.variant, mode, labels, seed]
        for seed in map(int, arguments.seeds.split(","))
        for mode, labels in entries(arguments.modes)
    ]
    fill(arguments.out, KEY, wanted, lambda _, *key: measured(arguments, *key))


def measured(arguments: argparse.Namespace, mode: str, labels: int, seed: int) -> dict[str, object]:
    """Train one segmenter and return its figures."""
    data = ba.load_dataset("harbour")
    run = run_of(arguments.runs, data, mode, labels, seed)
    given = [text.partition("=") for text in arguments.set]
    settings = {name: toml_value(value) for name, _, value in given}
    start = time.perf_counter()
    segmenter = ba.train_segmenter(run, data, **settings)
    seconds = time.perf_counter() - start
    samples = data.subset(arguments.subset)[:: arguments.every]
    found = evaluate_segmenter(segmenter, samples, arguments.subset)
    alone, refined = found.without_crf, found.with_crf
    return {
        "subset": arguments.subset,
        "n": found.n,
        "cues": cue_iou(run, data, settings),
        "miou": alone.mean_iou,
        "miou_crf": refined.mean_iou if refined else None,
        **dict(alone.iou),
        **{f"{name}_crf": value for name, value in (refined.iou if refined else {}).items()},
        "train_seconds": round(seconds, 1),
    }


def run_of(folder: Path | None, data: Dataset, mode: str, labels: int, seed: int) -> RunRecord:
    """Return a run, trained now unless the folder holds it."""
    place = None if folder is None else folder / f"{mode}-{labels}-{seed}"
    if place is not None and (place / "weights.safetensors").is_file():
        return ba.load_run(place)
    name, _, module = mode.partition("+")
    return ba.train(
        data, name, pixel_labels=labels, seed=seed, out=place, attention_module=module or None
    )


def cue_iou(run: RunRecord, data: Dataset, settings: dict[str, object]) -> float:
    """Return the mean IoU of the cues of training images, undecided pixels as background."""
    chosen = {name: settings[name] for name in ("threshold", "background") if name in settings}
    few = Dataset(data.name, data.classes, data.contexts, {"train": data.subset("train")[:_CUES]})
    size = len(data.classes) + 1
    counts = np.zeros((size, size), np.int64)
    cues = ba.cues(run, few, **chosen)
    for sample in few.subset("train"):
        truth = truth_of(sample, data.classes)
        if truth is not None:
            said = cues[sample.id]
            counts += confusion(truth, np.where(said == VOID, 0, said).astype(np.uint8), size)
    return mean_iou(counts)


if __name__ == "__main__":
    main()
