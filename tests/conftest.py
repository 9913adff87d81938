"""What tests of several rooms share; pytest puts this folder on the import path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from report_factory import write_runs

from biasaudit.data.loading import images

# the day that audits record: the same for two audits of one test with midnight between them
os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let the whole suite have two workers where there are two cores and nobody says otherwise.

    Some files alone are sooner done by one process: a worker takes seconds to start.
    """
    option = config.option
    if getattr(option, "numprocesses", 0) is None and not (
        config.args_source is not pytest.Config.ArgsSource.TESTPATHS
        or option.collectonly
        or option.usepdb
        or option.keyword
        or getattr(option, "lf", False)
        or cores() < 2
    ):
        option.numprocesses = 2
    if getattr(option, "numprocesses", None):
        # a worker is meant for a core: with a thread a core each, they would wait for one another
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one worker: they share what its fixtures train and draw."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # as collected: the files of slow tests come first
    return LoadFileScheduling(config, log)


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
