"""A training in a folder: finished, stopped, gone on with, refused; on few drawn scenes."""

import json
import signal
from dataclasses import replace

import pytest
import torch

import biasaudit as ba
from biasaudit.config import load_settings
from biasaudit.errors import ConfigError, RunError, RunFailedError, RunInterruptedError
from biasaudit.training import keeper as keeping
from biasaudit.training import resumable
from biasaudit.training.checkpoint import CHECKPOINT
from biasaudit.training.keeper import METRICS, FolderKeeper
from biasaudit.training.loop import Silent, train
from biasaudit.training.plan import make_plan
from biasaudit.training.resumable import LOCK, Place, kept_settings, train_into
from biasaudit.training.run_directory import CONFIG, WEIGHTS
from biasaudit.training.signals import Stop

SMALL = [
    "data.options.train=24", "data.options.val=12", "data.options.group=4", "data.image_size=32",
    "training.batch_size=8", "training.epochs=2",
]  # fmt: skip


def planned(*more):
    return make_plan(load_settings(None, [*SMALL, *more]))


@pytest.fixture(scope="module")
def plan():
    return planned()


class Halt(Silent):
    """Breaks off once so many epochs, or steps of the epoch after, are done."""

    def __init__(self, epochs=0, steps=0, error=None):
        self.epochs, self.steps = epochs, steps
        self.error = error or ZeroDivisionError("halt")

    def step(self, epoch, total):
        if epoch == self.epochs + 1:
            self.steps -= 1
            if self.steps == 0:
                raise self.error


def names(folder):
    return {file.name for file in folder.iterdir()}


