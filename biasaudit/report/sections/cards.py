"""The decision on each model: what the first page shows of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from biasaudit.analysis import ClassHarm
from biasaudit.analysis.cost import Cost, ValCost, cost_of
from biasaudit.analysis.decision_text import Advice, advice, badge, headline
from biasaudit.analysis.harm import p_words
from biasaudit.analysis.origins import images_digest
from biasaudit.report.format import Estimate, figure, points, span
from biasaudit.report.view import AuditView, Column
from biasaudit.results import Audit, GateRecord, Run, Split, Verdict

MARKS = {"biased": "✗", "no_bias_shown": "✓", "cannot_tell": "?"}
DIGITS = 12
"""Digits of a digest that are shown."""


@dataclass(frozen=True)
class Card:
    """One model on the first page.

    Attributes:
        label: The run, or the model's own name.
        kind: Of the verdict; "" without one.
        mark: A sign beside the words, so that colour alone says nothing.
        badge: The verdict in two or three words.
        effect: Of the context on the share of yes answers, in [-1, 1].
        advice: What to do next; None without a verdict.
        costs: Name and text of each cost.
        gates: The limits that were set, a line each with its mark.
        identity: Name and text of what tells this audit from another.
    """

    label: str
    kind: str
    mark: str
    badge: str
    effect: Estimate
    advice: Advice | None
    costs: Sequence[tuple[str, str]]
    gates: Sequence[str]
    identity: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class VerdictRow:
    """The figures of one verdict, each in [-1, 1].

    Attributes:
        label: The run.
        badge: The verdict.
        effect: Mean of the two parts.
        there: On images with the object.
        absent: On images without it.
        p_value: As text.
        evidence: What it rests on.
    """

    label: str
    badge: str
    effect: Estimate
    there: Estimate
    absent: Estimate
    p_value: str
    evidence: str


def verdict_rows(audit: AuditView) -> list[VerdictRow]:
    """Return the figures of each run's verdict."""
    return [
        _verdict_row(audit, column.label, split.verdict)
        for column, split in zip(audit.columns, audit.splits(), strict=True)
        if split is not None and split.verdict is not None
    ]


def _verdict_row(audit: AuditView, label: str, verdict: Verdict) -> VerdictRow:
    parts = [verdict.by_answer.get(answer) for answer in ("yes", "no")]
    there, absent = (
        Estimate(None) if one is None else Estimate.of(one.effect, one.effect_ci, 0)
        for one in parts
    )
    rests = ", ".join(verdict.strata) if verdict.evidence == "same-subset groups" else ""
    counted = sum(group.n for group in verdict.groups.values())
    if verdict.evidence == "edited pairs" and verdict.pairs is not None:
        rests, counted = "edited pairs", verdict.pairs.n
    return VerdictRow(
        label,
        badge(verdict, audit.context or "the context"),
        Estimate.of(verdict.effect, verdict.effect_ci, 0),
        there,
        absent,
        "–" if verdict.p_value is None else p_words(verdict.p_value),
        f"{counted} images: {rests}" if rests else "no evidence",
    )


def page_headline(audit: AuditView) -> str:
    """Return the verdicts of an audit in one sentence; "" where there is none."""
    context = audit.context or "the context"
    return headline([None if one is None else one.verdict for one in audit.splits()], context)


def cards(audit: AuditView, lead: int) -> list[Card]:
    """Return a card for each run that has a verdict.

    Args:
        audit: The audit.
        lead: Column of the run that the others' costs are counted against.
    """
    first = audit.columns[lead]
    return [
        _card(audit, column, split, split.verdict, None if place == lead else first)
        for place, (column, split) in enumerate(zip(audit.columns, audit.splits(), strict=True))
        if split is not None and split.verdict is not None
    ]


def common_identity(made: Sequence[Card]) -> tuple[list[Card], list[tuple[str, str]]]:
    """Take from several cards what all have in common of their identity.

    Returns:
        The cards without it, and what it is; one card alone keeps all of its own.
    """
    if len(made) < 2:
        return list(made), []
    shared = [one for one in made[0].identity if all(one in card.identity for card in made)]
    kept = [
        replace(card, identity=[one for one in card.identity if one not in shared]) for card in made
    ]
    return kept, shared


def _card(
    audit: AuditView, column: Column, split: Split, verdict: Verdict, lead: Column | None
) -> Card:
    context = audit.context or "the context"
    cost = None if lead is None else cost_of(lead.audit, column.audit)
    return Card(
        column.label,
        verdict.kind,
        MARKS[verdict.kind],
        badge(verdict, context),
        Estimate.of(verdict.effect, verdict.effect_ci, 0),
        advice(column.run, split, [] if cost is None else cost.shown),
        _costs(column.run, lead, cost),
        [_gate(gate) for gate in column.run.gates],
        identity(column.audit),
    )


def _gate(gate: GateRecord) -> str:
    """Return a gate in short: what was measured, and the limit."""
    told = gate.line.removeprefix("pass").removeprefix("FAIL").strip()
    told = re.sub(r" \[[^]]*\]|, held against [^)]*", "", told)
    return f"{'✓ passed' if gate.passed else '✗ failed'}: {told}"


def _costs(run: Run, lead: Column | None, cost: Cost | None) -> list[tuple[str, str]]:
    val = run.splits.get("val")
    found = []
    if val is not None:
        told = figure(Estimate.of(val.overall.accuracy, val.overall.accuracy_ci, val.overall.n))
        if lead is not None and cost is not None and cost.val is not None:
            told += f"; {_change(cost.val)} against {lead.label}"
        found.append(("val", told))
    if lead is None:
        return found
    if cost is not None and cost.harm is not None:
        found.append(("others", _harm(cost.harm)))
    else:
        found.append(("others", "other classes not measured"))
    spent = run.pixel_labels + run.box_labels
    if spent:
        found.append(("labels", f"{spent} images outlined"))
    return found


def _change(cost: ValCost) -> str:
    change = Estimate(cost.difference, *cost.interval, cost.n)
    same = ", no difference shown" if cost.outcome == "no difference shown" else ""
    return f"{points(change.value)} points {span(change)}{same}"


def _harm(found: ClassHarm) -> str:
    """Say in a few words what became of the images of other objects."""
    pooled = found.pooled
    shown = "" if found.shown else ", no harm shown"
    return (
        f"{pooled.worse} of {pooled.n} images of other objects turned wrong, "
        f"{pooled.better} right{shown}"
    )


def identity(audit: Audit) -> list[tuple[str, str]]:
    """Return what tells an audit from another: day, weights, images, program."""
    run = audit.run
    images = None if audit.per_image is None else images_digest(audit.per_image)
    found = [
        ("audited", run.audited_on),
        ("weights", _short(run.weights_sha256)),
        ("images and labels", _short(images)),
        ("program", run.audited_by),
    ]
    return [(name, told or "not recorded") for name, told in found]


def _short(digest: str | None) -> str | None:
    return None if digest is None else f"sha256 {digest[:DIGITS]}…"
