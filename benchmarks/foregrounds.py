r"""What foregrounds found in unlabelled images bring to a repair: figures go to one CSV.

    python benchmarks/foregrounds.py --out benchmarks/results/foregrounds.csv \
        --data ../shared/photos --runs RUNS --seeds 0,1,2,3,4 --labels 78,23,9

RUNS/SEED is a trained baseline. Each is repaired with labelled foregrounds alone and with those
found in the other images of the object (``biasaudit repair --foregrounds propagated``). A row holds
how good what is found is (IoU with labels held back), what the choice between the two may see
(training images and edits left out, val), what judges it (edits of val images, as
``repair_choices.py`` makes them), and last the counterfactual groups, which choose nothing. A row
that the CSV holds already is not measured again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
from modes import means
from repair_choices import judged_by, shown

import biasaudit as ba
from biasaudit.config import repair_settings
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset
from biasaudit.data.splits.resolve import biased_split
from biasaudit.statistics import auroc
from biasaudit.training.repair.choose import best, compare
from biasaudit.training.repair.engine import SHARE, Material, gather, with_foregrounds
from biasaudit.training.repair.features import Features
from biasaudit.training.repair.record import labels_for, options_of
from biasaudit.training.repair.refit import Vector, refit

KINDS = ("labelled", "propagated", "chosen")
KEY = ["foregrounds", "labels", "seed"]


def main() -> None:
    """Measure what is asked for, or summarise."""
    arguments = parse()
    rows = pd.read_csv(arguments.out).to_dict("records") if arguments.out.is_file() else []
    if not arguments.summary:
        for seed in map(int, arguments.seeds.split(",")):
            for labels in map(int, arguments.labels.split(",")):
                if any(row["seed"] == seed and row["labels"] == labels for row in rows):
                    continue
                rows += measure(arguments, labels, seed)
                pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.4f")
                print(rows[-len(KINDS) :], flush=True)
    print(summary(pd.DataFrame(rows)))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    parser.add_argument("--runs", type=Path, help="folder of trained baselines, one a seed")
    parser.add_argument("--data", default="../shared/photos", help="as of biasaudit repair")
    parser.add_argument("--labels", default="78,23,9", help="with commas")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--cache", help="folder that keeps features")
    parser.add_argument("--summary", action="store_true", help="print the CSV's means alone")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, labels: int, seed: int) -> list[dict[str, object]]:
    """Return a row for each kind of foregrounds, and for what the choice takes."""
    run, data = ba.load_run(arguments.runs / str(seed)), ba.load_dataset(arguments.data)
    name, size = str(data.object), int(run.settings.data.image_size or 0)
    settings = repair_settings({"pixel_labels": labels, "seed": seed, "cache": arguments.cache})
    labelled = labels_for(data, name, settings, outlines=run.settings.data.outlines)
    options, model = options_of(settings), run.load_model()
    material = gather(model, data, name, labelled, size, options)
    judges = judged_by(material, data, name, size)
    groups = counterfactual(material, data, size)
    recipes = list(options.recipes)
    plain = compare(
        material.train, material.val, material.before, recipes, options.max_val_loss, seed
    )
    row = refit(material.train, best(plain).recipe, material.before, seed)
    more, found, counts = with_foregrounds(material, model, row, options)
    richer = [replace(recipe, propagated=SHARE) for recipe in recipes]
    added = compare(more.train, more.val, more.before, richer, options.max_val_loss, seed)
    rows = []
    for kind, candidates in zip(KINDS, (plain, added, plain + added), strict=True):
        chosen = best(candidates)
        fitted = refit(more.train, chosen.recipe, more.before, seed)
        rows.append(
            {
                **dict(zip(KEY, (kind, labels, seed), strict=True)),
                **found.to_dict(),
                "found_edits": sum(counts.values()),
                "dose": chosen.recipe.dose,
                "strength": chosen.recipe.strength,
                "propagated": chosen.recipe.propagated,
                "edits_auroc": chosen.edits.auroc,
                **shown(fitted, more, judges),
                **accuracies({group: fitted.scores(f) for group, f in groups.items()}),
            }
        )
    return rows


def counterfactual(material: Material, data: Dataset, size: int) -> dict[str, Features]:
    """Return the features of the two groups: the object without the context, and the reverse."""
    split = biased_split(data, str(data.object), str(data.context))
    found = {}
    for name, samples in split.groups.items():
        images = SampleTensors(samples, data.classes, size, keep=False)
        found[name] = material.reader(images.unmirrored(i) for i in range(len(images)))
    return found


def accuracies(scores: dict[str, Vector]) -> dict[str, float]:
    """Return the accuracy of each group at a threshold of 0, their mean, and the AUROC."""
    (first, yes), (second, no) = scores.items()
    right = {first: float((yes > 0).mean()), second: float((no <= 0).mean())}
    return {**right, "overall": sum(right.values()) / 2, "auroc": auroc(yes, no)}


def summary(table: pd.DataFrame) -> str:
    """Return means over seeds, with the standard deviation between seeds, in Markdown."""
    shown_ = ["iou", "kept_iou", "kept", "val", "judged", "judged_auroc", "overall", "auroc"]
    return means(table, KEY[:2], shown_)


if __name__ == "__main__":
    main()
