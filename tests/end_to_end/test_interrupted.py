"""Stopped by a signal, and gone on with; targets that cannot be written, found first."""

import json
import os
import signal

import pytest

import biasaudit as biasaudit_package
from biasaudit.cli import demo
from biasaudit.training.guided import GuidedModel
from biasaudit.training.run_directory import read_run

LABELS = ["--mode", "counterfactual", "--pixel-labels", "8"]


@pytest.fixture
def signal_at(monkeypatch):
    """Let this process send itself a signal during its n-th training step from now."""
    forward, left = GuidedModel.forward, {"steps": 0, "number": signal.SIGINT}

    def counting(model, *arguments):
        left["steps"] -= 1
        if left["steps"] == 0:
            os.kill(os.getpid(), left["number"])
        return forward(model, *arguments)

    monkeypatch.setattr(GuidedModel, "forward", counting)

    def arm(steps, number=signal.SIGINT):
        left.update(steps=steps, number=number)

    return arm


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_was_stopped_goes_on_to_the_same_run(
    biasaudit, small, trained, tmp_path, signal_at, number
):
    longer = [*LABELS, "--epochs", "2", "--batch-size", "32"]
    trained("whole", *longer)
    options = [*small, *longer, "--quiet"]
    signal_at(7, number)  # the second of five steps of the second epoch
    stopped = biasaudit("train", *options, "--out", "run")
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == (
        "stopped after step 2 of epoch 2, and kept; to go on, run it again with --resume and "
        "--out run"
    )
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 2
    again = biasaudit("train", *options, "--out", "run")
    assert (again.code, "--resume" in again.err) == (2, True)
    other = biasaudit("train", "--resume", "--out", "run", "--seed", "4")
    assert other.code == 2
    assert "was begun with --seed 0, not --seed 4" in other.err
    refused = biasaudit("evaluate", "--run", "run")
    assert (refused.code, "--resume" in refused.err) == (2, True)
    # the settings stand in the folder: none need be given again
    assert biasaudit("train", "--resume", "--out", "run").code == 0
    names = {file.name for file in (tmp_path / "whole").iterdir()}
    assert {file.name for file in (tmp_path / "run").iterdir()} == names
    for name in names - {"environment.json", "run.json"}:  # which holds the folder's name
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_resume_without_a_folder_finds_the_training_or_begins_one(biasaudit, small, signal_at):
    assert biasaudit("train", *small, "--resume").out.strip() == "runs/baseline-seed0"
    done = biasaudit("train", *small, "--resume")
    assert (done.code, done.out.strip()) == (0, "runs/baseline-seed0")
    assert "finished already" in done.err
    signal_at(2)
    assert biasaudit("train", *small, "--seed", "1").code == 130
    assert biasaudit("train", *small, "--resume").out.strip() == "runs/baseline-seed0"
    gone_on = biasaudit("train", *small, "--seed", "1", "--resume")
    assert (gone_on.code, gone_on.out.strip()) == (0, "runs/baseline-seed1")
    assert biasaudit("train", *small).out.strip() == "runs/baseline-seed0-2"


def test_resume_in_a_folder_where_none_was_begun_says_so(biasaudit, small):
    told = "note: typo: no training was begun there, so a new one begins"
    assert told in biasaudit("train", *small, "--resume", "--out", "typo").err.splitlines()
    again = biasaudit("train", *small, "--resume", "--out", "typo")
    assert (again.code, told in again.err) == (0, False)


def test_a_second_signal_stops_at_once(biasaudit, small, tmp_path, monkeypatch):
    def impatient(model, *arguments):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(GuidedModel, "forward", impatient)
    assert biasaudit("train", *small, "--out", "run").code == 130
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert biasaudit("train", "--resume", "--out", "run").code == 0


