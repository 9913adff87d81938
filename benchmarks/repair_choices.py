r"""What the defaults of repair are chosen by: val and its edits. No counterfactual group is read.

    python -m benchmarks.repair_choices --out benchmarks/results/repair_choices.csv \
        --data ../shared/photos --run runs/baseline-seed0 --run runs/baseline-seed1 ...

Every recipe of a wide grid is refitted for every run. A row of the CSV holds what the choice may
see (training images and edits left out, val) and what judges it: images made of val by
``choices.py``, with the object as it is and pasted on another image (yes), inpainted, covered or
never there (no). ``--summary`` applies every rule of choice to these rows and prints the means.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

import biasaudit as ba
from benchmarks.choices import edited_versions
from biasaudit.config import repair_settings
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset, Sample
from biasaudit.statistics import auroc
from biasaudit.training.repair.choose import answered, left_out_scores
from biasaudit.training.repair.engine import Material, gather
from biasaudit.training.repair.features import Features
from biasaudit.training.repair.record import labels_for, options_of
from biasaudit.training.repair.refit import EDITED, ORIGINAL, Recipe, Row, Vector, refit

DOSES = (0.1, 0.2, 0.3, 0.5, 0.8)
STRENGTHS = (6.0, 20.0, 60.0)
REFITS = (1, 10)
YES, NO = ("whole", "pasted"), ("inpainted", "covered", "ground")
KEY = ["labels", "seed"]
CRITERIA = {"edits_auroc": 1, "edits_log_loss": -1, "mixed_auroc": 1}
"""Columns that a choice may go by, and whether more is better."""
LOSSES = (0.0, 0.01, 0.02, 0.03, 0.05)


def main() -> None:
    """Measure all recipes, or summarise what the rules of choice make of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    parser.add_argument("--run", type=Path, action="append", default=[], help="one for each seed")
    parser.add_argument("--data", default="harbour", help="as of biasaudit repair")
    parser.add_argument("--labels", default="78", help="with commas")
    parser.add_argument("--cache", help="folder that keeps features")
    parser.add_argument("--summary", action="store_true", help="print what the rules choose")
    arguments = parser.parse_args()
    if arguments.summary:
        print(summary(pd.read_csv(arguments.out)))
        return
    rows = pd.read_csv(arguments.out).to_dict("records") if arguments.out.is_file() else []
    for labels, folder in itertools.product(arguments.labels.split(","), arguments.run):
        made = measure(folder, arguments.data, int(labels), arguments.cache)
        rows = [row for row in rows if any(row[key] != made[0][key] for key in KEY)] + made
        pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.6f")
        print(folder, labels, flush=True)


def measure(folder: Path, data: str, labels: int, cache: str | None) -> list[dict[str, object]]:
    """Return one row for each recipe; the first is the run as it was."""
    run, dataset = ba.load_run(folder), ba.load_dataset(data)
    name, size = str(dataset.object), int(run.settings.data.image_size or 0)
    seed = run.settings.training.seed
    settings = repair_settings({"pixel_labels": labels, "seed": seed, "cache": cache})
    chosen = labels_for(dataset, name, settings, outlines=run.settings.data.outlines)
    material = gather(run.load_model(), dataset, name, chosen, size, options_of(settings))
    judges = judged_by(material, dataset, name, size)
    return rows_of(material, judges, {"labels": labels, "seed": seed})


def rows_of(
    material: Material, judges: dict[str, Features], key: dict[str, object]
) -> list[dict[str, object]]:
    """Return one row for each recipe, refitted once and as a mean of bootstrap refits."""
    row, seed = material.before, int(str(key["seed"]))
    rows = [{**key, "dose": 0.0, "strength": 0.0, "refits": 0, **shown(row, material, judges)}]
    for strength, dose in itertools.product(STRENGTHS, DOSES):
        recipe = Recipe(dose, strength)
        left = left_out_scores(material.train, recipe, row, seed)
        row = refit(material.train, recipe, row, seed)
        seen = seen_by_choice(left, material, row)
        for refits in REFITS:
            fitted = refit(material.train, replace(recipe, refits=refits), row, seed)
            what = {"dose": dose, "strength": strength, "refits": refits}
            rows.append({**key, **what, **seen, **shown(fitted, material, judges)})
    return rows


