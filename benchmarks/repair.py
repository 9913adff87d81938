r"""Repair trained baselines with few labels and audit them before and after; figures go to one CSV.

    python -m benchmarks.repair --out benchmarks/results/repair_photos.csv --data ../shared/photos \
        --backbone mobilenet_v2 --image-size 224 --seeds 0,1,2,3,4 \
        --weights ../shared/weights/mobilenet_v2_imagenet.safetensors
    python -m benchmarks.repair --out benchmarks/results/repair_harbour.csv --labels 78,9

With ``--runs DIR`` the baselines are kept in ``DIR/baseline-0-SEED`` and read from there. With
``--cache DIR`` features are kept, and the seconds of a repair are then not its cost: they are left
out. ``others_at_0`` counts the objects other than the audited one, on images of ``val`` and
``test`` that show them, whose own score is above 0; ``others_argmax`` the images of other objects
alone whose highest score belongs to one that they show.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import biasaudit as ba
from benchmarks.modes import figures, means, run_options, trained
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset
from biasaudit.models.classifier import Classifier
from biasaudit.training.repair.features import FeatureReader, last_layer
from biasaudit.training.run_directory import RunRecord

KEY = ["mode", "pixel_labels", "seed"]
SUBSETS = ("val", "test")
SHOWN = ("val", "overall", "auroc", "others_at_0_val", "others_at_0_test", "others_argmax_val")
SHOWN += ("others_argmax_test", "train_seconds", "repair_seconds")


def main() -> None:
    """Measure every seed, or summarise."""
    arguments = parse()
    if arguments.summary:
        print(summary(pd.read_csv(arguments.out)))
        return
    rows = pd.read_csv(arguments.out).to_dict("records") if arguments.out.is_file() else []
    budgets = [int(labels) for labels in arguments.labels.split(",")]
    for seed in (int(seed) for seed in arguments.seeds.split(",")):
        done = [row["pixel_labels"] for row in rows if row["seed"] == seed]
        missing = [labels for labels in (0, *budgets) if labels not in done]
        for row in measure(arguments, seed, missing) if missing else ():
            rows.append(row)
            pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.4f")
            print({key: row[key] for key in (*KEY, *SHOWN) if key in row}, flush=True)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    parser.add_argument("--labels", default="78,23,9", help="with commas")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--set", action="append", default=[], help="as of biasaudit train")
    run_options(parser)
    parser.add_argument("--cache", help="folder that keeps features")
    parser.add_argument("--summary", action="store_true", help="print the CSV's means instead")
    return parser.parse_args()


def measure(
    arguments: argparse.Namespace, seed: int, budgets: list[int]
) -> Iterator[dict[str, object]]:
    """Yield the row of the baseline, where asked for, and of each repair."""
    run, seconds = trained(arguments, "baseline", 0, seed, arguments.set)
    own = run.settings.data
    data = ba.load_dataset(arguments.data or own.name, options=own.options)
    others = Others(run, data, arguments.cache)
    for labels in budgets:
        row: dict[str, object] = {"mode": "baseline", "pixel_labels": labels, "seed": seed}
        found, spent = run, {"train_seconds": seconds}
        if labels:
            start, cpu = time.perf_counter(), time.process_time()
            found = ba.repair(run, data, pixel_labels=labels, cache=arguments.cache)
            spent = {
                "repair_seconds": round(time.perf_counter() - start, 1),
                "repair_cpu_seconds": round(time.process_time() - cpu, 1),
            }
            spent = {} if arguments.cache else spent
            chosen = found.repair["chosen"]
            row |= {"dose": chosen["dose"], "strength": chosen["strength"]}
            row["edits"] = sum(found.repair["edits"].values())
        row["mode"] = found.mode
        yield {**row, **audited(found, data), **others(found), **spent}


def audited(run: RunRecord, data: Dataset) -> dict[str, object]:
    """Return the figures of an audit as one flat row."""
    audit = ba.audit(run, data)
    return {**figures(run, audit), "val_auroc": audit.run.splits["val"].overall.auroc}


class Others:
    """Right answers on other objects; only the last layer of the compared networks may differ.

    Args:
        run: The baseline.
        data: Its ``val`` and ``test`` are used.
        cache: Folder that keeps features.
    """

    def __init__(self, run: RunRecord, data: Dataset, cache: str | None) -> None:
        model, size = run.load_model(), int(run.settings.data.image_size or 0)
        self.layer = last_layer(model, len(data.classes), size).name
        self.column = data.class_index[str(data.object)]
        reader = FeatureReader(
            model, last_layer(model, len(data.classes), size), 32, Path(cache) if cache else None
        )
        self.features: dict[str, Tensor] = {}
        self.labels: dict[str, np.ndarray] = {}
        for name in SUBSETS:
            samples = data.subset(name)
            images = SampleTensors(samples, data.classes, size, keep=False)
            found = reader(images[i].image for i in range(len(samples)))
            self.features[name] = torch.from_numpy(found)
            self.labels[name] = np.array([[c in s.labels for c in data.classes] for s in samples])
        self.before = self.scores(model)

    @torch.no_grad()
    def scores(self, model: Classifier) -> dict[str, np.ndarray]:
        """Return the (N, C) scores of each subset by a network's last layer."""
        layer = model.get_submodule(self.layer)
        return {name: layer(values).numpy() for name, values in self.features.items()}

    def __call__(self, run: RunRecord) -> dict[str, object]:
        """Count right answers, and say whether the others' scores are those of the baseline."""
        row: dict[str, object] = {}
        same = True
        for name, scores in self.scores(run.load_model()).items():
            labels = self.labels[name]
            rest = np.arange(labels.shape[1]) != self.column
            shown_there = labels[:, rest].any(axis=1) & ~labels[:, self.column]
            first = scores.argmax(axis=1)
            right = labels[np.arange(len(labels)), first] & shown_there
            row[f"others_at_0_{name}"] = int(((scores > 0) & labels)[:, rest].sum())
            row[f"others_{name}"] = int(labels[:, rest].sum())
            row[f"others_argmax_{name}"] = int(right.sum())
            row[f"others_images_{name}"] = int(shown_there.sum())
            same &= bool((scores[:, rest] == self.before[name][:, rest]).all())
        return {**row, "others_unchanged": same}


def summary(table: pd.DataFrame) -> str:
    """Return means over seeds, with the standard deviation between seeds, in Markdown."""
    return means(table, ("mode", "labels"), SHOWN)


if __name__ == "__main__":
    main()
