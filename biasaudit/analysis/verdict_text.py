"""Headline and reason of a verdict, with the figures that decided."""

from __future__ import annotations

from biasaudit.analysis.effect import Measured
from biasaudit.analysis.rule import Estimate, knows, opposite, size_of
from biasaudit.results import PairEvidence, Verdict, VerdictKind, known_from
from biasaudit.statistics.rates import Interval


def say_nothing_decides(
    measured: Measured, object: str, context: str
) -> tuple[VerdictKind, str, str]:
    """Return the verdict where no evidence is there: groups are empty, or nothing compares them."""
    unknown = measured.left_out.get("context unknown", 0)
    told = f" In {unknown} images it is unknown whether {context} is there." if unknown else ""
    empty = [name for name, n in group_sizes(measured, object, context).items() if not n]
    if empty:
        groups = " and ".join(f"'{name}'" for name in empty)
        of_source = " of a known source" if "source unknown" in measured.left_out else ""
        reason = (
            f"No image{of_source} is in {groups}, so nothing says how the model answers there, and "
            "there are no edited pairs."
        )
        return "cannot_tell", f"cannot tell: no image in {groups}", reason + told
    reason = (
        f"No subset and source has images with and without {context} of the same right answer, for "
        "both answers, and no edited pairs say more: what differs between the groups may be "
        "anything."
    )
    return "cannot_tell", "cannot tell: the groups differ in more than the context", reason + told


def group_sizes(measured: Measured, object: str, context: str) -> dict[str, int]:
    """Return the images of the four groups by name, wherever they come from."""
    return {
        name: n
        for name, (_, n) in zip(
            group_names(object, context), measured.everywhere.counts, strict=True
        )
    }


def group_names(object: str, context: str) -> tuple[str, str, str, str]:
    """Return the names of the four groups, in the order of :class:`Groups`."""
    return (
        f"{object}-with-{context}",
        f"{object}-without-{context}",
        f"{context}-without-{object}",
        "neither",
    )


def follow_verdict(
    pairs: PairEvidence, object: str, context: str, level: float
) -> tuple[VerdictKind, str, str]:
    """Return the verdict where the versions of an image are edited in different ways."""
    p_value = 1.0 if pairs.follow_p is None else pairs.follow_p
    against, right = pairs.follow_context, pairs.follow_object
    reason = (
        f"Of edited images, {against} say {object} where it is taken out of {context} and not "
        f"where it stands without {context}; {right} answer both rightly (p = {p_value:.2g})"
    )
    if against > right and p_value <= size_of(level):
        return "biased", f"biased by {context}", reason + "."
    reason += (
        "; versions edited in different ways show no smaller bias, and the groups differ in more "
        "than the context."
    )
    return "cannot_tell", "cannot tell: the groups differ in more than the context", reason


def say(
    kind: VerdictKind, found: Estimate, object: str, context: str, margin: float, level: float
) -> tuple[str, str]:
    """Return headline and reason."""
    span, p_value = points(found.interval), f"p = {found.p_value:.2g}"
    singles = ", ".join(
        f"{points(one.effect_ci)} on images {'with' if answer == 'yes' else 'without'} {object}"
        for answer, one in found.by_answer.items()
    )
    if kind == "no_bias_shown":
        reason = f"{context.capitalize()} moves the share of yes answers by less than "
        return "no bias shown", f"{reason}{100 * margin:g} points either way: {singles}."
    if kind == "biased":
        if opposite(found, level) and not found.p_value <= size_of(level):
            return f"biased by {context}, in opposite directions", (
                f"With {context} the share of yes answers moves by {singles}; the two cancel."
            )
        against = " (the model answers against the context)" if found.effect < 0 else ""
        return f"biased by {context}", (
            f"With {context} the model says {object} oftener by {span} points{against}, {p_value}: "
            f"{singles}."
        )
    if not knows(found, margin):
        return "cannot tell (the model knows too little)", (
            f"Mean accuracy of the four groups may be as low as {100 * found.knowledge[0]:.0f}% "
            f"(in the subset where it is lowest); below {100 * known_from(margin):g}% the lack of "
            "an effect says nothing."
        )
    below = found.interval[1] < 0
    open_ = "less than" if below else "none, or"
    more = "" if below else " and more"
    return "cannot tell (n too small)", (
        f"The effect of {context} is {span} points, {p_value}: {singles}. It may be {open_} "
        f"{100 * margin:g} points{more}{' against the context' if below else ''}."
    )


def beside(verdict: Verdict) -> list[str]:
    """Return what stands beside a verdict's reason, a sentence each: the evidence first."""
    told = []
    if verdict.evidence == "same-subset groups":
        sizes = ", ".join(f"{name} {group.n}" for name, group in verdict.groups.items())
        told.append(
            f"It rests on images as they are, compared within {', '.join(verdict.strata)}: {sizes}."
        )
    elif verdict.evidence == "edited pairs":
        told.append("It rests on edited versions of the same images.")
    pairs = verdict.pairs
    if verdict.evidence == "same-subset groups" and pairs is not None and pairs.effect_ci:
        told.append(
            f"Edited pairs of {pairs.n} images: {points(pairs.effect_ci)} points "
            f"(p = {pairs.p_value:.2g})."
        )
    if (shift := verdict.shift) is not None:
        told.append(
            "Where the context points to the right answer, accuracy is "
            f"{100 * shift.reference:.0f}% on val and {100 * shift.audited:.0f}% on test "
            f"({points(shift.difference_ci)} points): what differs there is the images."
        )
    if verdict.left_out:
        parts = ", ".join(f"{n} ({reason})" for reason, n in verdict.left_out.items())
        told.append(f"Images left out: {parts}.")
    if verdict.attention != "unknown":
        told.append(
            f"The attention {verdict.attention.removesuffix('s')}s with a bias; it decides nothing."
        )
    return told


def points(interval: Interval) -> str:
    """Return an interval in points, such as "+2.1 to +7.0"."""
    return f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}"
