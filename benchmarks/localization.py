r"""Localization of the attention of several runs: a row a run in one CSV.

    OMP_NUM_THREADS=1 python -m benchmarks.localization \
        --out benchmarks/results/localization_harbour.csv --runs runs/segmentation \
        --modes baseline,baseline+rfga,gain,gain_ext:78,evidence:78 --seeds 0,1,2

``MODE+MODULE`` trains with an attention module, ``repair:78`` repairs the baseline of the seed. A
run that the folder ``--runs`` holds (``MODE-LABELS-SEED``) is not trained again, nor is a row
measured again that the CSV holds. Thresholds are chosen on ``val``, figures are those of ``test``.
``--summary`` prints means over seeds as a Markdown table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import biasaudit as ba
from benchmarks.modes import entries, fill, means, run_options, trained
from biasaudit.training.run_directory import RunRecord

KEY = ["mode", "pixel_labels", "seed"]
SHOWN = ["val", "max_box_acc", "max_box_acc_v2", "px_ap", "top_1"]


def main() -> None:
    """Measure every mode and seed that the CSV does not hold yet; write after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    run_options(parser)
    parser.add_argument("--modes", default="baseline,baseline+rfga,gain,gain_ext:78,evidence:78")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--subset", default="test", help="what is reported")
    parser.add_argument("--summary", action="store_true", help="print the CSV's means instead")
    arguments = parser.parse_args()
    if arguments.summary:
        print(means(pd.read_csv(arguments.out), ("mode", "labels"), SHOWN))
        return
    wanted = [
        [mode, labels, seed]
        for seed in map(int, arguments.seeds.split(","))
        for mode, labels in entries(arguments.modes)
    ]
    fill(arguments.out, KEY, wanted, lambda *key: figures(arguments, run_of(arguments, *key)))


def run_of(arguments: argparse.Namespace, mode: str, labels: int, seed: int) -> RunRecord:
    """Return a trained run; of ``repair`` the baseline of the seed, repaired."""
    if mode != "repair":
        return trained(arguments, mode, labels, seed)[0]
    repaired = ba.repair(trained(arguments, "baseline", 0, seed)[0], pixel_labels=labels)
    if not isinstance(repaired, RunRecord):
        raise TypeError(f"{repaired!r}: not a run")
    return repaired


def figures(arguments: argparse.Namespace, run: RunRecord) -> dict[str, object]:
    """Return the figures of one run."""
    found = ba.localize(run, subset=arguments.subset)
    levels = {f"acc_at_{level:g}": share for level, share in found.by_level.items()}
    return {
        "val": ba.audit(run, splits=["val"]).run.splits["val"].overall.accuracy,
        "n": found.n,
        "max_box_acc": found.max_box_acc,
        "max_box_acc_v2": found.max_box_acc_v2,
        **levels,
        "px_ap": found.px_ap,
        "top_1": found.top_1,
        "threshold": found.threshold,
        "threshold_v2": found.threshold_v2,
    }


if __name__ == "__main__":
    main()
