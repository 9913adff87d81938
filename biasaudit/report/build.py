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
from biasaudit.analysis.quadrants import ENRICHMENT, MOST, QUADRANTS
from biasaudit.errors import RunError
from biasaudit.report import format as numbers
from biasaudit.report import sentences as words
from biasaudit.report.drawing import charts, pictures
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections import limits, provenance
from biasaudit.report.sections.changes import Change, changes_against, compared_sets
from biasaudit.report.sections.classes import ClassPage, class_page
from biasaudit.report.sections.decision import ErasureRow, FlipRow, erasures, flips
from biasaudit.report.sections.images import Images, build_images
from biasaudit.report.sections.limits import Carry
from biasaudit.report.sections.localization import LocalizationRow, localization
from biasaudit.report.sections.operating_point import operating_point
from biasaudit.report.sections.pairs import PairGuard, pair_guard
from biasaudit.report.sections.quadrants import QuadrantRow, count_quadrants
from biasaudit.report.sections.seeds import SeedRow, over_seeds
from biasaudit.report.view import AuditView, Row, group_words
from biasaudit.results import Audit

GALLERY_SIZE = 20
LIST_SIZE = 600
_PACKAGE = Path(__file__).parent / "templates"
_REPOSITORY = Path(__file__).parents[2] / "reports" / "templates"


@dataclass(frozen=True)
class Page:
    """Everything that the template shows of one audit.

    Attributes:
        prefix: Begins every anchor of this audit; empty for the first.
        carry: What so many images can show.
        changes: The runs against the lead run, where both have their images.
        flips: How often an edit turned the answer.
        classes: Recall of every class, and harm to other objects, where it was measured.
        pairs: What became of other object-context pairs, where they were audited.
        erasures: How far the score falls as parts of the images are erased.
        seeds: Means over seeds, where some setting has several.
        limits: What the audit cannot tell.
        notes: Which files were missing.
    """

    audit: AuditView
    prefix: str
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
    erasures: Sequence[ErasureRow]
    quadrants: Sequence[QuadrantRow]
    seeds: Sequence[SeedRow]
    images: Images
    curve: Markup | None
    gap_chart: Markup | None
    localization_chart: Markup | None
    limits: Sequence[str]
    notes: Sequence[str]

    @property
    def metrics(self) -> list[str]:
        """Heads of the columns of plug-ins' metrics in the attention table."""
        return [f"#{name}" for name in self.localization[0].metrics] if self.localization else []


def render_html(
    runs: Sequence[Audit], gallery_size: int = GALLERY_SIZE, title: str | None = None
) -> str:
    """Return the report as one HTML document that needs no network.

    The same runs give the same text.

    Args:
        runs: From :func:`biasaudit.results.load_audits`.
        gallery_size: How many images of each group the gallery shows, the worst first.
        title: The page's title; object, context and dataset where None.

    Raises:
        RunError: No run is given.
    """
    audits = audits_of(runs)
    # Runs with several splits share their columns, and their other pairs are told once.
    before = [None, *(audit.columns for audit in audits)]
    pages = [
        _page(audit, gallery_size, first=audit.columns is not columns)
        for audit, columns in zip(audits, before, strict=False)
    ]
    return render_template("audit.html.j2", title=title or default_title(audits), pages=pages)


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


def audits_of(runs: Sequence[Audit]) -> list[AuditView]:
    """Return the audits of these runs.

    Raises:
        RunError: No run is given.
    """
    if not runs:
        raise RunError("no run to report on", "name a run's folder or a results.json")
    return build_audits(runs)


def default_title(audits: Sequence[AuditView]) -> str:
    """Return a title that names what was audited."""
    first = audits[0]
    return f"Bias audit: {first.object}" + (f" and {first.context}" if first.context else "")


def _page(audit: AuditView, gallery_size: int, *, first: bool) -> Page:
    """Build one page; ``first`` says that no page before it has the same runs."""
    prefix = "" if audit.number == 1 else f"a{audit.number}-"
    labels = [column.label for column in audit.columns]
    lead = words.lead_place(audit)
    places = localization(audit)
    changes = changes_against(audit, lead)
    return Page(
        audit=audit,
        prefix=prefix,
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
        erasures=erasures(audit),
        quadrants=count_quadrants(audit),
        seeds=over_seeds(audit),
        images=build_images(audit, gallery_size, LIST_SIZE),
        curve=charts.label_curve(audit, f"{prefix}c1"),
        gap_chart=charts.gap_chart(audit, f"{prefix}c2"),
        localization_chart=charts.localization_chart(places, labels, f"{prefix}c3"),
        limits=limits.limits(audit),
        notes=words.run_notes(audit.columns),
    )


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
        most=MOST,
        enrichment=ENRICHMENT,
        scale_stops=pictures.scale_stops(),
        operating_point=operating_point,
        group_description=words.group_description,
        train_command=provenance.train_command,
        evaluate_command=provenance.evaluate_command,
        settings_table=provenance.settings_table,
        environment_table=provenance.environment_table,
        label_forms=provenance.label_forms,
        compared_sets=compared_sets,
        by_boxes=charts.by_boxes,
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
        "keep": _keep_together,
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


def _asset(environment: Environment, name: str) -> str:
    """Return a file of the templates as it is, without its surrounding white space."""
    if environment.loader is None:
        raise RunError("the report has no templates", "install biasaudit again")
    return environment.loader.get_source(environment, name)[0].strip()


def _sha256(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
