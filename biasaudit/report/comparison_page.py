"""Two runs held against each other as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping

from biasaudit.analysis import Comparison
from biasaudit.errors import RunError
from biasaudit.report.build import GALLERY_SIZE, LIST_SIZE, render_template
from biasaudit.report.comparison import versus_pages
from biasaudit.report.load import RunView
from biasaudit.report.sections.pairs import pair_guard


def render_comparison(
    first: RunView,
    second: RunView,
    found: Mapping[str, Comparison],
    gallery_size: int = GALLERY_SIZE,
) -> str:
    """Return the comparison as one HTML document that needs no network.

    Args:
        first: The run to hold against.
        second: The run that is judged.
        found: Their comparison on each split, the most telling one first.
        gallery_size: How many changed images of each group are shown as pictures.

    Raises:
        RunError: No split is compared.
    """
    pages = versus_pages(first, second, found, gallery_size, LIST_SIZE)
    if not pages:
        raise RunError("nothing to compare: the two share no split", "evaluate both alike")
    audit = pages[0].audit
    labels = [column.label for column in audit.columns]
    return render_template(
        "compare.html.j2",
        title=f"{labels[1]} against {labels[0]}: {audit.object}",
        pages=pages,
        columns=audit.columns,
        pairs=pair_guard(audit, 0),
    )
