"""Headline and reason of a verdict, with the figures that decided."""

from __future__ import annotations

from biasaudit.analysis.edited_pairs import PairEvidence
from biasaudit.analysis.effect import Measured
from biasaudit.analysis.rule import Estimate, Kind, opposite
from biasaudit.statistics.rates import Interval


def say_nothing_decides(measured: Measured, context: str) -> tuple[Kind, str, str]:
    """Return the verdict where no evidence is there."""
    unknown = measured.left_out.get("context unknown", 0)
    reason = (
        f"No subset and source has images with and without {context} of the same right answer, for "
        "both answers, and there are no edited pairs: what differs between the groups may be "
        "anything."
    )
    if unknown:
        reason += f" In {unknown} images {context} is unknown."
    return "cannot_tell", "cannot tell: the groups differ in more than the context", reason


def follow_verdict(
    pairs: PairEvidence | None, object: str, context: str, level: float
) -> tuple[Kind, str, str]:
    """Return the verdict where the versions of an image are edited in different ways."""
    if pairs is None:
        raise ValueError("no edited pairs")
    against, right = pairs.follow_context, pairs.follow_object
    reason = (
        f"Of edited images, {against} say {object} where it is taken out of {context} and not "
        f"where it stands without {context}; {right} answer both rightly (p = {pairs.follow_p:.2g})"
    )
    if against > right and pairs.follow_p <= round(1 - level, 12):
        return "biased", f"biased by {context}", reason + "."
    reason += (
        "; versions edited in different ways show no smaller bias, and the groups differ in more "
        "than the context."
    )
    return "cannot_tell", "cannot tell: the groups differ in more than the context", reason


def say(
    kind: Kind, found: Estimate, object: str, context: str, margin: float, level: float
) -> tuple[str, str]:
    """Return headline and reason."""
    span, p_value = points(found.interval), f"p = {found.p_value:.2g}"
    singles = ", ".join(
        f"{points(one.interval)} on images {'with' if value else 'without'} {object}"
        for value, one in found.by_answer.items()
    )
    if kind == "no_bias_shown":
        reason = f"{context.capitalize()} moves the share of yes answers by less than "
        return "no bias shown", f"{reason}{100 * margin:g} points either way: {singles}."
    if kind == "biased":
        size = round(1 - level, 12)
        if opposite(found, size) and not found.p_value <= size:
            return f"biased by {context}, in opposite directions", (
                f"With {context} the share of yes answers moves by {singles}; the two cancel."
            )
        against = " (the model answers against the context)" if found.effect < 0 else ""
        return f"biased by {context}", (
            f"With {context} the model says {object} oftener by {span} points{against}, {p_value}: "
            f"{singles}."
        )
    if not found.knowledge[0] > 0.5:
        return "cannot tell (the model knows too little)", (
            "The model is not shown to beat a constant answer, so a lack of an effect would say "
            "nothing."
        )
    return "cannot tell (n too small)", (
        f"The effect of {context} is {span} points, {p_value}: {singles}. It may be none, or "
        f"{100 * margin:g} points and more."
    )


def points(interval: Interval) -> str:
    """Return an interval in points, such as "+2.1 to +7.0"."""
    return f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}"
