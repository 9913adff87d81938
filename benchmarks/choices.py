r"""What settings are chosen by: validation images, and edits of them.

    python -m benchmarks.choices --out benchmarks/results/choices.csv --modes counterfactual:78 \
        --variant "edited at 2" --set terms.edited.weight=2 --data ../shared/photos ...

The counterfactual groups are not looked at. Edits are made of validation images alone: the object
inpainted by Telea's method (``inpainted``), which training never does; pasted on two images without
it (``pasted``) and covered by pieces of them (``covered``), which training does with softer seams.
What the columns of that name hold is the share answered rightly at a threshold of 0; ``ground`` is
that of the images without the object as they are. The AUROCs ask for no threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import torch

import biasaudit as ba
from benchmarks.modes import parse, run_grid, summary
from biasaudit.data.annotation.outlines import outline
from biasaudit.data.sample import Image, Sample
from biasaudit.data.splits import edits
from biasaudit.data.splits.edited_samples import edited
from biasaudit.errors import DataError
from biasaudit.evaluation.predict import Subject, one_pass
from biasaudit.results import Audit
from biasaudit.statistics import auroc
from biasaudit.training.run_directory import RunRecord

SHOWN = ("val", "val_energy", "pasted", "inpainted", "covered", "ground", "auroc_pasted_inpainted")
MOST_IMAGES = 60
LEAST_AREA, MOST_AREA = 0.03, 0.5
"""Objects edited cover at least and at most so much of their image."""
GROUNDS = 2
"""Images that each object is pasted on."""
RIM = 0.02
"""Width of what is covered around an object, as a share of the image's longer side."""


def main() -> None:
    """Run the grid, or summarise it."""
    arguments = parse(__doc__)
    if arguments.summary:
        print(summary(pd.read_csv(arguments.out), SHOWN))
    else:
        run_grid(arguments, figures)


def figures(run: RunRecord, audit: Audit) -> dict[str, object]:
    """Return what a trained model shows on validation images and their edits."""
    data = run.settings.data
    name = str(data.object)
    val = ba.load_dataset(data.name, options=data.options).subset("val")
    overall = audit.run.splits["val"].overall
    subject = Subject(run.load_model(), run.classes, int(data.image_size or 0), torch.device("cpu"))
    versions = edited_versions(val, name)
    scores = {
        kind: one_pass(subject, name, made).table["score"].to_numpy()
        for kind, made in versions.items()
    }
    row: dict[str, object] = {
        "val": overall.accuracy,
        "val_auroc": overall.auroc,
        "val_energy": overall.attention.energy_pointing_game,
        "images": len(versions["whole"]),
        "pasted": float((scores["pasted"] > 0).mean()),
    }
    row |= {kind: float((scores[kind] <= 0).mean()) for kind in ("inpainted", "covered", "ground")}
    for yes, no in (
        ("pasted", "ground"),
        ("whole", "inpainted"),
        ("whole", "covered"),
        ("pasted", "inpainted"),
        ("pasted", "covered"),
    ):
        row[f"auroc_{yes}_{no}"] = auroc(scores[yes], scores[no])
    return row


def edited_versions(val: Sequence[Sample], name: str) -> dict[str, list[Sample]]:
    """Return by kind the images as they are and as they are edited.

    Raises:
        DataError: No image to edit, or too few to paste on.
    """
    generator = np.random.default_rng(7)
    grounds = [sample for sample in val if name not in sample.labels]
    fit = [sample for sample in val if name in sample.labels and _fits(sample, name)]
    if not fit or len(grounds) < GROUNDS:
        raise DataError(f"val has {len(fit)} images to edit and {len(grounds)} to paste on")
    made: dict[str, list[Sample]] = {
        kind: [] for kind in ("whole", "pasted", "inpainted", "covered")
    }
    for sample in fit[:MOST_IMAGES]:
        image, mask = sample.load_image(), sample.regions[name].load()
        cut = outline(image, mask) if sample.regions[name].form == "box" else mask
        reach = 2 * round(RIM * max(mask.shape)) + 1
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach))) > 0
        made["whole"].append(sample)
        made["inpainted"].append(edited(sample, "removed", name))
        for ground in generator.choice(len(grounds), GROUNDS, replace=False):
            other = edits.cover(grounds[ground].load_image(), *mask.shape)
            made["pasted"].append(_with(sample, edits.paste(image, cut, other)))
            made["covered"].append(_with(sample, edits.paste(other, wide, image)))
    return {**made, "ground": grounds}


def _fits(sample: Sample, name: str) -> bool:
    region = sample.regions.get(name)
    return region is not None and LEAST_AREA <= region.area_fraction <= MOST_AREA


def _with(sample: Sample, image: Image) -> Sample:
    return replace(sample, load_image=lambda: image)


if __name__ == "__main__":
    main()
