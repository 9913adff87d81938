"""Sentences that claim what the intervals bear, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from biasaudit.analysis.verdict_text import beside
from biasaudit.report.format import Estimate, figure, images_told, percent, points, span
from biasaudit.report.sections.changes import Change
from biasaudit.report.sections.excess import ExcessRow
from biasaudit.report.sections.images import Images
from biasaudit.report.sections.localization import localization
from biasaudit.report.sections.seeds import SeedRow, Spread, over_seeds
from biasaudit.report.view import VAL, AuditView, Column
from biasaudit.results import Verdict

EDITS = {
    "removed": "the {0} removed and its place filled in",
    "on-other-ground": "the {0} pasted on a picture without {1}",
    "on-context-ground": "the {0} pasted on another picture with {1}",
    "patch-on-other-ground": "a picture without {1}, filled anew in the shape of the {0}",
    "patch-on-context-ground": "a picture with {1}, filled anew in the shape of the {0}",
    "context-replaced": "all but the {0} replaced by a picture without {1}",
    "alone": "the {0} alone, all else in one colour",
    "blackened": "the {0} blackened",
}
"""What was done to the images of an edited group, by the end of its name."""


def verdict(audit: AuditView) -> str:
    """Return the audit's headline: one sentence with its figures.

    A verdict that the evaluation itself recorded (the split's ``verdict``) leads; the figures
    follow. Without one, the sentence states accuracy against a constant answer and against
    val, and calls a difference one only where the intervals do not touch.
    """
    place = lead_place(audit)
    estimate, label = audit.overall()[place], audit.columns[place].label
    if estimate.value is None:
        return (
            f"No verdict on {audit.object}: these results hold no images but val, so they do not "
            "show whether the classifier leans on a context."
        )
    recorded = _verdict_of(audit, place)
    told = "" if recorded is None else recorded.headline
    body = f"{_where(audit)}, {label} {_rate(audit, estimate)}"
    body += _against_baseline(audit, estimate) + _against_val(audit.val()[place], estimate)
    return f"{audit.object}: {told}. {body}." if told else f"{body}."


def followup(audit: AuditView, changes: Sequence[Change | None]) -> list[str]:
    """Return the sentences below the headline: the best other run, and the attention.

    Args:
        audit: The audit.
        changes: Its runs against the lead run, as ``changes_against`` gives them.
    """
    lead = lead_place(audit)
    overall = audit.overall()
    others = [i for i, e in enumerate(overall) if i != lead and e.value is not None]
    recorded = _verdict_of(audit, lead)
    sentences = [] if recorded is None else [recorded.reason, *beside(recorded)]
    spread = _over_seeds(audit, lead)
    if spread:
        sentences.append(spread)
    elif others and overall[lead].value is not None:
        best = max(others, key=lambda i: (overall[i].value or 0.0, -i))
        sentences.append(_best(audit, lead, best, changes[best], len(others)))
    sentences += _attention(audit, lead)
    if audit.split is None and audit.pools:
        sentences.append(
            f"No groups part {audit.object} from a context here: a fall from val to {audit.target} "
            "shows that the classifier reads what those images lack, not what that is."
        )
    return sentences


def lead_place(audit: AuditView) -> int:
    """Return the column that the headline speaks of: the baseline, or else the first run."""
    modes = [column.run.mode for column in audit.columns]
    plain = [place for place, mode in enumerate(modes) if mode.startswith("baseline")]
    return modes.index("baseline") if "baseline" in modes else next(iter(plain), 0)


def group_description(audit: AuditView, name: str) -> str:
    """Return how a group is made, from its name and its answer."""
    with_it, found, without = name.partition("-without-")
    answer = audit.answer(name)
    told = "" if answer is None else f" The right answer is {'yes' if answer else 'no'}."
    edit = EDITS.get(name.removeprefix(f"{audit.object}-"))
    if edit is not None:
        return f"Edited images: {edit.format(audit.object, audit.context)}.{told}"
    together, also, context = name.partition("-with-")
    if also:
        return f"Images that show {together} and {context}.{told}"
    if name == "neither":
        return f"Images that show neither {audit.object} nor {audit.context}.{told}"
    if not found:
        return f"Images of the {'group' if audit.groups else 'subset'} “{name}”.{told}"
    return f"Images that show {with_it} and no {without}.{told}"


def run_notes(columns: Sequence[Column]) -> list[str]:
    """Return a plain sentence for each run whose files do not allow the whole report."""
    notes = []
    for column in columns:
        found = column.audit
        if (skipped := found.run.skipped) is not None:
            images = images_told(skipped.n)
            notes.append(f"{column.label}: {images} could not be read and were left out.")
        if found.per_image is None:
            notes.append(
                f"{column.label}: no per_image.csv lies beside its results, so its single images "
                "and its four quadrants are not shown."
            )
        elif found.pictures is None:
            notes.append(
                f"{column.label}: no gallery.npz lies beside its results, so its attention maps "
                "are not shown."
            )
    return notes


def level(audit: AuditView) -> str:
    """Return the confidence level of the verdicts' intervals, such as "95%"."""
    found = [split.verdict.level for split in audit.splits() if split and split.verdict]
    return f"{100 * next(iter(found), 0.95):.4g}%"


def read_excess(audit: AuditView, rows: Sequence[ExcessRow]) -> str:
    """Return how to read the attention beyond chance, with the numbers of images."""
    told = "0 is what an even map would score. A model that finds the "
    told += f"{audit.object} by the {audit.context or 'context'} looks right of 0 at the "
    told += f"{audit.context or 'context'}. "
    few = [
        f"{row.label} {row.object.n} of {row.object_of}"
        for row in rows
        if row.object.value is not None and row.object.n < row.object_of
    ]
    sizes = {row.object_of for row in rows if row.object_of}
    if few:
        return f"{told}Images with a map: {', '.join(few)}."
    return f"{told}Each figure rests on {max(sizes, default=0)} images."


def read_gallery(audit: AuditView, images: Images, changed: bool) -> str:
    """Return how to read the gallery; ``changed``: it shows the images that two runs part on."""
    kind = "group" if audit.groups else "subset"
    told = (
        "Images that one run gets right and the other wrong, those with the least probable right "
        "answers first."
        if changed
        else f"The same image for every run, the worst of each {kind} first: wrong in most runs, "
        "then the lowest probability of the right answer."
    )
    told += (
        f" Each tile gives the run's answer, the probability of “{audit.object}” and the share of "
        "its attention inside the region."
    )
    if images.pictured < images.total:
        told += f" Pictures are kept of {images.pictured} of the {images.total} images."
    return told


def read_list(audit: AuditView, images: Images, changed: bool) -> str:
    """Return how to read the table of single images."""
    kind = "changed images" if changed else "counterfactual images" if audit.groups else "images"
    shown = len(images.listed)
    told = f"All {images.total} {kind}."
    if shown < images.total:
        told = f"{shown} of the {images.total} {kind}, the worst first; "
        told += "per_image.csv holds the others."
    return f"{told} One column a run: probability of “{audit.object}”, ✓ right or ✗ wrong."


def _verdict_of(audit: AuditView, place: int) -> Verdict | None:
    split = audit.splits()[place]
    return None if split is None else split.verdict


def _where(audit: AuditView) -> str:
    if audit.split is None:
        return f"{audit.object}: on {audit.target}"
    if audit.context is None:
        return "On the counterfactual images"
    return f"Where {audit.object} and {audit.context} part"


def _rate(audit: AuditView, estimate: Estimate) -> str:
    split = next(s for s in audit.splits() if s is not None)
    sizes = {split.groups[name].n for name in audit.groups if name in split.groups}
    if not sizes:
        return f"gets {figure(estimate)} of the {estimate.n} images right"
    if len(sizes) == 1:
        return f"gets {figure(estimate)} of the {estimate.n} counterfactual images right"
    return (
        f"scores {figure(estimate)} on the {estimate.n} counterfactual images (mean of the groups)"
    )


def _against_baseline(audit: AuditView, estimate: Estimate) -> str:
    constant_baseline = audit.constant_baseline()
    if constant_baseline is None:
        return ""
    if estimate.below(constant_baseline):
        return f", less than a constant answer ({percent(constant_baseline)})"
    if estimate.above(constant_baseline):
        return f", more than a constant answer ({percent(constant_baseline)})"
    return f", which a constant answer ({percent(constant_baseline)}) might score too"


def _against_val(val: Estimate, estimate: Estimate) -> str:
    if val.value is None:
        return ""
    if estimate.below(val):
        return f", against {figure(val)} on val"
    return f"; on val it scores {figure(val)}, and the intervals overlap"


def _over_seeds(audit: AuditView, lead: int) -> str:
    """Return the means of the lead setting and of the best other one, or "" without seeds."""
    keys = [row.key for row in audit.table()]
    if "overall" not in keys:
        return ""
    place = keys.index("overall")
    rows = [(row, row.spreads[place]) for row in over_seeds(audit)]
    known = [(row, spread) for row, spread in rows if spread is not None]
    first = [(row, spread) for row, spread in known if lead in row.columns]
    others = [(row, spread) for row, spread in known if lead not in row.columns]
    if not first:
        return ""
    told = f"Over the seeds, {_mean(*first[0])}"
    if not others:
        return f"{told}."
    best = max(others, key=lambda pair: pair[1].mean)
    opening = f"of the {len(others)} other settings, " if len(others) > 1 else ""
    return f"{told}; {opening}{_mean(*best)}{', the highest' if opening else ''}."


def _mean(row: SeedRow, spread: Spread) -> str:
    count = f"{row.seeds} run{'' if row.seeds == 1 else 's'}"
    ends = f"{percent(spread.lowest)} to {percent(spread.highest)}"
    return f"{row.label} averages {percent(spread.mean)} ({count}, {ends})"


def _best(audit: AuditView, lead: int, best: int, change: Change | None, others: int) -> str:
    name = audit.columns[best].label
    second = audit.overall()[best]
    told = f"{figure(second)}, {_against_lead(audit, lead, second, change)}."
    if others == 1:
        return f"The other run, {name}, scores {told}"
    return f"Of the {others} other runs, {name} scores highest: {told}"


def _against_lead(audit: AuditView, lead: int, second: Estimate, change: Change | None) -> str:
    """Word a difference by its interval for paired images, or else by the two intervals."""
    first, name = audit.overall()[lead], audit.columns[lead].label
    if change is not None:
        told = f"{points(change.difference.value)} points {span(change.difference)}"
        told += f" against {name} on the same images"
        return told if change.outcome != "no difference shown" else f"{told}: {change.outcome}"
    if second.above(first):
        return f"with an interval wholly above that of {name}"
    if second.below(first):
        return f"with an interval wholly below that of {name}"
    return f"with an interval that overlaps that of {name}: no difference shown"


def _attention(audit: AuditView, lead: int) -> list[str]:
    rows = [row for row in localization(audit) if row.name != VAL]
    rows = [row for row in rows if row.name == audit.target] or rows
    if not rows or rows[0].energy[lead].value is None or rows[0].area_fraction is None:
        return []
    energy = rows[0].energy[lead]
    return [
        f"In {rows[0].name}, {figure(energy)} of the attention of {audit.columns[lead].label} "
        f"falls inside the region of {audit.object}, which fills {percent(rows[0].area_fraction)} "
        "of the image."
    ]
