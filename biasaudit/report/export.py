"""The same results in other forms: Markdown for a pull request, CSV, a model card."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from biasaudit import __version__
from biasaudit.analysis.decision_text import effect_explained
from biasaudit.errors import RunError
from biasaudit.report import sentences as words
from biasaudit.report.build import audits_of
from biasaudit.report.export_beside import beside_lines, beside_summary
from biasaudit.report.format import MISSING, clean, figure, percent, points, span
from biasaudit.report.grouping import external
from biasaudit.report.markdown import grid, plain
from biasaudit.report.sections import provenance
from biasaudit.report.sections.cards import Card, cards, identity, page_headline
from biasaudit.report.sections.changes import changes_against
from biasaudit.report.sections.decision import erasures, flips
from biasaudit.report.sections.limits import carry, limits
from biasaudit.report.sections.localization import localization
from biasaudit.report.sections.matrix import notes, origin_words, origins
from biasaudit.report.view import AuditView, Column, Row, group_words
from biasaudit.results import (
    METRIC_PREFIX,
    Audit,
    Beside,
    Group,
    Interval,
    Localization,
    Overall,
    Run,
)

CSV_COLUMNS = (
    "run",
    "mode",
    "object",
    "context",
    "dataset",
    "backbone",
    "pixel_labels",
    "box_labels",
    "seed",
    "split",
    "group",
    "metric",
    "n",
    "value",
    "low",
    "high",
)

_Measure = tuple[str, int, float | None, Interval | None]


def render_markdown(runs: Sequence[Audit], beside: Beside | None = None) -> str:
    """Return verdict and Table 4 as Markdown, for a pull request.

    Args:
        runs: The audits.
        beside: What else was measured.

    Raises:
        RunError: Nothing is given.
    """
    parts = [_summary(audit) for audit in audits_of(runs, beside)]
    return "\n".join([*parts, *beside_summary(runs, beside or Beside())])


def render_csv(runs: Sequence[Audit], beside: Beside | None = None) -> str:
    """Return every figure on a line of its own, as CSV with :data:`CSV_COLUMNS`.

    A field is empty where a value does not exist. A name that a spreadsheet would read as a
    formula begins with an apostrophe.

    Args:
        runs: The audits.
        beside: What else was measured.

    Raises:
        RunError: Nothing is given.
    """
    audits_of(runs, beside)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for view in runs:
        for line in _lines(view):
            writer.writerow([_field(value) for value in line])
    for line in beside_lines(runs, beside or Beside()):
        writer.writerow([_field(value) for value in line])
    return buffer.getvalue()


def render_model_card(runs: Sequence[Audit]) -> str:
    """Return a model card in Markdown, with the sections of Mitchell et al., FAT* 2019.

    Raises:
        RunError: No audit is given.
    """
    if not runs:
        raise RunError("a model card tells of audited runs", "run 'biasaudit evaluate' on one")
    return "\n".join(_card(audit) for audit in audits_of(runs))


def _summary(audit: AuditView) -> str:
    lead = words.lead_place(audit)
    made = cards(audit, lead)
    lines = [f"### {_heading(audit)}", "", *_decisions(audit, made), ""]
    if not made:
        lines += [plain(s) for s in words.followup(audit, changes_against(audit, lead))]
    lines += ["", *_table(audit.table(), audit.columns)]
    mean = "; overall is the mean of the groups" if audit.groups else ""
    lines += ["", f"Figures in brackets are 95% intervals{mean}.", "", *_decided_by(audit)]
    lines += [f"- {plain(note)}" for note in _notes(audit)]
    return "\n".join(lines).rstrip() + "\n"


def _decisions(audit: AuditView, made: Sequence[Card]) -> list[str]:
    """Return the verdicts in one sentence, and the decision on each model as the page has it."""
    lines = [f"**{plain(page_headline(audit) or words.verdict(audit))}**"]
    if not made:
        return lines
    lines += ["", plain(effect_explained(audit.object, audit.context or "the context")), ""]
    for card in made:
        effect = f"{points(card.effect.value)} points {span(card.effect)}".rstrip()
        if card.effect.value is None:
            effect = "not measured"
        lines.append(
            f"- **{plain(card.label)}**: {plain(card.mark)} {plain(card.badge)}; effect {effect}"
        )
        if card.advice is not None:
            lines.append(f"  - next: {plain(card.advice.first)}")
            lines += [f"  - {plain(told)}" for told in card.advice.more]
        lines += [f"  - {name}: {plain(told)}" for name, told in card.costs]
        lines.append(f"  - gates: {plain('; '.join(card.gates) or 'none set')}")
    return [*lines, "", plain(words.verdict(audit))]


def _decided_by(audit: AuditView) -> list[str]:
    """Return flips of edited pairs and perturbation, as tables."""
    lines: list[str] = []
    if rows := flips(audit):
        told = [
            [
                row.group,
                row.label,
                *(f"{figure(e)} of {e.n}" for e in (row.yes_to_no, row.no_to_yes)),
            ]
            for row in rows
        ]
        lines += ["Flips of edited pairs:", ""]
        lines += [*grid(["edited images", "run", "yes to no", "no to yes"], told), ""]
    if erased := erasures(audit):
        heads = ["images", "run", "n", "without attention", "without random pixels"]
        heads += [f"without {audit.object}", f"without {audit.context or 'context'}", "excess"]
        told = [
            [
                *(row.split, row.label, str(row.n), points(row.attention), points(row.random)),
                *(points(row.object), points(row.context)),
                f"{points(row.excess.value)} {span(row.excess)}".rstrip(),
            ]
            for row in erased
        ]
        lines += ["Perturbation, change of the probability in points:", ""]
        lines += [*grid(heads, told), ""]
    return lines


def _notes(audit: AuditView) -> list[str]:
    return [*notes(audit), *words.run_notes(audit.columns)]


def _card(audit: AuditView) -> str:
    lines = [f"# Model card: {_heading(audit)}", "", "## Model details", ""]
    for column in audit.columns:
        lines += [*_details(audit, column), ""]
    lines += ["## Intended use", "", _use(audit), "", "## Metrics", ""]
    mean = "Overall is the mean of the accuracies of the counterfactual groups. "
    place = f"split {audit.split}" if audit.split else f"subsets {', '.join(audit.image_sets)}"
    lines += [
        f"Accuracy counts a score above 0 as yes. {mean if audit.groups else ''}Brackets hold 95% "
        "intervals.",
        "",
        "## Evaluation data",
        "",
        f"Dataset {plain(audit.dataset)}, {plain(place)}.",
        "",
    ]
    lines += [
        f"- {plain(group_words(name))}: {plain(words.group_description(audit, name))}"
        for name in (*audit.groups, *audit.aligned)
    ]
    lines += [f"- {plain(origin_words(audit, one))}" for one in origins(audit)]
    lines += [f"- {plain(note)}" for note in _notes(audit)]
    if carried := carry(audit):
        lines += ["", "What so many images can show:", ""]
        lines += [f"- {plain(one.sentence)}" for one in carried]
    decided = _decisions(audit, cards(audit, words.lead_place(audit)))
    lines += ["", "## Results", "", *decided, ""]
    lines += [*_table(audit.table(), audit.columns), ""]
    if audit.gaps():
        lines += ["In percentage points:", "", *_table(audit.gaps(), audit.columns), ""]
    lines += [*_decided_by(audit), *_attention(audit), "## Caveats", ""]
    lines += [f"- {plain(sentence)}" for sentence in limits(audit)]
    lines += ["", f"Written by biasaudit {__version__}.", ""]
    return "\n".join(lines)


def _details(audit: AuditView, column: Column) -> list[str]:
    run = column.run
    lines = [f"### {plain(column.label)}", "", f"- name: {plain(run.name)}"]
    if external(run):
        repaired = "" if "repair" not in run.settings else ", its last layer repaired here"
        lines += [
            f"- architecture: {plain(run.backbone)}; trained elsewhere{repaired}",
            f"- audited on: {plain(run.dataset)}; its training data is not known here",
        ]
    else:
        lines += [
            f"- backbone: {plain(run.backbone)}; mode: {plain(run.mode)}; seed: {run.seed}",
            f"- training data: {plain(_trained_on(run))}; audited on: {plain(run.dataset)}",
        ]
    if run.pixel_labels + run.box_labels or not external(run):
        lines.append(
            f"- pixel labels: {run.pixel_labels}; box labels: {run.box_labels}; "
            f"by form: {plain(provenance.label_forms(run))}"
        )
    lines += [f"- {name}: {plain(told)}" for name, told in identity(column.audit)]
    return [*lines, "", *_fence(provenance.commands(run, audit.split))]


def _trained_on(run: Run) -> str:
    """Return the dataset that a run was trained on, without the folders above it."""
    data = run.settings.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return PurePath(str(name)).name if name else run.dataset


def _use(audit: AuditView) -> str:
    return (
        f"This card records how the classifier answers for {plain(audit.object)} where the "
        "usual context is missing. It speaks for no other class and no other source of images."
    )


def _attention(audit: AuditView) -> list[str]:
    rows = localization(audit)
    if not rows:
        return []
    heads = ["images", *[column.label for column in audit.columns], "region's area"]
    lines = [
        [row.name, *[figure(entry) for entry in row.energy], percent(row.area_fraction)]
        for row in rows
    ]
    return [f"Attention inside the region of {plain(audit.object)}:", "", *grid(heads, lines), ""]


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    heads = ["images", "n", *[column.label for column in columns]]
    lines = [
        [
            f"{row.name} ({row.note})" if row.note else row.name,
            MISSING if row.n is None else str(row.n),
            *[_entry(row, place) for place in range(len(columns))],
        ]
        for row in rows
    ]
    return grid(heads, lines)


def _entry(row: Row, place: int) -> str:
    entry = row.entries[place]
    if row.kind != "gap":
        return figure(entry, row.kind)
    return f"{points(entry.value)} {span(entry)}".rstrip()


def _heading(audit: AuditView) -> str:
    context = f" and {audit.context}" if audit.context else ""
    return plain(f"{audit.object}{context}, {audit.dataset}")


def _fence(lines: Sequence[str]) -> list[str]:
    """Return a code block whose fence is longer than any run of backticks inside."""
    texts = [" ".join(line.splitlines()) for line in lines]
    longest = max((len(run) for text in texts for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}sh", *texts, fence]


def _lines(view: Audit) -> Iterator[list[object]]:
    run = view.run
    names = (run.name, run.mode, run.object, run.context, run.dataset, run.backbone)
    head = (*names, run.pixel_labels, run.box_labels, run.seed)
    for name, split in run.splits.items():
        parts: dict[str, Overall | Group] = {"": split.overall, **split.groups}
        for group, part in parts.items():
            for metric, n, value, interval in _measures(part):
                low, high = interval or (None, None)
                if value is not None:
                    yield [*head, name, group, metric, n, value, low, high]


def _measures(part: Overall | Group) -> Iterator[_Measure]:
    yield "accuracy", part.n, part.accuracy, part.accuracy_ci
    yield (
        "accuracy_at_operating_point",
        part.n,
        part.accuracy_at_operating_point,
        part.accuracy_at_operating_point_ci,
    )
    if isinstance(part, Overall):
        yield "auroc", part.n, part.auroc, part.auroc_ci
        yield "constant_baseline", part.n, part.constant_baseline, None
    yield from _localization_measures(part.attention)


def _localization_measures(found: Localization) -> Iterator[_Measure]:
    n = found.n_valid
    yield "energy_pointing_game", n, found.energy_pointing_game, found.energy_pointing_game_ci
    yield "iou", n, found.iou, found.iou_ci
    yield "area_fraction", n, found.area_fraction, None
    for name, metric in found.metrics.items():
        yield f"{METRIC_PREFIX}{name}", metric.n, metric.mean, metric.mean_ci


def _field(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, str):
        name = clean(value) if value else ""
        return f"'{name}" if name[:1] in tuple("=+-@") else name
    return value
