"""How many processes the whole suite is shared out to, and how."""

from __future__ import annotations

import os
from typing import Any

import pytest

WORKERS = 2
"""Of more, each would train again what the tests of a session share, and memory would not do."""


def workers(config: pytest.Config) -> int | None:
    """Return how many workers to start where nobody said; None leaves it to the options.

    Some files alone are sooner done by one process, since a worker takes seconds to start. A
    worker starts none: it reads the same options.
    """
    option = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    part = option.collectonly or option.usepdb or option.keyword or getattr(option, "lf", False)
    said = getattr(option, "numprocesses", 0) is not None  # 0 where xdist is not there
    if "PYTEST_XDIST_WORKER" in os.environ or said or part or not whole or cores() < WORKERS:
        return None
    return WORKERS


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def by_file(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one worker, for they share what its fixtures train and draw."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # as collected: the files of slow tests come first
    return LoadFileScheduling(config, log)
