"""One HTML file from runs: templates, style and script in one, and nothing loaded from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from biasaudit import __version__
from biasaudit.analysis.decision_text import effect_explained
from biasaudit.analysis.quadrants import QUADRANTS
from biasaudit.errors import RunError
from biasaudit.report import cells, methods
from biasaudit.report import format as numbers
from biasaudit.report import sentences as words
from biasaudit.report.drawing import attention, charts, pictures
from biasaudit.report.glossary import glossary
from biasaudit.report.grouping import build_audits
from biasaudit.report.reading import read_classes, read_difference, read_pairs, reading
from biasaudit.report.sections import cards as decisions
from biasaudit.report.sections import limits, matrix, provenance
from biasaudit.report.sections.boxes import box_page
from biasaudit.report.sections.changes import Change, changes_against, compared_sets
from biasaudit.report.sections.classes import ClassPage, class_page
from biasaudit.report.sections.decision import ErasureRow, FlipRow, erasures, flips
from biasaudit.report.sections.excess import excess, front
from biasaudit.report.sections.images import Images, build_images
from biasaudit.report.sections.limits import Carry
from biasaudit.report.sections.localization import LocalizationRow, localization
from biasaudit.report.sections.operating_point import operating_point
from biasaudit.report.sections.pairs import PairGuard, pair_guard
from biasaudit.report.sections.quadrants import QuadrantRow, count_quadrants
from biasaudit.report.sections.seeds import SeedRow, over_seeds
from biasaudit.report.sections.segmentation import segmentation_page
from biasaudit.report.sections.telling import Telling, partner, telling
from biasaudit.report.view import AuditView, Row, group_words
from biasaudit.results import Audit, Beside

GALLERY_SIZE = 20
LIST_SIZE = 600
_PACKAGE = Path(__file__).parent / "templates"
_REPOSITORY = Path(__file__).parents[2] / "reports" / "templates"


@dataclass(frozen=True)
class Page:
    """Everything that the template shows of one audit.

    Attributes:
        prefix: Begins every anchor of this audit; empty for the first.
        headline: The verdicts in one sentence; "" where none is recorded.
        cards: The decision on each model.
        explained: What the effect on the cards counts.
        level: Confidence level of the verdicts' intervals, as text.
        identity: What the cards have in common of what tells their audits from others.
        telling: Two wrong answers that tell most.
        matrix: The four groups of object and context, and how the effect is made.
        origins: The images by subset and source, in words.
        unknown: Images whose context nobody annotated.
        read: How to read each table and plot.
        verdicts: The figures of each verdict.
        data_notes: How the images were chosen.
        carry: What so many images can show.
        changes: The runs against the lead run, where both have their images.
        flips: How often an edit turned the answer.
        classes: Recall of every class, and harm to other objects, where it was measured.
        pairs: What became of other object-context pairs, where they were audited.
        attention_charts: Plots of the attention, each with a sentence how to read it.
        erasures: How far the score falls as parts of the images are erased.
        seeds: Means over seeds, where some setting has several.
        limits: What the audit cannot tell.
        notes: Which files were missing.
    """

    audit: AuditView
    prefix: str
    headline: str
    cards: Sequence[decisions.Card]
    explained: str
    level: str
    identity: Sequence[tuple[str, str]]
    telling: Sequence[Telling]
    matrix: matrix.Matrix | None
    origins: Sequence[str]
    unknown: int
    data_notes: Sequence[str]
    read: Mapping[str, str]
    verdicts: Sequence[decisions.VerdictRow]
    verdict: str
    followup: Sequence[str]
    table: Sequence[Row]
    carry: Sequence[Carry]
    gaps: Sequence[Row]
    changes: Sequence[Change]
    flips: Sequence[FlipRow]
    classes: ClassPage | None
    pairs: PairGuard | None
    localization: Sequence[LocalizationRow]
    attention_charts: Sequence[tuple[Markup, str]]
    erasures: Sequence[ErasureRow]
    erasure_chart: Markup | None
    quadrants: Sequence[QuadrantRow]
    seeds: Sequence[SeedRow]
    images: Images
    curve: Markup | None
    gap_chart: Markup | None
    limits: Sequence[str]
    notes: Sequence[str]

    @property
    def contents(self) -> list[tuple[str, str]]:
        """Anchor and name of each section."""
        curve = [("labels", "Labels" if self.curve else "Seeds")]
        return [
            ("verdict", "Decision"),
            ("table", "Accuracy"),
            *(curve if self.curve or self.seeds else []),
            ("gaps", "Changes and cost"),
            ("attention", "Attention"),
            ("quadrants", "Quadrants"),
            ("gallery", "Gallery"),
            ("images", "Every image"),
            ("data", "Data"),
            ("method", "Method"),
            ("limits", "Limits"),
        ]

    @property
    def metrics(self) -> list[str]:
        """Heads of the columns of plug-ins' metrics in the attention table."""
        return [f"#{name}" for name in self.localization[0].metrics] if self.localization else []


