"""``biasaudit localize`` of runs."""

import json

import pytest


@pytest.fixture
def run(biasaudit, small):
    assert biasaudit("train", *small, "--out", "run", "--quiet").code == 0


def test_figures_as_a_table_and_as_json(biasaudit, run):
    said = json.loads(biasaudit("localize", "--run", "run", "--json").out)
    (found,) = said["runs"]
    assert (found["name"], found["n"], said["subset"]) == ("run", 40, "test")
    assert list(found["by_level"]) == ["0.3", "0.5", "0.7"]
    mean = sum(found["by_level"].values()) / 3
    assert found["max_box_acc_v2"] == pytest.approx(mean)
    table = biasaudit("localize", "--run", "run", "--run", "run").out.splitlines()
    assert "localization on test, thresholds from val" in table[0]
    assert table[-1].split() == table[-2].split()
    assert table[-1].split()[:3] == ["run", "40", f"{found['max_box_acc']:.3f}"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--run", "none"], ["--run none", "no such folder"]),
        (["--run", "run", "--subset", "val"], ["--subset val", "thresholds are chosen on it"]),
        (["--run", "run", "--subset", "none"], ["no subset 'none'"]),
        (["--run", "run", "--object", "ship"], ["no category is called 'ship'", "--object"]),
        ([], ["no run in runs/"]),
    ],
)
def test_bad_input_is_one_line(biasaudit, run, arguments, words):
    answer = biasaudit("localize", *arguments)
    assert (answer.code, answer.out) == (2, "")
    lines = answer.err.splitlines()
    assert len(lines) == 1, answer.err
    for word in ("error: ", *words):
        assert word in lines[0]
