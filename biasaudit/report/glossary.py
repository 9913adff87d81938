"""The words of the report, each explained in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from biasaudit.report.view import AuditView

_ALWAYS = (
    ("val", "Validation images: like the training images, with the same bias, never trained on."),
    ("95% interval", "Figures that the true one may well have; narrow where images are many."),
    ("AUROC", "How often an image with the object scores above one without; 0.5 is chance."),
    ("constant answer", "What saying always yes, or always no, scores."),
    ("points", "Percentage points: from 40% to 45% is 5 points."),
    ("p, Holm", "How often chance alone gives as much; Holm corrects for several questions."),
)
_GROUPS = (
    ("context", "What surrounds the object and is no part of it: the suspected shortcut."),
    ("effect of the context", "Share of yes answers with the context less that without it."),
    ("bias-aligned", "Images whose context points to the right answer."),
    ("bias-conflicting", "Images whose context points to the wrong answer."),
    ("counterfactual images", "The bias-conflicting groups together."),
    ("overall", "Mean accuracy of the bias-conflicting groups."),
    ("worst group", "The group with the lowest accuracy."),
)
_ATTENTION = (
    ("attention map", "Which parts of an image raise the object's score (Grad-CAM)."),
    ("energy pointing game", "Share of the attention inside a region."),
    ("attention beyond chance", "That share less the region's share of the image."),
    ("IoU", "Overlap of the region with the map's brightest part: 1 is the same area, 0 none."),
    ("perturbation", "Erasing part of an image to see whether the score falls."),
    ("flip", "An edit of the image turned the answer."),
)
_BOXES = (
    ("MaxBoxAcc", "Share of boxes about the attention that overlap a true one (IoU of 0.5)."),
    ("PxAP", "How well the attention ranks pixels of the object above others; 1 is best."),
)
_MASKS = (
    ("mean IoU", "Overlap of drawn and true pixels of each class, then the mean over classes."),
    ("CRF", "Moves the borders of a mask to edges of the image; it is not trained."),
)


def glossary(
    audits: Sequence[AuditView], *, boxes: bool = False, masks: bool = False
) -> list[tuple[str, str]]:
    """Return the terms that a report uses, and what each means.

    Args:
        audits: What it shows.
        boxes: Whether it shows localization.
        masks: Whether it shows segmentation.
    """
    found = [*_GROUPS] if any(audit.groups for audit in audits) else []
    found += [*_ALWAYS, *_ATTENTION]
    return [*found, *(_BOXES if boxes else ()), *(_MASKS if masks else ())]
