"""A verdict in plain words: the badge, the effect, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from biasaudit.results import Group, Run, Split, Verdict, VerdictKind

BADGES: Mapping[VerdictKind, str] = {
    "biased": "Biased",
    "no_bias_shown": "No bias shown",
    "cannot_tell": "Cannot tell",
}
FAILING = 0.1
"""A group counts as a place where a model fails from this share of wrong answers."""


@dataclass(frozen=True)
class Advice:
    """What to do next with one model.

    Attributes:
        first: The first thing, in a few words.
        more: What belongs to it, a sentence each.
    """

    first: str
    more: tuple[str, ...] = ()


def badge(verdict: Verdict, context: str) -> str:
    """Return the verdict in two or three words, such as "Biased by water"."""
    told = BADGES[verdict.kind]
    return f"{told} by {context}" if verdict.kind == "biased" else told


def headline(verdicts: Sequence[Verdict | None], context: str) -> str:
    """Return one sentence on the models of an audit together; "" where none has a verdict."""
    known = [verdict for verdict in verdicts if verdict is not None]
    counts = [(kind, sum(one.kind == kind for one in known)) for kind in BADGES]
    if not known:
        return ""
    if len(known) == 1:
        kind = known[0].kind
        return {
            "biased": f"This model is biased by {context}.",
            "no_bias_shown": f"No bias by {context} is shown in this model.",
            "cannot_tell": f"This audit cannot tell whether {context} biases the model.",
        }[kind]
    counted = [(badge_of(kind, context), n) for kind, n in counts if n]
    (first, n), *rest = counted
    told = [f"{first}: {n} of {len(known)} models", *(f"{name.lower()}: {n}" for name, n in rest)]
    return "; ".join(told)


def badge_of(kind: VerdictKind, context: str) -> str:
    """Return the badge of a kind of verdict."""
    return f"{BADGES[kind]} by {context}" if kind == "biased" else BADGES[kind]


def effect_explained(object: str, context: str) -> str:
    """Say what the effect of the context counts."""
    return f"Effect: how many points more often “{object}” is answered with {context} than without."


def phrase(group: str, object: str, context: str) -> str:
    """Return a group's name as it reads in a sentence."""
    if group == "neither":
        return f"neither {object} nor {context}"
    if "-with" not in group and group.startswith(f"{object}-"):  # an edit, such as boat-removed
        return f"{object} {group.removeprefix(f'{object}-').replace('-', ' ')}"
    return group.replace("-without-", " without ").replace("-with-", " with ")


def advice(run: Run, split: Split, costs: Sequence[str] = ()) -> Advice | None:
    """Return what to do next with a model; None where it has no verdict.

    Args:
        run: The model's figures.
        split: Its share of the audited split.
        costs: What is shown to be worse than in the model that it is compared with.
    """
    verdict, context = split.verdict, split.context or run.context or "the context"
    if verdict is None:
        return None
    if verdict.kind == "biased":
        return _biased(run, split, verdict, context)
    if verdict.kind == "no_bias_shown":
        return _acquitted(run, split, context, costs)
    return _undecided(run, split, verdict, context)


def _biased(run: Run, split: Split, verdict: Verdict, context: str) -> Advice:
    where = _failing(run, split, context)
    alone = where[0][0] if len(where) == 1 else ""
    place = f"on {alone}" if alone else f"where {run.object} and {context} part"
    told = tuple(text for _, text in where)
    spent = run.pixel_labels + run.box_labels
    against = verdict.effect_ci is not None and verdict.effect_ci[1] < 0
    if "repair" in run.settings:
        what = "repair it with fewer labels" if against else "repair it with more labels"
        remedy = (
            f"The repair with {spent} labels {'went too far' if against else 'did not suffice'}."
        )
    elif spent:
        what, remedy = "repair it", f"Training with {spent} labels did not suffice."
    else:
        what, remedy = "repair it", "Then audit the repaired model on the same images."
    if against:
        remedy = f"It answers against {context}. {remedy}"
    return Advice(f"do not deploy it {place}; {what}", (*told, remedy))


