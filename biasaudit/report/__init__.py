"""Audits to HTML, Markdown, CSV and a model card; knows the results only, never torch."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from biasaudit.errors import ConfigError, RunError, named_field
from biasaudit.inputs.files import is_folder
from biasaudit.results import Audit, Beside, write_atomic

FORMS = (".html", ".md", ".csv")


@dataclass(frozen=True)
class Report:
    """A rendered report.

    Attributes:
        text: The document.
        path: Where it was written; None where it was not.
    """

    text: str
    path: Path | None = None

    def __repr__(self) -> str:
        return f"Report({len(self.text)} characters, path={self.path})"

    def save(self, file: Path | str) -> Report:
        """Write the document, whole or not at all, and the folders above it.

        Raises:
            RunError: The file cannot be written.
        """
        path = Path(file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, self.text.encode())
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror})") from None
        return Report(self.text, path)

    def _repr_html_(self) -> str:
        if not self.text.lstrip().lower().startswith("<!doctype html"):
            return f"<pre>{html.escape(self.text)}</pre>"
        document = html.escape(self.text, quote=True)
        return f'<iframe srcdoc="{document}" width="100%" height="800" title="report"></iframe>'


def make_report(
    audits: Sequence[Audit],
    file: Path | None,
    gallery: int = 20,
    *,
    model_card: bool = False,
    beside: Beside | None = None,
) -> Report:
    """Render audits in the form that a file's suffix names.

    Args:
        audits: What to report on.
        file: Where to write it: ``.html``, ``.md`` or ``.csv``; an HTML document that is not
            written where None.
        gallery: Images shown of each group.
        model_card: A model card instead, which ends in ``.md``.
        beside: What else was measured; a model card does not show it.

    Raises:
        ConfigError: A suffix that stands for no form.
        RunError: Nothing to show, or the file cannot be written.
    """
    from biasaudit.report.build import render_html
    from biasaudit.report.export import render_csv, render_markdown, render_model_card

    forms = {
        ".html": lambda found: render_html(found, gallery_size=gallery, beside=beside),
        ".md": render_model_card
        if model_card
        else lambda found: render_markdown(found, beside=beside),
        ".csv": lambda found: render_csv(found, beside=beside),
    }
    made = Report(forms[form_of(file, model_card=model_card)](audits))
    return made if file is None else made.save(file)


def form_of(file: Path | None, *, model_card: bool = False) -> str:
    """Return the suffix of the form that a report is rendered in.

    Raises:
        ConfigError: The file's suffix stands for no form.
    """
    suffix = (".md" if model_card else ".html") if file is None else file.suffix
    if file is not None and is_folder(file):
        raise ConfigError(f"{named_field('out', file)}: is a folder", "name a file in it")
    if suffix not in FORMS or (model_card and suffix != ".md"):
        raise ConfigError(
            f"{named_field('out', file)}: no report of this form",
            "a model card ends in .md" if model_card else f"end it in {', '.join(FORMS)}",
        )
    return suffix
