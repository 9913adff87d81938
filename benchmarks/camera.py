r"""The industrial camera (Li et al., CVPR 2018, section 5): two test sets, three seeds.

    python -m benchmarks.camera --out benchmarks/results/camera.csv
    python -m benchmarks.camera --out benchmarks/results/camera.csv --summary

trains every variant below on the embedded dataset ``camera``, with boxes for 20 images of each
orientation (5% of 350, as in the paper), and audits it on ``test1``, which looks like training,
and on ``test2``, which does not. ``unbiased`` is the baseline on images whose surroundings say
nothing: what the network can learn of the gap where nothing else is to be learnt.

The modes have their defaults. A row that the CSV holds already is not computed again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

import biasaudit as ba
from biasaudit.config import load_settings
from biasaudit.training.run_directory import RunRecord

BOXES = 20
VARIANTS: dict[str, tuple[str, int, list[str]]] = {
    "baseline": ("baseline", 0, []),
    "gain_ext": ("gain_ext", BOXES, []),
    "evidence": ("evidence", BOXES, []),
    "counterfactual": ("counterfactual", BOXES, []),
    "unbiased": ("baseline", 0, ["data.options.bias=0.5"]),
}
"""Name to mode, boxes of each orientation, and settings."""
SPLITS = ("val", "test1", "test2")


def main() -> None:
    """Run the grid, or summarise it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--summary", action="store_true")
    arguments = parser.parse_args()
    if arguments.summary:
        print(summary(pd.read_csv(arguments.out)))
        return
    rows = pd.read_csv(arguments.out).to_dict("records") if arguments.out.is_file() else []
    for seed in map(int, arguments.seeds.split(",")):
        for variant in arguments.variants.split(","):
            if any((row["variant"], row["seed"]) == (variant, seed) for row in rows):
                continue
            rows.append({"variant": variant, "seed": seed, **measure(variant, seed)})
            pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.4f")
            print(rows[-1], flush=True)


def measure(variant: str, seed: int) -> dict[str, object]:
    """Train and audit one run; return its figures."""
    mode, boxes, assignments = VARIANTS[variant]
    options = {
        "data.name": "camera",
        "data.box_labels": boxes,
        "training.mode": mode,
        "training.seed": seed,
    }
    settings = load_settings(None, assignments, options)
    data = ba.load_dataset("camera", options=settings.data.options)
    start = time.perf_counter()
    run = ba.train(data, settings=settings)
    seconds = round(time.perf_counter() - start, 1)
    return {
        "mode": mode,
        "boxes_per_class": boxes,
        "settings": " ".join(assignments),
        **figures(run),
        "train_seconds": seconds,
    }


def figures(run: RunRecord) -> dict[str, object]:
    """Audit a trained model on the three sets and return its figures as one flat row.

    ``SET`` is the accuracy of the decision on ``forward``, as ``biasaudit evaluate`` prints it;
    ``SET_higher`` the share of images whose own orientation has the higher score;
    ``SET_energy`` the share of each image's own class's attention in its critical area.
    """
    both = [ba.audit(run, splits=SPLITS, object=name) for name in run.classes]
    first, second = (found.per_image.set_index(["split", "id"]) for found in both)
    higher = (first["score"] > second["score"]) == (first["label"] == 1)
    row: dict[str, object] = {}
    for split in SPLITS:
        result = both[0].run.splits[split].overall
        row[split] = result.accuracy
        row[f"{split}_low"], row[f"{split}_high"] = result.accuracy_ci or (None, None)
        row[f"{split}_higher"] = float(higher.loc[split].mean())
        row[f"{split}_auroc"] = result.auroc
        energy = pd.concat([t.loc[split]["energy_pointing_game"] for t in (first, second)])
        row[f"{split}_energy"] = float(energy.mean())
    row["area_fraction"] = both[0].run.splits["test2"].overall.attention.area_fraction
    return row


def summary(table: pd.DataFrame) -> str:
    """Return means over seeds, with the standard deviation between seeds, in Markdown."""
    shown = ["val", "val_energy", "test1", "test2", "test2_higher", "test2_auroc", "test2_energy"]
    lines = [
        "| variant | boxes a class | seeds | " + " | ".join(shown) + " |",
        "|---" * (3 + len(shown)) + "|",
    ]
    for (variant, boxes), rows in table.groupby(["variant", "boxes_per_class"], sort=False):
        values = [f"{rows[c].mean():.3f} ± {rows[c].std(ddof=1):.3f}" for c in shown]
        lines.append(f"| {variant} | {boxes} | {len(rows)} | " + " | ".join(values) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
