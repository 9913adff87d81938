"""``biasaudit report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from biasaudit.cli import options as opt
from biasaudit.cli.console import out, quieten


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN ...]",
            help="Evaluated runs: their directories, or results.json files. Default: the newest.",
        ),
    ] = None,
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the report.")
    ] = Path("report.html"),
    gallery: Annotated[
        int, typer.Option("--gallery", metavar="N", min=0, help="Images shown of each cell.")
    ] = 20,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Render one self-contained HTML file from evaluated runs.

    The file opens anywhere: no network, no other file beside it.
    """
    quieten(quiet)
    from biasaudit.results import newest_results

    write_report(runs or [newest_results(Path("runs"))], out_file, gallery)
    out.print(str(out_file), markup=False, soft_wrap=True)
    if open_:
        typer.launch(out_file.resolve().as_uri())


def write_report(runs: Sequence[Path], file: Path, gallery: int = 20) -> None:
    """Render the report of evaluated runs into ``file``.

    Raises:
        BiasAuditError: A run without results, or a file that cannot be written.
    """
    from biasaudit.errors import RunError
    from biasaudit.report.load import load_runs
    from biasaudit.report.render import render_html
    from biasaudit.results import write_atomic

    html = render_html(load_runs(runs), gallery_size=gallery)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, html.encode())
    except OSError as error:
        raise RunError(f"--out {file}: cannot be written ({error.strerror})") from None
