"""``biasaudit report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import out, quieten
from biasaudit.errors import RunError


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN ...]",
            help="Evaluated or localized runs and evaluated segmenters: their directories, or "
            "results.json files. Default: the newest run.",
        ),
    ] = None,
    out_file: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Where to write it. The suffix decides the form: .html, .md (a summary for a "
            "pull request) or .csv.",
        ),
    ] = Path("report.html"),
    model_card: Annotated[
        bool, typer.Option("--model-card", help="Write a model card in Markdown instead.")
    ] = False,
    gallery: Annotated[
        int, typer.Option("--gallery", metavar="N", min=0, help="Images shown of each group.")
    ] = 20,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Render one self-contained HTML file from evaluated runs.

    The file opens anywhere: no network, no other file beside it.
    """
    quieten(quiet)
    from biasaudit import api

    api.report(
        runs or [_newest_results(Path("runs"))], out_file, gallery=gallery, model_card=model_card
    )
    out.print(str(out_file), markup=False, soft_wrap=True)
    if open_:
        typer.launch(out_file.resolve().as_uri())


def _newest_results(parent: Path) -> Path:
    """Return the folder under ``parent`` whose results are the newest.

    Raises:
        RunError: There is none.
    """
    from biasaudit.inputs.files import is_file
    from biasaudit.results import RESULTS_FILE

    found = (file for file in parent.glob(f"*/{RESULTS_FILE}") if is_file(file))
    files = sorted(found, key=lambda file: file.stat().st_mtime_ns)
    if not files:
        raise RunError(f"no results in {parent}/", "run 'biasaudit evaluate' first")
    return files[-1].parent