def seen_by_choice(left: Vector, material: Material, row: Row) -> dict[str, float]:
    """Return what a choice may go by: scores of what was left out, and a row's on val."""
    train = material.train
    val = row.scores(material.val.features)
    edits, originals = train.origins == EDITED, train.origins == ORIGINAL
    of_edits = answered(left[edits], train.answers[edits], balanced=True)
    of_originals = answered(left[originals], train.answers[originals], balanced=True)
    scores = np.concatenate([val, left[edits]])
    answers = np.concatenate([material.val.answers, train.answers[edits]])
    return {
        "val_once": answered(val, material.val.answers).accuracy,
        "originals_accuracy": of_originals.accuracy,
        "edits_accuracy": of_edits.accuracy,
        "edits_auroc": of_edits.auroc,
        "edits_log_loss": of_edits.log_loss,
        "mixed_auroc": auroc(scores[answers], scores[~answers]),
    }


def judged_by(material: Material, dataset: Dataset, name: str, size: int) -> dict[str, Features]:
    """Return the features of val images as they are and as they are edited."""

    def pixels(samples: list[Sample]) -> Iterable[Tensor]:
        tensors = SampleTensors(samples, dataset.classes, size, keep=False)
        return (tensors[i].image for i in range(len(samples)))

    versions = edited_versions(dataset.subset("val"), name)
    return {kind: material.reader(pixels(samples)) for kind, samples in versions.items()}


def shown(row: Row, material: Material, judges: dict[str, Features]) -> dict[str, float]:
    """Return accuracy and log-loss on val, and what edits of val show at a threshold of 0."""
    val = answered(row.scores(material.val.features), material.val.answers)
    scores = {kind: row.scores(features) for kind, features in judges.items()}
    right = {kind: float((scores[kind] > 0).mean()) for kind in YES}
    right |= {kind: float((scores[kind] <= 0).mean()) for kind in NO}
    yes, no = (np.concatenate([scores[kind] for kind in kinds]) for kinds in (YES, NO))
    return {
        "val": val.accuracy,
        "val_log_loss": val.log_loss,
        **right,
        "judged": (right["pasted"] + (right["inpainted"] + right["covered"]) / 2) / 2,
        "judged_auroc": auroc(yes, no),
    }


def summary(table: pd.DataFrame) -> str:
    """Return what each rule of choice leads to: means over seeds, in Markdown.

    A run of which no recipe keeps val stays as it was.
    """
    shown_ = ["val", "judged", "judged_auroc"]
    lines = [
        "| labels | criterion | least dose | may lose | refits | left as it was | val | worst val "
        "| edits of val | worst | AUROC |",
        "|---" * 11 + "|",
    ]
    for labels, rows in table.groupby("labels"):
        rules = itertools.product(CRITERIA, (0.1, 0.2, 0.3), LOSSES, REFITS)
        for criterion, least, loss, refits in rules:
            picked = [pick(run, criterion, least, loss, refits) for _, run in rows.groupby("seed")]
            found = pd.DataFrame(picked)
            val, judged, ranked = (found[name].mean() for name in shown_)
            lines.append(
                f"| {labels} | {criterion} | {least} | {loss} | {refits} "
                f"| {(found['refits'] == 0).sum()} | {val:.3f} | {found['val'].min():.3f} "
                f"| {judged:.3f} | {found['judged'].min():.3f} | {ranked:.3f} |"
            )
    return "\n".join(lines)


def pick(run: pd.DataFrame, criterion: str, least: float, loss: float, refits: int) -> pd.Series:
    """Return the row that a rule chooses among those of one run."""
    before = run[run["refits"] == 0].iloc[0]
    kept = run[
        (run["refits"] == refits)
        & (run["dose"] >= least)
        & (run["val_once"] >= before["val"] - loss - 1e-6)
    ]
    if kept.empty:
        return before
    return kept.loc[(CRITERIA[criterion] * kept[criterion]).idxmax()]


if __name__ == "__main__":
    main()
