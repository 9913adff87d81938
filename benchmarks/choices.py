r"""What settings are chosen by: validation images, and edits of them that training does not make.

    python benchmarks/choices.py --out benchmarks/results/choices.csv --modes counterfactual:78 \
        --variant "edited at 2" --set terms.edited.weight=2 --data ../shared/photos ...

The counterfactual cells are not looked at. Edits are made of validation images alone: the object
pasted with a hard edge on two images without it (``pasted``), inpainted by Telea's method
(``inpainted``) and covered by a piece of another image (``covered``). What the columns of that name
hold is the share answered rightly at a threshold of 0; ``ground`` is that of the images without the
object as they are. The AUROCs ask for no threshold.
"""

from __future__ import annotations

import cv2
import numpy as np
import PIL.Image
import torch
from modes import parse, run_grid

from biasaudit.data import edits
from biasaudit.data.outlines import outline
from biasaudit.data.sample import Image, Mask, Sample
from biasaudit.evaluation.audit import audit, plan_splits
from biasaudit.evaluation.one_pass import Subject
from biasaudit.models.classifier import Classifier
from biasaudit.statistics import auroc
from biasaudit.training.plan import Plan

MOST_IMAGES = 60
LEAST_AREA, MOST_AREA = 0.03, 0.5
"""Objects edited cover at least and at most so much of their image."""
GROUNDS = 2
"""Images that each object is pasted on."""
RIM = 2
"""Width in px of what is covered around an object."""


def main() -> None:
    """Run the grid."""
    run_grid(parse(__doc__), figures)


def figures(plan: Plan, subject: Subject) -> dict[str, object]:
    """Return what a trained model shows on validation images and their edits."""
    data = plan.settings.data
    name, size = str(data.object), int(data.image_size or 0)
    val = plan.dataset.subset("val")
    found = audit(subject, plan_splits(plan.dataset, ["val"], name, data.context))
    overall = found.splits["val"].overall
    images = edited_images(val, name, size)
    scores = {
        kind: scores_of(subject.model, made, plan.dataset.classes.index(name))
        for kind, made in images.items()
    }
    row: dict[str, object] = {
        "val": overall.accuracy,
        "val_auroc": overall.auroc,
        "val_energy": overall.attention.energy_pointing_game,
        "images": len(images["whole"]),
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


def edited_images(val: tuple[Sample, ...], name: str, size: int) -> dict[str, list[Image]]:
    """Return by kind the images as they are and as they are edited."""
    generator = np.random.default_rng(7)
    grounds = [scaled(s.load_image(), size) for s in val if name not in s.labels]
    made: dict[str, list[Image]] = {"whole": [], "pasted": [], "inpainted": [], "covered": []}
    for sample in val:
        if name not in sample.labels or name not in sample.regions:
            continue
        region, picture = sample.regions[name], sample.load_image()
        mask = region.load()
        if not LEAST_AREA <= mask.mean() <= MOST_AREA or len(made["whole"]) == MOST_IMAGES:
            continue
        cut = scaled(outline(picture, mask) if region.form == "box" else mask, size)
        image, hole = scaled(picture, size), scaled(mask, size)
        made["whole"].append(image)
        made["inpainted"].append(edits.remove(image, hole))
        wide = cv2.dilate(hole.astype(np.uint8), np.ones((2 * RIM + 1,) * 2)) > 0
        for ground in generator.choice(len(grounds), GROUNDS, replace=False):
            made["pasted"].append(edits.paste(image, cut, grounds[ground]))
            made["covered"].append(edits.paste(grounds[ground], wide, image))
    return {**made, "ground": grounds}


def scaled(picture: Image | Mask, size: int) -> Image | Mask:
    """Return an image or a mask as a square of ``size`` px."""
    kind = PIL.Image.Resampling
    method = kind.NEAREST if picture.dtype == bool else kind.BILINEAR
    return np.array(PIL.Image.fromarray(picture).resize((size, size), method))


@torch.no_grad()
def scores_of(model: Classifier, images: list[Image], column: int) -> np.ndarray:
    """Return the scores of one class."""
    batches = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(255).split(64)
    return torch.cat([model(batch).scores[:, column] for batch in batches]).numpy()


if __name__ == "__main__":
    main()