def test_sigterm_ends_any_verb_with_130_and_a_line(biasaudit, trained, monkeypatch):
    from biasaudit.evaluation import audit as evaluation

    trained()
    monkeypatch.setattr(
        evaluation, "one_pass", lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM)
    )
    answer = biasaudit("evaluate")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.splitlines()[-1] == "stopped; nothing was written"


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGINT, "stopped; nothing was written"),
        (signal.SIGTERM, "ended by a signal, as a launcher does where another process ended"),
    ],
)
def test_of_several_processes_ctrl_c_is_no_end_of_another(
    biasaudit, trained, monkeypatch, number, line
):
    from biasaudit import api

    trained()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(api, "audit", lambda *a, **k: os.kill(os.getpid(), number))
    answer = biasaudit("evaluate")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.splitlines()[-1] == f"process 2 of 2: {line}"


@pytest.mark.parametrize("what", ["evaluate", "localize"])
def test_of_several_runs_it_says_which_were_finished(biasaudit, trained, monkeypatch, what):
    from biasaudit import api

    trained("first", "--set=data.options.val=12")
    trained("second")
    place, name = (api, "audit") if what == "evaluate" else (biasaudit_package, "localize")
    whole = getattr(place, name)

    def stopping(run, *more, **options):
        if run.name == "second":
            raise KeyboardInterrupt
        return whole(run, *more, **options)

    monkeypatch.setattr(place, name, stopping)
    answer = biasaudit(what, "--run", "first", "--run", "second", "--quiet")
    assert (answer.code, answer.err) == (130, "stopped; written before: first\n")


def test_a_stopped_demo_goes_on(biasaudit, small, tmp_path, signal_at, monkeypatch):
    monkeypatch.setattr(demo, "RUNS", (("baseline", 0), ("gain", 0)))
    monkeypatch.setattr(demo, "REPAIRS", (6,))
    assert biasaudit("demo", *small[:-2], "--epochs", "1", "--out", "whole").code == 0
    signal_at(8)  # of the second run
    stopped = biasaudit("demo", *small[:-2], "--epochs", "1", "--out", "mine")
    assert stopped.code == 130
    assert "to go on: biasaudit demo --resume --out mine" in stopped.err
    assert not (tmp_path / "mine" / "report.html").exists()
    first = (tmp_path / "mine/runs/baseline-seed0/weights.safetensors").stat().st_mtime_ns
    again = biasaudit("demo", *small[:-2], "--epochs", "1", "--out", "mine", "--resume")
    assert again.code == 0, again.err
    second = (tmp_path / "mine/runs/baseline-seed0/weights.safetensors").stat().st_mtime_ns
    assert first == second
    whole, mine = ((tmp_path / n / "results.json").read_text() for n in ("whole", "mine"))
    # but for the path of the repaired run
    assert json.loads(mine) == json.loads(whole.replace("whole/runs", "mine/runs"))


def test_a_target_that_cannot_be_written_is_found_before_the_pass(
    biasaudit, trained, tmp_path, monkeypatch
):
    from biasaudit import api

    trained("run")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(api, "audit", None)  # nobody gets as far
    for target in ("file/audit", "file", "/proc/audit"):
        answer = biasaudit("evaluate", "--run", "run", "--out", target)
        assert answer.code == 2
        assert f"--out {target}: cannot be written to" in answer.err
    monkeypatch.setattr(api, "repair_run", None, raising=False)
    answer = biasaudit("repair", "--run", "run", "--out", "file/repaired")
    assert (answer.code, "--out file/repaired: cannot be" in answer.err) == (2, True)


@pytest.mark.parametrize("rate", ["1e6", "1e30"])
def test_weights_that_are_no_numbers_are_no_run(biasaudit, small, tmp_path, rate):
    rate = f"--set=training.learning_rate={rate}"
    answer = biasaudit("train", *small, "--epochs", "6", "--batch-size", "8", rate, "--out", "run")
    assert answer.code == 3
    assert "learning_rate" in answer.err
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_a_run_goes_on_with_other_loading_processes(biasaudit, small, trained, tmp_path, signal_at):
    longer = ["--epochs", "2", "--batch-size", "32"]
    trained("whole", *longer)
    options = [*small, *longer]
    signal_at(8)
    assert biasaudit("train", *options, "--workers", "1", "--out", "run").code == 130
    assert biasaudit("train", "--resume", "--out", "run", "--workers", "0").code == 0
    both = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "run")]
    assert both[0] == both[1]
    assert read_run(tmp_path / "run").settings.training.workers == 0