def _acquitted(run: Run, split: Split, context: str, costs: Sequence[str]) -> Advice:
    where = _failing(run, split, context)
    more = tuple(text for _, text in where)
    if costs:
        return Advice("weigh what it costs before you deploy it", (*costs, *more))
    if where:
        names = _joined([name for name, _ in where], "or")
        return Advice(f"look at its errors on {names}", more)
    told = f"Nothing here speaks against it on images like these; only {context} was audited."
    return Advice("audit other suspected contexts, then deploy it", (told,))


def _undecided(run: Run, split: Split, verdict: Verdict, context: str) -> Advice:
    until = f"Until then, do not rely on it where {run.object} and {context} part."
    empty = [name for name, group in verdict.groups.items() if not group.n]
    if verdict.effect is None:
        if empty and verdict.evidence == "none" and verdict.pairs is None:
            names = _joined([phrase(name, run.object, context) for name in empty], "and")
            return Advice(f"collect images of {names}", (until,))
        told = f"Images with and without {context} must come from one source, for both answers."
        return Advice(
            f"collect comparable images, or audit edited pairs of {run.object}", (told, until)
        )
    if not verdict.knows_object:
        return Advice("train it longer or on more images", ("It knows too little to be judged.",))
    if verdict.evidence == "edited pairs":
        n = 0 if verdict.pairs is None else verdict.pairs.n
        first = f"outline more images of {run.object}, to make more edited pairs"
        return Advice(first, (f"It rests on {n} images and their edits.", until))
    short = lacking(verdict)
    if not short:
        told = "At the rates seen, more images would not decide: the effect lies at the margin."
        return Advice("judge it by its effect", (told,))
    needed = verdict.images_needed
    listed = f": {_lists(short, run, context)}" if len(short) > 2 else ""
    told = f"{needed} images a group would decide at the rates seen{listed}."
    return Advice(f"annotate {_wanted(short, run.object, context)}", (told, until))


def lacking(verdict: Verdict) -> dict[str, int]:
    """Return how many images each group lacks, at the rates seen, for a verdict.

    From :attr:`biasaudit.results.Verdict.images_needed`, which holds for groups of one size.
    """
    needed = verdict.images_needed or 0
    return {name: needed - group.n for name, group in verdict.groups.items() if group.n < needed}


def _wanted(short: Mapping[str, int], object: str, context: str) -> str:
    if len(short) > 2:
        least, most = min(short.values()), max(short.values())
        span = f"{least}" if least == most else f"{least} to {most}"
        return f"{span} more images of each of {len(short)} groups"
    parts = [f"{n} more {phrase(name, object, context)}" for name, n in short.items()]
    return _joined(parts, "and")


def _lists(short: Mapping[str, int], run: Run, context: str) -> str:
    return ", ".join(f"{n} more {phrase(name, run.object, context)}" for name, n in short.items())


def _failing(run: Run, split: Split, context: str) -> list[tuple[str, str]]:
    """Return the conflicting groups where the model fails: their names, and how."""
    found = {
        name: group
        for name, group in split.groups.items()
        if group.alignment == "conflicting" and group.accuracy is not None
    }
    # 1 - .9 is a little less than .1
    wrong = {name: round(1 - (group.accuracy or 0.0), 9) for name, group in found.items()}
    failing = {name: group for name, group in found.items() if wrong[name] >= FAILING}
    return [
        (phrase(name, run.object, context), _fails(group, phrase(name, run.object, context), run))
        for name, group in failing.items()
    ]


def _fails(group: Group, name: str, run: Run) -> str:
    wrong = round((1 - (group.accuracy or 0.0)) * group.n)
    if group.answer:
        return f"It misses the {run.object} in {wrong} of {group.n} images of {name}."
    return f"It sees a {run.object} in {wrong} of {group.n} images of {name}."


def _joined(names: Sequence[str], word: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
