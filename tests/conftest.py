"""What tests of several rooms share; pytest puts this folder on the import path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from report_factory import write_runs
from workers import by_file, workers

from biasaudit.data.loading import images

# the day that audits record: the same for two audits of one test with midnight between them
os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let the whole suite have two workers where nobody says otherwise."""
    if (count := workers(config)) is not None:
        config.option.numprocesses = count
    if getattr(config.option, "numprocesses", None):
        # a worker is meant for a core: with a thread a core each, they would wait for one another
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out by file."""
    return by_file(config, log)


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
