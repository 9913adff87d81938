"""What tests of several rooms share; pytest puts this folder on the import path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from report_factory import write_runs

from biasaudit.data.loading import images

# the day that audits record: the same for two audits of one test with midnight between them
os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")


@pytest.fixture(scope="session")
def demo_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five drawn runs of one audit, as folders."""
    return write_runs(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the image files decoded so far."""
    names: list[str] = []
    decode = images.decode

    def noting(path: Path, size: tuple[int, int] | None = None) -> images.Image:
        names.append(path.name)
        return decode(path, size)

    monkeypatch.setattr(images, "decode", noting)
    return names
