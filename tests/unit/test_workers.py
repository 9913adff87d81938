"""When the suite starts workers of its own, and when it must not."""

from types import SimpleNamespace

import pytest
import workers

SOURCE = pytest.Config.ArgsSource


def config(source=SOURCE.TESTPATHS, **changes):
    option = {
        "numprocesses": None,
        "collectonly": False,
        "usepdb": False,
        "keyword": "",
        "lf": False,
    }
    return SimpleNamespace(option=SimpleNamespace(**{**option, **changes}), args_source=source)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(workers, "cores", lambda: 2)


def test_the_whole_suite_has_two(two_cores):
    assert workers.workers(config()) == 2


def test_a_worker_starts_none(two_cores, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert workers.workers(config()) is None


def test_one_core_has_none(two_cores, monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 1)
    assert workers.workers(config()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"source": SOURCE.ARGS},
        {"numprocesses": 0},
        {"numprocesses": 5},
        {"collectonly": True},
        {"usepdb": True},
        {"keyword": "seed"},
        {"lf": True},
    ],
)
def test_what_is_said_stands_and_a_part_is_left_to_one_process(two_cores, changes):
    assert workers.workers(config(**changes)) is None


def test_without_xdist_nothing_is_asked_for(two_cores):
    given = config()
    del given.option.numprocesses
    assert workers.workers(given) is None
