"""What a run leaves behind, and how it is found again."""

import json
import os

import pytest

from biasaudit.errors import RunError
from biasaudit.training.run_directory import newest_run, prepare, read_run, unused


def finished(folder):
    folder.mkdir(parents=True)
    for name in ("config.json", "run.json", "environment.json", "labels.json"):
        (folder / name).write_text("{}")
    (folder / "weights.safetensors").write_bytes(b"")
    return folder


def test_the_newest_is_the_one_finished_last(tmp_path):
    for number, name in enumerate(("b", "c", "a")):
        run = finished(tmp_path / name)
        os.utime(run / "weights.safetensors", (number, number))
    (tmp_path / "unfinished").mkdir()
    assert newest_run(tmp_path).name == "a"


def test_no_run_says_how_to_make_one(tmp_path):
    with pytest.raises(RunError, match="biasaudit train"):
        newest_run(tmp_path / "runs")


def test_unused_names_count_up(tmp_path):
    assert unused(tmp_path, "x") == tmp_path / "x"
    (tmp_path / "x").mkdir()
    (tmp_path / "x-2").mkdir()
    assert unused(tmp_path, "x") == tmp_path / "x-3"


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    assert prepare(tmp_path / "a") == tmp_path / "a"
    (tmp_path / "a" / "notes.txt").write_text("mine")
    (tmp_path / "b").write_text("a file")
    for name in ("a", "b"):
        with pytest.raises(RunError, match="not an empty folder"):
            prepare(tmp_path / name)


@pytest.mark.parametrize("lost", ["config.json", "run.json", "labels.json", "weights.safetensors"])
def test_an_unfinished_run_names_what_it_lacks(tmp_path, lost):
    run = finished(tmp_path / "run")
    (run / lost).unlink()
    with pytest.raises(RunError, match=f"it holds no {lost}"):
        read_run(run)


def test_a_missing_run_names_the_nearest(tmp_path):
    finished(tmp_path / "gain-seed0")
    with pytest.raises(RunError, match="did you mean 'gain-seed0'"):
        read_run(tmp_path / "gain-sed0")


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"name": 3})])
def test_broken_records_are_refused(tmp_path, content):
    run = finished(tmp_path / "run")
    (run / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"run\.json: (its records|not JSON|holds no table)"):
        read_run(run)
