"""The command line as a user calls it, on a dataset small enough for a test."""

from dataclasses import dataclass

import pytest

from biasaudit.cli import main

SMALL = [
    f"--set=data.options.{name}={count}"
    for name, count in (("train", 160), ("val", 40), ("group", 20))
]


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def biasaudit(capsys, monkeypatch, tmp_path):
    """Call ``biasaudit`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(end.value.code or 0, captured.out, captured.err)

    return call


@pytest.fixture
def small():
    """Options of ``train`` that make a run of a second or two."""
    return [*SMALL, "--epochs", "1"]
