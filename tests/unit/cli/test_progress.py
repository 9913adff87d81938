"""Work of unknown length tells where it is, where stderr is no terminal too."""

import pytest

from biasaudit.cli import progress
from biasaudit.cli.console import quieten


@pytest.fixture
def clock(monkeypatch):
    """Give a clock that a test moves."""
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    yield now
    quieten(quiet=False)


def lines_of(seconds, clock, capsys):
    """Return what is said of a stage that counts two a second."""
    with progress.StageProgress("run") as tell:
        for second in range(1, seconds + 1):
            clock[0] = float(second)
            tell("images", 2)
    return capsys.readouterr().err.splitlines()


def test_short_work_has_no_line(clock, capsys):
    assert lines_of(9, clock, capsys) == []


def test_a_line_now_and_then(clock, capsys):
    assert lines_of(20, clock, capsys) == [
        "run: images  20  elapsed 0:00:10",
        "run: images  40  elapsed 0:00:20",
    ]


def test_long_work_has_few_lines(clock, capsys):
    lines = lines_of(3600, clock, capsys)
    assert len(lines) < 60
    apart = [int(line.split("  ")[1]) / 2 for line in lines[-2:]]
    assert apart[1] - apart[0] > 300


def test_a_later_stage_counts_from_its_own_beginning(clock, capsys):
    with progress.StageProgress("run") as tell:
        tell("images", 7)
        clock[0] = 15.0
        tell("edits", 3)
    assert capsys.readouterr().err == "run: edits  3  elapsed 0:00:15\n"


def test_quiet_is_silent(clock, capsys):
    quieten(quiet=True)
    assert lines_of(100, clock, capsys) == []