def render_html(
    runs: Sequence[Audit],
    gallery_size: int = GALLERY_SIZE,
    title: str | None = None,
    beside: Beside | None = None,
) -> str:
    """Return the report as one HTML document that needs no network.

    The same runs give the same text.

    Args:
        runs: From :func:`biasaudit.results.load_audits`.
        gallery_size: How many images of each group the gallery shows, the worst first.
        title: The page's title; object, context and dataset where None.
        beside: What else was measured.

    Raises:
        RunError: Nothing is given.
    """
    beside = beside or Beside()
    audits = audits_of(runs, beside)
    # Runs with several splits share their columns, and their other pairs are told once.
    before = [None, *(audit.columns for audit in audits)]
    pages = [
        _page(audit, gallery_size, first=audit.columns is not columns)
        for audit, columns in zip(audits, before, strict=False)
    ]
    boxes = box_page(runs, beside.localizations)
    masks = segmentation_page(beside.segmentations, runs)
    return render_template(
        "audit.html.j2",
        title=title or (default_title(audits) if audits else "Boxes and masks from attention"),
        pages=pages,
        boxes=boxes,
        masks=masks,
        glossary=glossary(audits, boxes=boxes is not None, masks=masks is not None),
    )


def render_template(name: str, **fields: Any) -> str:
    """Return a page: a template that extends ``base.html.j2``, with style and script inside.

    Args:
        name: The template.
        fields: What it shows; ``title`` among them.
    """
    environment = _environment()
    script = _asset(environment, "report.js")
    return environment.get_template(name).render(
        **fields,
        version=__version__,
        style=Markup(_asset(environment, "report.css")),
        script=Markup(script),
        script_hash=_sha256(script),
    )


def audits_of(runs: Sequence[Audit], beside: Beside | None = None) -> list[AuditView]:
    """Return the audits of these runs.

    Raises:
        RunError: No run is given, and nothing beside them.
    """
    if not runs and (beside is None or beside == Beside()):
        raise RunError("no run to report on", "name a run's folder or a results.json")
    return build_audits(runs)


def default_title(audits: Sequence[AuditView]) -> str:
    """Return a title that names what was audited."""
    first = audits[0]
    return f"Bias audit: {first.object}" + (f" and {first.context}" if first.context else "")


def _page(audit: AuditView, gallery_size: int, *, first: bool) -> Page:
    """Build one page; ``first`` says that no page before it has the same runs."""
    prefix = "" if audit.number == 1 else f"a{audit.number}-"
    lead = words.lead_place(audit)
    places = localization(audit)
    changes = changes_against(audit, lead)
    erased = erasures(audit)
    return Page(
        audit=audit,
        prefix=prefix,
        read=reading(audit, audit.columns[lead].label, boxes=charts.by_boxes(audit)),
        verdicts=decisions.verdict_rows(audit),
        **_first_layer(audit, lead),
        verdict=words.verdict(audit),
        followup=words.followup(audit, changes),
        table=audit.table(),
        carry=limits.carry(audit),
        gaps=audit.gaps(),
        changes=[change for change in changes if change is not None],
        flips=flips(audit),
        classes=class_page(audit, lead) if first else None,
        pairs=pair_guard(audit, lead) if first else None,
        localization=places,
        attention_charts=_attention_charts(audit, places, prefix),
        erasures=erased,
        erasure_chart=attention.erasure_chart(erased, audit.object, audit.context, f"{prefix}c6"),
        quadrants=count_quadrants(audit),
        seeds=over_seeds(audit),
        images=build_images(audit, gallery_size, LIST_SIZE),
        curve=charts.label_curve(audit, f"{prefix}c1"),
        gap_chart=charts.gap_chart(audit, f"{prefix}c2"),
        limits=limits.limits(audit),
        notes=words.run_notes(audit.columns),
    )


