"""What tests of several rooms share; pytest puts this folder on the import path."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_factory import write_runs


@pytest.fixture(scope="session")
def demo_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five drawn runs of one audit, as folders."""
    return write_runs(tmp_path_factory.mktemp("demo"))
