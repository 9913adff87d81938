"""``biasaudit doctor``."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from rich.table import Table

from biasaudit.cli.console import print_table

EXTRAS = {
    "pycocotools": "reads COCO masks: pip install 'biasaudit[coco]'",
    "timm": "more backbones: pip install 'biasaudit[timm]'",
}


def doctor() -> None:
    """Say what this installation can do: versions, devices, optional packages."""
    from biasaudit.training.run_directory import environment

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in environment().items():
        table.add_row(name, "none" if value is None else str(value))
    for package, use in EXTRAS.items():
        table.add_row(package, _version(package) or f"not installed ({use})")
    print_table(table)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
