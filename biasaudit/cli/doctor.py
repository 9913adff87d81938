"""``biasaudit doctor``."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from rich.table import Table

from biasaudit.cli import options as opt
from biasaudit.cli.console import echo_json, print_table

EXTRAS = {
    "pycocotools": "reads COCO masks: pip install 'biasaudit[coco]'",
    "pyarrow": "reads manifests in Parquet: pip install 'biasaudit[parquet]'",
    "aiohttp": "images behind https: pip install 'biasaudit[remote]'",
    "s3fs": "images in S3: pip install 'biasaudit[s3]'",
    "gcsfs": "images in Google Cloud Storage: pip install 'biasaudit[gs]'",
    "tensorboard": "logs of training: pip install 'biasaudit[tensorboard]'",
    "timm": "more backbones: pip install 'biasaudit[timm]'",
}


def doctor(json_: opt.Json = False) -> None:
    """Say what this installation can do: versions, devices, optional packages."""
    from biasaudit.training.run_directory import environment

    if json_:
        extras = {package: _version(package) for package in EXTRAS}
        told = {**environment(), "extras": extras}
        echo_json(told)
        return
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