def _first_layer(audit: AuditView, lead: int) -> dict[str, Any]:
    """Return what the first page shows."""
    made, shared = decisions.common_identity(decisions.cards(audit, lead))
    other = partner(audit, lead)
    found = matrix.origins(audit)
    return {
        "headline": decisions.page_headline(audit),
        "cards": made,
        "explained": effect_explained(audit.object, audit.context or "the context"),
        "level": words.level(audit),
        "identity": shared,
        "telling": telling(audit, lead) if made else [],
        "matrix": matrix.matrix(audit, [lead] if other is None else [lead, other]),
        "origins": [matrix.origin_words(audit, one) for one in found],
        "unknown": matrix.unknown(found),
        "data_notes": matrix.notes(audit),
    }


def _attention_charts(
    audit: AuditView, places: Sequence[LocalizationRow], prefix: str
) -> list[tuple[Markup, str]]:
    """Return the plots of the attention, each with a sentence how to read it."""
    labels = [column.label for column in audit.columns]
    rows = excess(audit)
    found = [
        (
            attention.excess_chart(rows, audit.object, audit.context, f"{prefix}c4"),
            words.read_excess(audit, rows),
        ),
        (
            None if rows else charts.localization_chart(places, labels, f"{prefix}c3"),
            "The dashed line is the region's share of the image: an even map would score as much.",
        ),
        (
            attention.front_chart(front(audit), f"{prefix}c5"),
            "One point a run. Higher: more right answers; further right: more attention on the "
            "object. The two may part. An arrow leads from a model to its repair.",
        ),
    ]
    return [(chart, told) for chart, told in found if chart is not None]


@cache
def _environment() -> Environment:
    """Return the template environment: the installed package first, then the repository."""
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(_PACKAGE), FileSystemLoader(_REPOSITORY)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters())
    environment.globals.update(
        quadrants=QUADRANTS,
        scale_stops=pictures.scale_stops(),
        operating_point=operating_point,
        group_description=words.group_description,
        commands_of=provenance.commands,
        facts=provenance.facts,
        read_classes=read_classes,
        read_pairs=read_pairs,
        read_difference=read_difference,
        read_gallery=words.read_gallery,
        read_list=words.read_list,
        method=methods.method,
        pairs_told=methods.pairs_told,
        settings_table=provenance.settings_table,
        environment_table=provenance.environment_table,
        compared_sets=compared_sets,
        small=limits.SMALL,
    )
    return environment


def _filters() -> Mapping[str, object]:
    return {
        "percent": numbers.percent,
        "decimal": numbers.decimal,
        "points": numbers.points,
        "interval": numbers.interval,
        "figure": numbers.figure,
        "span": numbers.span,
        "words": group_words,
        "quadrant": _quadrant_words,
        "clean": numbers.clean,
        **{make.__name__: make for make in (cells.bdi, cells.row, cells.head)},
        **{make.__name__: make for make in (cells.cell, cells.num, cells.key)},
        "keep": _keep_together,
        "paragraphs": _paragraphs,
        "lead": words.lead_place,
        "x": lambda share: f"{100 * share:.4g}",
        "raw": lambda value: "" if value is None else f"{value:.6g}",
    }


def _quadrant_words(name: str) -> str:
    """Return a quadrant as a head of the table, or as a choice of the gallery."""
    answer, _, where = name.partition("-")
    mark = "✓" if answer == "right" else "✗"
    return f"{mark} {answer}, {where.replace('-', ' ')}"


def _keep_together(sentence: str) -> str:
    """Put no-break spaces into figures with intervals, ``31% [27, 36]``."""
    return re.sub(
        r"[\d.]+(?:%| points)? \[[+−\d.]+, [+−\d.]+\]",
        lambda m: m[0].replace(" ", "\N{NO-BREAK SPACE}"),
        sentence,
    )


def _paragraphs(sentences: Sequence[str]) -> Markup:
    one = Markup("<p>{}</p>\n")
    return Markup().join(one.format(_keep_together(sentence)) for sentence in sentences)


def _asset(environment: Environment, name: str) -> str:
    """Return a file of the templates as it is, without its surrounding white space."""
    if environment.loader is None:
        raise RunError("the report has no templates", "install biasaudit again")
    return environment.loader.get_source(environment, name)[0].strip()


def _sha256(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
