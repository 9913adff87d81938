r"""What foregrounds found in unlabelled images bring to a repair: figures go to one CSV.

    python -m benchmarks.foregrounds --out benchmarks/results/foregrounds.csv \
        --data ../shared/photos --runs RUNS --seeds 0,1,2,3,4 --labels 78,23,9 \
        --ways propagated,sec

RUNS/SEED (or what ``--run-name`` says) is a trained baseline. Each is repaired with labelled
foregrounds alone (``labelled``) and with those found in the other images of the object by each of
``--ways`` (``biasaudit repair --foregrounds propagated`` or ``sec``). Of ``propagated`` there are
the rows ``propagated`` and ``chosen``, which is what the repair takes of the two; of ``sec``
likewise ``sec`` and ``chosen-sec``. A row holds how good what is found is (IoU with labels held
back; in a row ``labelled`` that of the first way measured), what the choice between the two may
see (training images and edits left out, val), what judges it (edits of val images, as
``repair_choices.py`` makes them), and last the counterfactual groups, which choose nothing. The
column ``propagated`` is the share of the dose that foregrounds found have, whoever found them. A
row that the CSV holds already is not measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pandas as pd

import biasaudit as ba
from benchmarks.modes import means
from benchmarks.repair_choices import judged_by, shown
from biasaudit.config import repair_settings
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset
from biasaudit.data.splits.resolve import biased_split
from biasaudit.segmentation.foregrounds import finder_of
from biasaudit.statistics import auroc
from biasaudit.training.repair.choose import Candidate, best, compare
from biasaudit.training.repair.engine import (
    SHARE,
    Material,
    RepairOptions,
    gather,
    with_foregrounds,
)
from biasaudit.training.repair.features import Features
from biasaudit.training.repair.record import labels_for, options_of
from biasaudit.training.repair.refit import Recipe, Vector, refit

ROWS = {"propagated": ("propagated", "chosen"), "sec": ("sec", "chosen-sec")}
"""By way of finding: its row, and that of what a repair takes."""
LABELLED = "labelled"
KEY = ["foregrounds", "labels", "seed"]


def main() -> None:
    """Measure what is asked for, or summarise."""
    arguments = parse()
    rows = pd.read_csv(arguments.out).to_dict("records") if arguments.out.is_file() else []
    if not arguments.summary:
        for seed in map(int, arguments.seeds.split(",")):
            for labels in map(int, arguments.labels.split(",")):
                known = {
                    row["foregrounds"]
                    for row in rows
                    if row["seed"] == seed and row["labels"] == labels
                }
                ways = [way for way in arguments.ways if not set(ROWS[way]) <= known]
                made = measure(arguments, labels, seed, ways) if ways else []
                made = [row for row in made if row["foregrounds"] not in known]
                rows += made
                pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.4f")
                print(made, flush=True)
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
    parser.add_argument("--run-name", default="{seed}", help="folder of a seed's run in --runs")
    parser.add_argument(
        "--ways", default="propagated,sec", type=ways_of, help="of finding foregrounds, with commas"
    )
    parser.add_argument("--iterations", type=int, help="steps of sec; its own where not said")
    parser.add_argument("--cache", help="folder that keeps features")
    parser.add_argument("--summary", action="store_true", help="print the CSV's means alone")
    return parser.parse_args()


def ways_of(text: str) -> list[str]:
    """Read ways of finding foregrounds, separated by commas."""
    named = text.split(",")
    unknown = [name for name in named if name not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no way '{unknown[0]}', known: {', '.join(ROWS)}")
    return named


def measure(
    arguments: argparse.Namespace, labels: int, seed: int, ways: Sequence[str]
) -> list[dict[str, object]]:
    """Return a row for labelled foregrounds, and two for each way of finding more."""
    run = ba.load_run(arguments.runs / arguments.run_name.format(seed=seed))
    data = ba.load_dataset(arguments.data, options=run.settings.data.options)
    name, size = str(data.object), int(run.settings.data.image_size or 0)
    asked = {"pixel_labels": labels, "seed": seed, "cache": arguments.cache}
    settings = repair_settings(asked)
    labelled = labels_for(data, name, settings, outlines=run.settings.data.outlines)
    options, model = options_of(settings), run.load_model()
    material = gather(model, data, name, labelled, size, options)
    judges = judged_by(material, data, name, size)
    groups = counterfactual(material, data, size)
    recipes = list(options.recipes)
    plain = compared(material, recipes, options)
    row = refit(material.train, best(plain).recipe, material.before, seed)
    rows: list[dict[str, object]] = []
    for way in ways:
        more = asked | {"foregrounds": way}
        if way == "sec" and arguments.iterations:
            more["segment"] = {"iterations": arguments.iterations}
        finder = finder_of(run, data, name, repair_settings(more))
        begun = perf_counter()
        richer, found, counts = with_foregrounds(material, model, row, finder, options)
        told = {**found.to_dict(), "found_edits": sum(counts.values())}
        seconds = {"find_seconds": perf_counter() - begun}
        added = compared(richer, [replace(recipe, found=SHARE) for recipe in recipes], options)
        kinds = zip(
            (LABELLED, *ROWS[way]), (plain, added, plain + added * bool(found.regions)), strict=True
        )
        for kind, candidates in kinds:
            if kind == LABELLED and rows:
                continue
            chosen = best(candidates)
            fitted = refit(richer.train, chosen.recipe, richer.before, seed)
            rows.append(
                {
                    **dict(zip(KEY, (kind, labels, seed), strict=True)),
                    **told,
                    "dose": chosen.recipe.dose,
                    "strength": chosen.recipe.strength,
                    "propagated": chosen.recipe.found,
                    "edits_auroc": chosen.edits.auroc,
                    **shown(fitted, richer, judges),
                    **accuracies({group: fitted.scores(f) for group, f in groups.items()}),
                    **seconds,
                }
            )
    return rows


def compared(
    material: Material, recipes: Sequence[Recipe], options: RepairOptions
) -> list[Candidate]:
    """Compare recipes on what a choice may see."""
    return compare(
        material.train,
        material.val,
        material.before,
        recipes,
        options.max_val_loss,
        options.seed,
    )


def counterfactual(material: Material, data: Dataset, size: int) -> dict[str, Features]:
    """Return the features of the two groups: the object without the context, and the reverse."""
    object_, context = str(data.object), str(data.context)
    split = biased_split(data, object_, context)
    found = {}
    for name in (f"{object_}-without-{context}", f"{context}-without-{object_}"):
        images = SampleTensors(split.groups[name], data.classes, size, keep=False)
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