def same_weights(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_run_stands_in_its_folder_and_is_trained_once(plan, tmp_path, monkeypatch):
    lines = []
    run = train_into(plan, Place(tmp_path / "run", None), Silent(), lines.append)
    assert (run.path, lines) == (tmp_path / "run", [])
    assert {WEIGHTS, CONFIG, METRICS} <= names(run.path)
    assert CHECKPOINT not in names(run.path)
    with pytest.raises(RunError, match="is not an empty folder"):
        train_into(plan, Place(tmp_path / "run", None), Silent(), lines.append)

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(resumable, "train", never)
    (run.path / CHECKPOINT).write_bytes(b"left over")
    again = train_into(plan, Place(run.path, None, resume=True), Silent(), lines.append)
    assert lines == [f"{run.path}: finished already"]
    assert again.name == run.name
    assert repr(again) == f"RunRecord('run', path='{run.path}')"
    assert repr(replace(again, path=None)) == "RunRecord('run', path=None)"
    assert CHECKPOINT not in names(run.path)
    # nor does it matter whether there was anything left
    train_into(plan, Place(run.path, None, resume=True), Silent(), lines.append)
    other = planned("training.learning_rate=0.02")
    with pytest.raises(RunError, match=r"was begun with .*learning_rate.*, not .*learning_rate"):
        train_into(other, Place(run.path, None, resume=True), Silent(), lines.append)


@pytest.mark.parametrize(("epochs", "steps"), [(0, 2), (1, 1), (1, 2)])
def test_a_training_that_stopped_goes_on_as_if_it_had_not(tmp_path, epochs, steps):
    often = planned("training.checkpoint_steps=1")
    whole = train(often, Silent()).model.state_dict()
    place = Place(tmp_path / "run", None)
    with pytest.raises(ZeroDivisionError):
        train_into(often, place, Halt(epochs, steps), print)
    assert CHECKPOINT in names(tmp_path / "run")
    assert kept_settings(tmp_path / "run") == tmp_path / "run" / CONFIG
    with pytest.raises(RunError, match="holds a training that stopped"):
        train_into(often, place, Silent(), print)
    # what costs no other weights may differ
    freer = planned("training.checkpoint_steps=7")
    run = train_into(freer, replace(place, resume=True), Silent(), print)
    assert same_weights(run.load_model().state_dict(), whole)
    assert CHECKPOINT not in names(run.path)


def test_a_training_of_other_images_is_not_gone_on_with(plan, tmp_path):
    place = Place(tmp_path / "run", None, resume=True)
    with pytest.raises(ZeroDivisionError):
        train_into(plan, place, Halt(1, 1), print)
    dataset = plan.dataset
    fewer = {**dataset.subsets, "train": dataset.subset("train")[1:]}
    with pytest.raises(RunError, match="was begun on other images, labels or classes"):
        train_into(replace(plan, dataset=replace(dataset, subsets=fewer)), place, Silent(), print)
    (place.out / CONFIG).write_text("[]")
    with pytest.raises(RunError, match="cannot be read"):
        train_into(plan, place, Silent(), print)


def test_what_fails_before_anything_is_kept_leaves_nothing(plan, tmp_path):
    place = Place(tmp_path / "run", None)
    with pytest.raises(RunFailedError):
        train_into(plan, place, Halt(0, 1, RunFailedError("no number")), print)
    assert not place.out.exists()
    place.out.mkdir()  # a folder that was there stays, with our lock at most, and may be used
    with pytest.raises(RunFailedError):
        train_into(plan, place, Halt(0, 1, RunFailedError("no number")), print)
    assert names(place.out) <= {LOCK}
    assert train_into(plan, place, Silent(), print).path == place.out


def test_what_was_kept_outlives_a_failure_at_once_after_it(tmp_path):
    often = planned("training.checkpoint_steps=1")
    place = Place(tmp_path / "run", None)
    with pytest.raises(ZeroDivisionError):
        train_into(often, place, Halt(1, 2), print)  # kept: step 1 of epoch 2
    content = (place.out / CHECKPOINT).read_bytes()
    halt = Halt(1, 2, RunFailedError("no number"))
    with pytest.raises(RunFailedError):
        train_into(often, replace(place, resume=True), halt, print)
    assert (place.out / CHECKPOINT).read_bytes() == content


def test_a_folder_of_something_else_is_refused(plan, tmp_path):
    for content in ("notes.txt", CONFIG):
        folder = tmp_path / content.partition(".")[0]
        folder.mkdir()
        (folder / content).write_text("{}")
        with pytest.raises(RunError, match="is not an empty folder"):
            train_into(plan, Place(folder, None), Silent(), print)
        assert (folder / content).read_text() == "{}"


def test_a_folder_and_one_above_a_new_one_exclude_each_other(plan, tmp_path):
    with pytest.raises(ConfigError, match=r"^out=.*/a and parent=.*/b: .*; give one of them$"):
        ba.train(plan.dataset, epochs=1, out=tmp_path / "a", parent=tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_runs_of_one_name_are_numbered_and_the_last_begun_goes_on(plan, tmp_path):
    first = train_into(plan, Place(None, tmp_path / "runs"), Silent(), print).path
    with pytest.raises(ZeroDivisionError):
        train_into(plan, Place(None, tmp_path / "runs"), Halt(1, 1), print)
    second = tmp_path / "runs" / f"{plan.name}-2"
    assert first == tmp_path / "runs" / plan.name
    assert CHECKPOINT in names(second)
    place = Place(None, tmp_path / "runs", resume=True)
    assert train_into(plan, place, Silent(), print).path == second
    # of other settings none was begun
    other = planned("training.learning_rate=0.02")
    assert train_into(other, place, Silent(), print).path not in (first, second)


def asked(plan, place, after):
    """Train into a place; a signal comes with the step or epoch numbered ``after``."""

    class Ask(Silent):
        told = 0

        def step(self, epoch, total):
            self.told += 1
            if self.told == after:
                signal.raise_signal(signal.SIGTERM)

    train_into(plan, place, Ask(), print)


def test_a_signal_stops_between_two_steps_and_says_how_to_go_on(plan, tmp_path):
    whole = train(plan, Silent()).model.state_dict()
    place = Place(tmp_path / "run", None)
    with pytest.raises(RunInterruptedError, match="stopped after step 2 of epoch 1, and kept"):
        asked(plan, place, 2)
    with pytest.raises(RunInterruptedError, match="stopped after step 1 of epoch 2, and kept"):
        asked(plan, replace(place, resume=True), 4)
    assert len((place.out / METRICS).read_text().splitlines()) == 2  # head and one epoch
    run = train_into(plan, replace(place, resume=True), Silent(), print)
    assert same_weights(run.load_model().state_dict(), whole)
    assert len((place.out / METRICS).read_text().splitlines()) == 3


def test_a_disk_that_is_full_loses_the_state_and_not_the_training(plan, tmp_path, monkeypatch):
    lines = []
    kept = FolderKeeper(tmp_path, {"images": "x"}, 1, Stop(), lines.append)
    write = keeping.write_atomic

    def full(file, content):
        raise OSError(28, "No space left on device")

    class Take:
        position = type("At", (), {"step": 3, "epoch": 1})()

        def __call__(self):
            return self

        def to_bytes(self, about):
            return json.dumps(about).encode()

    monkeypatch.setattr(keeping, "write_atomic", full)
    kept.stepped(Take())
    kept.stepped(Take())
    assert kept.kept is False
    assert lines == [
        f"{tmp_path}: the state of the training cannot be kept (No space left on device); "
        "it goes on, and an interruption now loses it"
    ]
    with pytest.raises(RunError, match=r"cannot be written to \(No space left on device\)"):
        kept.started(Take())
    with pytest.raises(RunInterruptedError, match=r"written \(No space left on device\)"):
        kept._leave(Take())
    monkeypatch.setattr(keeping, "write_atomic", write)
    kept.stepped(Take())
    assert kept.kept is True
    assert json.loads(kept.file.read_bytes()) == {"images": "x"}


def test_so_many_steps_lie_between_two_states(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(keeping, "write_atomic", lambda file, content: written.append(file.name))

    class Take:
        def __call__(self):
            return self

        def to_bytes(self, about):
            return b""

    for every, expected in ((0, 0), (1, 7), (3, 2)):
        written.clear()
        kept = FolderKeeper(tmp_path, {}, every, Stop(), print)
        for _ in range(7):
            kept.stepped(Take())
        assert written == [CHECKPOINT] * expected
    written.clear()
    kept.epoch_done(Take(), [{"epoch": 1}])
    assert written == [CHECKPOINT, METRICS]
