"""What each choice that the GAIN paper leaves open does, and what each term of our modes does.

On the embedded scenes, 78 labels, one change at a time against the default; ``baseline`` is that of
the same recipe:

    python -m benchmarks.ablations --out benchmarks/results/ablations.csv
    python -m benchmarks.ablations --out benchmarks/results/ablations.csv --summary

``--modes`` and ``--only`` take a part of the grid: modes with labels, and names of changes. Rows
that the CSV holds already are not computed again. ``--runs DIR`` keeps the runs of a change in
``DIR/CHANGE``.
"""

from __future__ import annotations

import pandas as pd

from benchmarks.modes import figures, options, run_grid, summary

GAIN_EXT = {
    "default": [],
    "sigma .3": ["terms.mining.sigma=0.3"],
    "sigma .7": ["terms.mining.sigma=0.7"],
    "mask scale 5": ["terms.mining.mask_scale=5.0"],
    "mask scale 20": ["terms.mining.mask_scale=20.0"],
    "scaled by min and max": [
        "terms.mining.scaling=minmax",
        "terms.external.scaling=minmax",
    ],
    "L_am on the raw score": ["terms.mining.score=logit"],
    "second order": ["terms.mining.second_order=true", "terms.external.second_order=true"],
    "masked pass by running statistics": ["terms.mining.batch_norm=running"],
    "no warm-up": ["terms.mining.warmup_epochs=0.0"],
    "L_cl averaged over classes": ["terms.classification.over_classes=mean"],
    "filled with black": ["terms.mining.fill=black"],
    "omega 3": ["terms.external.weight=3.0"],
    "omega 30": ["terms.external.weight=30.0"],
    "omega 100": ["terms.external.weight=100.0"],
    "without L_am": ["terms.mining.weight=0.0"],
    "without L_e": ["terms.external.weight=0.0"],
}

COUNTERFACTUAL = {
    "default": [],
    "without evidence": ["terms.evidence.weight=0.0"],
    "without absent classes": ["terms.absent.weight=0.0"],
    "without edited pairs": ["terms.edited.weight=0.0"],
    "without evidence and absent classes": [
        "terms.evidence.weight=0.0",
        "terms.absent.weight=0.0",
    ],
    "first order": ["terms.evidence.second_order=false", "terms.absent.second_order=false"],
    "taken out: all blurred away": ["terms.edited.covered=0.0"],
    "taken out: all covered": ["terms.edited.covered=1.0"],
    "with decoys": ["terms.edited.decoys=true"],
    "pasted where it stood": ["terms.edited.scale=1.0", "terms.edited.shift=0.0"],
    "small objects pasted as they are": ["terms.edited.least_area=0.0"],
}

RECIPE = {
    "default": [],
    "learning rate half": ["training.learning_rate=4e-3"],
    "learning rate quarter": ["training.learning_rate=2e-3"],
    "6 epochs": ["training.epochs=6"],
    "36 epochs": ["training.epochs=36"],
    "from scratch": ["model.weights=none", "model.frozen=0"],
}
"""Changed for every mode alike, so that each is compared with the baseline of its own recipe."""
GRID = (
    ("baseline:0", RECIPE),
    ("gain_ext:78", {**RECIPE, **GAIN_EXT}),
    ("counterfactual:78", {**RECIPE, **COUNTERFACTUAL}),
)


def main() -> None:
    """Run every variant, or summarise them."""
    parser = options(__doc__)
    parser.set_defaults(modes=",".join(mode for mode, _ in GRID))
    parser.add_argument("--only", help="names of changes, with commas; all where nothing is said")
    arguments = parser.parse_args()
    if arguments.summary:
        print(summary(pd.read_csv(arguments.out)))
        return
    modes, only = arguments.modes.split(","), (arguments.only or "").split(",")
    runs = arguments.runs
    for mode, variants in ((mode, variants) for mode, variants in GRID if mode in modes):
        for variant, assignments in variants.items():
            if arguments.only and variant not in only:
                continue
            arguments.modes, arguments.variant, arguments.set = mode, variant, assignments
            arguments.runs = None if runs is None else runs / variant
            run_grid(arguments, figures)


if __name__ == "__main__":
    main()
