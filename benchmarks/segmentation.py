r"""Train SEC on the cues of several runs, and measure its masks: a row a run in one CSV.

    OMP_NUM_THREADS=1 python -m benchmarks.segmentation \
        --out benchmarks/results/segmentation_harbour.csv --runs runs/segmentation \
        --modes baseline,gain,gain_ext:78,evidence:78 --seeds 0,1,2 --set iterations=300 \
        --set threshold=0.5 --set background=0.5

A run that the folder ``--runs`` holds (``MODE-LABELS-SEED``) is not trained again, nor is a row
measured again that the CSV holds. Masks are measured on every ``--every``-th image of ``--subset``
that has its masks; ``cues`` is the mean IoU of the cues of up to 200 training images that have
theirs, undecided pixels as background, and ``object_cues`` that of the audited object alone.
``--summary`` prints means over seeds as a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

import biasaudit as ba
from benchmarks.modes import entries, fill, means, run_options, trained
from biasaudit.data.sample import Dataset, Sample
from biasaudit.inputs.documents import toml_value
from biasaudit.segmentation.evaluate import evaluate_segmenter, truth_of
from biasaudit.segmentation.metrics import VOID, class_ious, confusion, mean_iou
from biasaudit.training.run_directory import RunRecord

KEY = ["variant", "mode", "pixel_labels", "seed"]
SHOWN = [
    "cues",
    "object_cues",
    "miou",
    "miou_crf",
    "boat",
    "boat_crf",
    "malignant",
    "malignant_crf",
]
_CUES = 200


def main() -> None:
    """Measure every mode and seed that the CSV does not hold yet; write after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    run_options(parser)
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
    run, _ = trained(arguments, mode, labels, seed)
    data = ba.load_dataset(run.settings.data.name, options=run.settings.data.options)
    given = [text.partition("=") for text in arguments.set]
    settings = {name: toml_value(value) for name, _, value in given}
    start = time.perf_counter()
    segmenter = ba.train_segmenter(run, data, **settings)
    seconds = time.perf_counter() - start
    samples = [sample for sample in data.subset(arguments.subset) if with_masks(sample)]
    samples = samples[:: arguments.every]
    found = evaluate_segmenter(segmenter, samples, arguments.subset)
    alone, refined = found.without_crf, found.with_crf
    return {
        "subset": arguments.subset,
        "n": found.n,
        **cue_iou(run, data, settings),
        "miou": alone.mean_iou,
        "miou_crf": refined.mean_iou if refined else None,
        **dict(alone.iou),
        **{f"{name}_crf": value for name, value in (refined.iou if refined else {}).items()},
        "train_seconds": round(seconds, 1),
    }


def cue_iou(run: RunRecord, data: Dataset, settings: dict[str, object]) -> dict[str, float]:
    """Return the IoU of the cues of training images: the mean over classes, and the object's."""
    chosen = {name: settings[name] for name in ("threshold", "background") if name in settings}
    drawn = [sample for sample in data.subset("train") if with_masks(sample)][:_CUES]
    size = len(data.classes) + 1
    counts = np.zeros((size, size), np.int64)
    few = Dataset(data.name, data.classes, data.contexts, {"train": drawn})
    cues = ba.cues(run, few, **chosen)
    for sample in drawn:
        truth, said = truth_of(sample, data.classes), cues[sample.id]
        if truth is not None:
            counts += confusion(truth, np.where(said == VOID, 0, said).astype(np.uint8), size)
    ious = class_ious(counts)
    own = ious[1 + data.class_index[str(data.object)]]
    return {"cues": mean_iou(ious), "object_cues": float(own)}


def with_masks(sample: Sample) -> bool:
    """Tell whether each object of an image has its mask; a box says too little of the pixels."""
    regions = sample.regions
    return all(name in regions and regions[name].form == "mask" for name in sample.labels)


if __name__ == "__main__":
    main()
