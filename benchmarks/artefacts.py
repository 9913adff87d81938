r"""Which artefacts does a classifier of skin lesions lean on? Effects over three seeds.

A baseline is trained with each seed, and the verdict on `malignant` is asked for five artefacts
that all images are annotated for: corrected for their number, and of each as if it were the only
one that was asked for (`verdict_alone`).

    python -m benchmarks.artefacts --answers ANSWERS --out benchmarks/results/artefacts.csv

ANSWERS is a folder that keeps the answers of each trained baseline; one that is there already is
not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.coins import train_and_answer
from biasaudit.analysis.verdict import judge
from biasaudit.statistics import auroc

ARTEFACTS = ("ruler", "ink", "patches", "dark_corner", "hair")


def main() -> None:
    """Judge every seed and artefact, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=Path, required=True, help="folder of kept answers")
    parser.add_argument("--out", type=Path, help="the CSV; none is written without")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.answers.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(
        [row for seed in range(options.seeds) for row in rows_of(seed, options.answers)]
    )
    print(table.to_string(index=False))
    if options.out:
        table.to_csv(options.out, index=False, float_format="%.4g")


def rows_of(seed: int, folder: Path) -> list[dict[str, object]]:
    """Return one row an artefact."""
    file = folder / f"skin_{seed}.csv"
    if not file.is_file():
        train_and_answer("skin", seed, ("none",)).to_csv(file, index=False)
    answers = pd.read_csv(file, keep_default_na=False).assign(pair="")
    areas = {}
    for subset, part in answers.groupby("subset"):
        there = part["label"] == 1
        areas[f"auroc_{subset}"] = auroc(part["score"][there], part["score"][~there])
    found = []
    for artefact in ARTEFACTS:
        shown = answers["contexts"].map(lambda names, one=artefact: float(one in names.split()))
        rows = answers.assign(context=shown)
        verdict = judge(rows, "malignant", artefact, comparisons=len(ARTEFACTS))
        low, high = verdict.effect_ci or (None, None)
        singles = {f"effect_{name}": one.effect for name, one in verdict.by_answer.items()}
        smallest = min(group.n for group in verdict.groups.values())
        found.append(
            {
                "seed": seed,
                "artefact": artefact,
                **areas,
                "verdict": verdict.kind,
                "verdict_alone": judge(rows, "malignant", artefact).kind,
                "effect": verdict.effect,
                "effect_low": low,
                "effect_high": high,
                "p_value": verdict.p_value,
                **singles,
                "smallest_group": smallest,
            }
        )
    return found


if __name__ == "__main__":
    main()
