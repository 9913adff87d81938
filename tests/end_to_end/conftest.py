"""The command line as a user calls it, on a dataset small enough for a test."""

import shutil
from dataclasses import dataclass
from pathlib import Path

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


@pytest.fixture(scope="session")
def trainings(tmp_path_factory):
    """Where runs are kept that several tests start from, and which are there by now."""
    return tmp_path_factory.mktemp("trainings"), {}


@pytest.fixture
def trained(biasaudit, small, tmp_path, trainings):
    """Give a run of ``train`` with the options ``small``, and more: trained once, then copied."""
    folder, done = trainings

    def give(out="runs/baseline-seed0", *more):
        name = Path(out).name  # which the run is called by
        if (name, *more) not in done:
            kept = folder / str(len(done)) / name
            answer = biasaudit("train", "--quiet", *small, *more, "--out", kept)
            assert answer.code == 0, answer.err
            done[name, *more] = kept
        shutil.copytree(done[name, *more], tmp_path / out, copy_function=shutil.copy)
        return tmp_path / out

    return give


@pytest.fixture
def audited(biasaudit, trained, tmp_path, trainings):
    """Give what ``evaluate`` told of a run, and its folder: evaluated once, then copied."""
    folder, done = trainings

    def give(*options):
        key = ("evaluate", *options)
        if key in done:
            shutil.copytree(done[key][1], tmp_path / "run", copy_function=shutil.copy)
        else:
            run = trained("run")
            answer = biasaudit("evaluate", "--run", "run", *options)
            assert answer.code == 0, answer.err
            kept = folder / str(len(done)) / "run"
            done[key] = answer, shutil.copytree(run, kept, copy_function=shutil.copy)
        return done[key][0], tmp_path / "run"

    return give
