"""How to read each figure of the appendix: a sentence or two, by the name of its section."""

from __future__ import annotations

from collections.abc import Sequence

from biasaudit.analysis.quadrants import ENRICHMENT, MOST
from biasaudit.report.format import percent
from biasaudit.report.sections.classes import ClassPage
from biasaudit.report.sections.pairs import PairGuard
from biasaudit.report.view import AuditView, Column


def reading(audit: AuditView, lead: str, *, boxes: bool) -> dict[str, str]:
    """Return how to read the tables and plots of an audit.

    Args:
        audit: The audit.
        lead: The run that others are compared with.
        boxes: Whether the runs differ in box labels alone.
    """
    target = "over the groups" if audit.groups else f"on {audit.target}"
    overall = "overall accuracy" if audit.groups else f"accuracy on {audit.target}"
    return {
        "accuracy": "Share of right answers with Wilson intervals. The bar spans 0 to 100%; the "
        "dotted line marks what a constant answer scores.",
        "verdicts": f"Effect of {audit.context} in percentage points: the mean of its two parts, "
        f"on images with and without {audit.object}; p by permutation of the context.",
        "curve": f"Accuracy {target} against the number of training images that gave "
        f"{'a box' if boxes else 'a pixel mask'} of {audit.object}: the steeper, the more a label "
        "buys. Lines join means over seeds; each run keeps its marker and 95% interval.",
        "seeds": "Mean over runs that differ in their seed alone; in parentheses the lowest and "
        "the highest run. This is the chance in training, beside the chance in the images.",
        "gaps": "Each line is one run. "
        + (
            "The further a group lies left of val, the more the answer changes when object and "
            "context part."
            if audit.groups
            else "The further a subset lies left of val, the more its images lack of what the run "
            "reads."
        ),
        "changes": f"Against {lead}, on the same images. Mended: right here and wrong there; "
        f"broken: the reverse. Difference of the {overall} in percentage points, with the interval "
        "for paired images; each run by itself, as compare says.",
        "flips": "Each edited image is held against the image that it was made from: how often the "
        "edit turns the answer, of the pairs that gave the first answer before it. Where the right "
        "answer after the edit is “no”, it ought to turn yes to no; where it is “yes”, nothing.",
        "attention": "Averages over the images that have a region and a map that is not all zero: "
        "“7 of 16” have both. The dotted line is the region's area: an even map would score it.",
        "perturbation": "Attention can be moved without moving the decision. So what the attention "
        "marks is erased: the decision hangs on it where the probability of "
        f"“{audit.object}” falls further than without as many random pixels.",
        "erasures": f"Change of the probability in percentage points, over images that show "
        f"{audit.object}. Excess: how much further it falls without the attended pixels than "
        "without random ones.",
        "quadrants": f"Right or wrong, crossed with attention on or off the region of "
        f"{audit.object}: on where at least {percent(MOST)} of it falls inside, or at least "
        f"{ENRICHMENT:g} times the region's share of the image. “Right, off” is the quadrant to "
        "look at: a right answer for a wrong reason. Counted are the images"
        f"{' of the counterfactual groups' if audit.groups else ''}.",
        "data": "A group holds images in which object and context part: whoever answers by the "
        "context is wrong on all of them."
        if audit.groups
        else "No groups part the object from a context here; every subset is measured as it is.",
        "operating_point": "Here a yes is a score above the threshold that fits val best, not "
        "above 0. A biased val holds few counterfactual images or none, so this threshold knows "
        "little of them; the AUROC needs none. The intervals take the threshold as given.",
    }


def read_classes(classes: ClassPage, lead: str) -> str:
    """Return how to read the table of all classes, each held against the lead run."""
    told = "Share of the images of each class that get a yes to it (recall), with Wilson intervals."
    if classes.harm:
        told += f" ▼ worse: its images of all subsets together lost answers against {lead} "
        told += "(exact McNemar, Holm over the classes)."
    return told + (f" {classes.more} more classes are in classes.csv." if classes.more else "")


def read_pairs(pairs: PairGuard, runs: int, lead: str) -> str:
    """Return how to read the table of other object-context pairs, of so many runs."""
    told = "Mean accuracy of each pair's two conflicting groups."
    if runs > 1:
        told += f" ▼ worse: shown to be lower than in {lead} on the same images "
        told += "(Holm over all pairs)."
    if len(pairs.rows) < pairs.total:
        told += f" The {len(pairs.rows)} pairs that got worse or that the runs differ on most."
    return told


def read_difference(columns: Sequence[Column]) -> str:
    """Return how to read the table of two runs, the second held against the first."""
    first, second = (column.label for column in columns)
    return (
        f"The difference is {second} less {first}, in percentage points (AUROC in hundredths), for "
        "paired images. Its bar spans −100 to +100. Better or worse where p, by Holm over this "
        "table's figures, is at most 0.05."
    )
