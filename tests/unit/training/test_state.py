"""The state of a training taken and put back; what its folder is asked for before it goes on."""

import random
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

from biasaudit import processes
from biasaudit.config import load_settings
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import RunError, RunFailedError, RunInterruptedError
from biasaudit.training import keeper, loop, resumable
from biasaudit.training.checkpoint import CHECKPOINT, Checkpoint, Parts, Position, read_checkpoint
from biasaudit.training.keeper import METRICS, FolderKeeper
from biasaudit.training.log import STEPS_FILE, Logged, logged
from biasaudit.training.loop import EpochMetrics, Silent, train
from biasaudit.training.plan import make_plan
from biasaudit.training.resumable import (
    LOCK,
    _differences,
    _flat,
    _held,
    _images,
    kept_settings,
)
from biasaudit.training.run_directory import CONFIG, WEIGHTS, write_settings
from biasaudit.training.signals import Stop
from biasaudit.training.streams import Order


def parts(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    generator = torch.Generator().manual_seed(seed)
    order = Order(torch.utils.data.RandomSampler(range(9), generator=generator), generator)
    return Parts(model, optimizer, schedule, order, torch.Generator().manual_seed(seed + 5), None)


def stepped(made, count=3):
    for _ in range(count):
        made.optimizer.zero_grad()
        made.model(torch.rand(2, 3, 6, 6)).square().sum().backward()
        made.optimizer.step()
        made.schedule.step()
    return made


def test_a_state_written_and_read_puts_everything_back(tmp_path):
    one = stepped(parts())
    list(one.order)
    torch.rand(3, generator=one.terms)
    position = Position(2, 0, True, {"total": 1.5}, [{"epoch": 1}])
    random.seed(4)
    torch.manual_seed(4)
    np.random.seed(4)  # noqa: NPY002
    taken = Checkpoint.of(one, position)
    drawn = random.random(), torch.rand(2).tolist(), np.random.rand(2).tolist()  # noqa: NPY002
    file = tmp_path / CHECKPOINT
    file.write_bytes(taken.to_bytes({"images": "x", "processes": 1}))
    read, about = read_checkpoint(file)
    assert about == {"images": "x", "processes": 1}
    assert read.position == position
    other = stepped(parts(seed=1), 1)
    read.restore_weights(other.model)
    read.restore(other, 4)
    read.restore_random()
    assert (random.random(), torch.rand(2).tolist()) == drawn[:2]
    assert np.random.rand(2).tolist() == drawn[2]  # noqa: NPY002
    for name, value in one.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], value), name
    assert other.schedule.state_dict() == one.schedule.state_dict()
    assert other.optimizer.param_groups[0]["lr"] == one.optimizer.param_groups[0]["lr"]
    mine, theirs = (made.optimizer.state_dict()["state"] for made in (one, other))
    assert mine.keys() == theirs.keys()
    for number, state in mine.items():
        assert state.keys() == theirs[number].keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(value, theirs[number][key]) for key, value in state.items())
    assert list(other.order) == list(one.order)
    assert torch.equal(torch.rand(3, generator=other.terms), torch.rand(3, generator=one.terms))
    # and the next step is the same
    for made in (one, other):
        torch.manual_seed(8)
        stepped(made, 1)
    for name, value in one.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], value), name


def test_amid_an_epoch_the_images_of_the_steps_done_are_passed_over():
    one = parts()
    whole = list(parts().order)
    begun = iter(one.order)
    next(begun)
    taken = Checkpoint.of(one, Position(0, 2))
    other = parts(seed=3)
    taken.restore(other, 3)
    assert list(other.order) == whole[6:]
    # between two epochs the state is that of the next
    list(begun)
    after = Checkpoint.of(one, Position(1, 0))
    after.restore(other, 3)
    assert list(other.order) == list(one.order)


def test_a_state_of_another_version_is_refused(tmp_path):
    content = Checkpoint.of(parts(), Position()).to_bytes({})
    file = tmp_path / CHECKPOINT
    file.write_bytes(content.replace(b'\\"version\\": 1', b'\\"version\\": 2'))
    with pytest.raises(RunError, match="version 2"):
        read_checkpoint(file)
    with pytest.raises(RunError, match="not a checkpoint"):
        read_checkpoint(tmp_path / "nothing")


def test_a_fresh_position():
    assert asdict(Position()) == {"epoch": 0, "step": 0, "head": False, "sums": {}, "metrics": []}


def sample(number):
    return Sample(
        f"{number}",
        frozenset(["boat"] if number % 2 else ["cow"]),
        frozenset(["water"] if number % 3 == 0 else []),
        lambda: np.full((32, 32, 3), (number * 37) % 256, np.uint8),
        {},
        annotated=frozenset(["water"]),
    )


def planned(*assignments, samples=None):
    samples = samples or [sample(number) for number in range(16)]
    data = Dataset(
        "drawn", ("boat", "cow"), ("water",), {"train": samples[:10], "val": samples[10:]},
        object="boat", context="water",
    )  # fmt: skip
    usual = [
        "model.backbone=harbournet", "model.weights=none", "model.frozen=0", "data.image_size=32",
        "training.batch_size=5", "training.epochs=2",
    ]  # fmt: skip
    return make_plan(load_settings(None, [*usual, *assignments]), data)


def test_a_digest_tells_images_labels_and_contexts_apart():
    samples = [sample(number) for number in range(16)]
    one = _images(planned())
    assert one == _images(planned("training.epochs=4"))
    changed = [
        [replace(samples[0], labels=frozenset(["boat"])), *samples[1:]],
        [replace(samples[0], contexts=frozenset()), *samples[1:]],
        [replace(samples[0], id="other"), *samples[1:]],
        [*samples[:15], replace(samples[15], id="other")],  # one of val
        [samples[1], samples[0], *samples[2:]],
    ]
    assert len({one, *(_images(planned(samples=few)) for few in changed)}) == 6


def test_settings_that_differ_are_named_and_those_that_may_are_not(tmp_path):
    write_settings(tmp_path, planned().settings)
    assert _differences(tmp_path, planned()) == []
    assert kept_settings(tmp_path) == tmp_path / CONFIG
    free = [
        "training.workers=3", "training.checkpoint_steps=7", 'training.log="csv"',
        'training.device="cpu"', 'data.cache="off"',
    ]  # fmt: skip
    assert _differences(tmp_path, planned(*free)) == []
    found = _differences(tmp_path, planned("training.seed=4", "training.epochs=3", *free))
    assert sorted(found) == [("training.epochs", 2, 3), ("training.seed", 0, 4)]
    (tmp_path / CONFIG).write_text("[")
    assert _differences(tmp_path, planned()) is None
    (tmp_path / CONFIG).unlink()
    assert kept_settings(tmp_path) is None
    assert _differences(tmp_path, planned()) is None


def test_a_tree_of_settings_is_laid_flat():
    tree = {"a": 1, "b": {"c": {"d": 2}, "e": {}}, "f": {}, "g": [1]}
    assert _flat(tree) == {"a": 1, "b.c.d": 2, "g": [1]}


def test_a_folder_is_held_by_one(tmp_path):
    with (
        _held(tmp_path, wait=0.0),
        pytest.raises(RunError, match="another training writes there"),
        _held(tmp_path, wait=0.0),
    ):
        pass
    with _held(tmp_path, wait=0.0):
        assert (tmp_path / LOCK).exists()


def begun(folder, plan, **about):
    """A folder as a training leaves it that stopped."""
    folder.mkdir()
    write_settings(folder, plan.settings)
    (folder / LOCK).touch()
    given = {"images": _images(plan), "processes": 1, **about}
    (folder / CHECKPOINT).write_bytes(Checkpoint.of(parts(), Position()).to_bytes(given))
    return {file.name for file in folder.iterdir()}


def test_what_a_folder_holds_decides(tmp_path):
    plan = planned()
    folder = tmp_path / "stopped"
    there = begun(folder, plan)
    assert resumable._finished(folder, there, plan, resume=True) is False
    with pytest.raises(RunError, match=r"holds a training that stopped; add .*resume"):
        resumable._finished(folder, there, plan, resume=False)
    two = tmp_path / "two"
    there = begun(two, plan, processes=2)
    with pytest.raises(RunError, match="was begun by 2 processes, not 1; start 2 of them"):
        resumable._finished(two, there, plan, resume=True)
    other = tmp_path / "other"
    there = begun(other, plan, images="x")
    with pytest.raises(RunError, match="was begun on other images"):
        resumable._finished(other, there, plan, resume=True)


def test_what_a_killed_training_left_half_written_goes_and_all_else_is_refused(tmp_path):
    plan = planned()
    ours = {LOCK, CONFIG, METRICS, f"{CHECKPOINT}.partial", f"{CONFIG}.partial", STEPS_FILE}
    for name in ours:
        (tmp_path / name).touch()
    assert resumable._finished(tmp_path, ours, plan, resume=False) is False
    assert {file.name for file in tmp_path.iterdir()} == {LOCK, CONFIG, METRICS, STEPS_FILE}
    assert resumable._finished(tmp_path, set(), plan, resume=False) is False
    for there in ({*ours, "notes.txt"}, {CONFIG}, {"notes.txt"}):
        with pytest.raises(RunError, match="not an empty folder"):
            resumable._finished(tmp_path, there, plan, resume=False)
    (tmp_path / WEIGHTS).touch()
    with pytest.raises(RunError, match="not an empty folder"):
        resumable._finished(tmp_path, ours, plan, resume=False)


def test_what_failed_before_it_kept_anything_leaves_the_lock_alone(tmp_path):
    for name in (LOCK, CHECKPOINT, CONFIG, METRICS, STEPS_FILE, "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events").touch()
    resumable._clear(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {LOCK, "notes.txt"}


def test_a_keeper_that_is_asked_writes_where_it_stopped(tmp_path):
    made = FolderKeeper(tmp_path, {"images": "x"}, 0, Stop(asked=True), print)
    assert (made.load(), made.file) == (None, tmp_path / CHECKPOINT)
    for position, told in (
        (Position(1, 3), "stopped after step 3 of epoch 2, and kept"),
        (Position(4, 0), "stopped after epoch 4, and kept"),
    ):
        with pytest.raises(RunInterruptedError, match=told) as error:
            made.stepped(lambda at=position: Checkpoint.of(parts(), at))
        assert str(tmp_path) in error.value.hint
        again = FolderKeeper(tmp_path, {}, 0, Stop(), print)
        assert again.kept is False
        assert again.load().position == position
        assert again.kept is True
    made = FolderKeeper(tmp_path, {}, 0, Stop(), print)
    made.started(lambda: Checkpoint.of(parts(), Position()))
    assert made.load().position == Position()
    assert made.kept is False  # before the first step nothing is lost


def test_an_epoch_is_kept_with_its_metrics_before_a_stop(tmp_path):
    made = FolderKeeper(tmp_path, {}, 0, Stop(asked=True), print)
    with pytest.raises(RunInterruptedError, match="stopped after epoch 1, and kept"):
        made.epoch_done(lambda: Checkpoint.of(parts(), Position(1)), [{"epoch": 1}])
    assert (tmp_path / METRICS).read_text() == "epoch\n1\n"


def test_a_state_that_cannot_be_kept_is_told_at_once_and_once_until_it_can(tmp_path, monkeypatch):
    lines, full = [], [True]
    write = keeper.write_atomic

    def some(file, content):
        if full[0]:
            raise OSError(28, "No space left on device")
        write(file, content)

    monkeypatch.setattr(keeper, "write_atomic", some)
    made = FolderKeeper(tmp_path, {}, 1, Stop(), lines.append)
    seen = []
    for broken in (True, True, False, True, True):
        full[0] = broken
        made.stepped(lambda: Checkpoint.of(parts(), Position(0, 1)))
        seen.append((len(lines), made.kept))
    # once kept, a later failure leaves the state that was kept
    assert seen == [(1, False), (1, False), (1, True), (2, True), (2, True)]


def test_amid_an_epoch_the_state_is_kept_every_so_many_steps(tmp_path):
    made = FolderKeeper(tmp_path, {}, 4, Stop(), print)
    kept = []
    for step in range(1, 11):
        made.stepped(lambda at=step: kept.append(at) or Checkpoint.of(parts(), Position(0, at)))
    assert kept == [4, 8]
    assert made.load().position == Position(0, 8)


def test_a_log_goes_on_counting(tmp_path):
    for first in (0, 3):
        log = Logged("csv", tmp_path, Silent())
        for _ in range(3):
            log.step(1, 0.123456789)
        log.close()
        lines = (tmp_path / STEPS_FILE).read_text().splitlines()
        assert lines[0] == "epoch,step,loss_total"
        assert lines[1 + first :] == [f"1,{first + n},0.123457" for n in (1, 2, 3)]
    assert lines.count("epoch,step,loss_total") == 1


def test_no_log_is_the_one_who_is_told(tmp_path):
    silent = Silent()
    with logged("none", tmp_path, silent) as listener:
        assert listener is silent
    assert list(tmp_path.iterdir()) == []

    def breaking():
        with logged("csv", tmp_path, silent) as listener:
            listener.step(1, 2.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaking()
    assert (tmp_path / STEPS_FILE).read_text().endswith("1,1,2\n")  # closed all the same


class Told(Silent):
    def __init__(self):
        self.rows, self.steps, self.begun = [], [], None

    def start(self, epochs, steps):
        self.begun = (epochs, steps)

    def step(self, epoch, total):
        self.steps.append((epoch, total))

    def epoch(self, metrics):
        self.rows.append(metrics)


def test_the_loss_of_an_epoch_is_the_mean_of_its_steps():
    told = Told()
    trained = train(planned(), told)
    assert told.begun == (2, 2)
    assert [epoch for epoch, _ in told.steps] == [1, 1, 2, 2]
    for metrics, pair in zip(trained.metrics, (told.steps[:2], told.steps[2:]), strict=True):
        mean = (pair[0][1] + pair[1][1]) / 2
        assert metrics.losses["total"] == pytest.approx(mean, rel=1e-6)
    assert [metrics.epoch for metrics in told.rows] == [1, 2]


class Kept(loop.Keeper):
    """Keeps one state in a file."""

    def __init__(self, folder):
        self.file = folder / CHECKPOINT

    def keep(self, taken):
        self.file.write_bytes(taken.to_bytes({}))

    def load(self):
        return read_checkpoint(self.file)[0] if self.file.exists() else None


@pytest.mark.parametrize("stop", [(0, 2), (1, 1), (1, 2)])
def test_steps_that_were_done_before_are_told_again(tmp_path, stop):
    epochs, steps = stop

    class Keep(Kept):
        def stepped(self, take):
            taken = take()
            if (taken.position.epoch, taken.position.step) == stop:
                self.keep(taken)

    kept, whole, again = Keep(tmp_path), Told(), Told()
    first = train(planned("training.batch_size=3"), whole, kept)
    second = train(planned("training.batch_size=3"), again, kept)
    assert second.metrics == first.metrics
    assert [epoch for epoch, _ in again.steps] == [1, 1, 1, 2, 2, 2]
    done = 3 * epochs + steps
    assert again.steps[done:] == whole.steps[done:]
    assert again.steps[done - 1][1] == pytest.approx(
        sum(total for _, total in whole.steps[3 * epochs : done]) / steps
    )
    assert [row.epoch for row in again.rows] == list(range(epochs + 1, 3))
    for name, value in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value), name


@pytest.mark.parametrize("stop", [(0, 2), (1, 0)])
def test_each_step_meets_the_random_numbers_that_it_would_have_met(tmp_path, monkeypatch, stop):
    seen = []
    step = loop._Loop._step

    def noted(self, batch, progress):
        seen.append(torch.rand(()).item())  # as dropout would
        return step(self, batch, progress)

    monkeypatch.setattr(loop._Loop, "_step", noted)

    class Keep(Kept):
        def stepped(self, take):
            taken = take()
            if stop[1] and (taken.position.epoch, taken.position.step) == stop:
                self.keep(taken)

        def epoch_done(self, take, rows):
            taken = take()
            if not stop[1] and taken.position.epoch == stop[0]:
                self.keep(taken)

    kept, plan = Keep(tmp_path), planned("training.batch_size=3")
    train(plan, Silent(), kept)
    whole = seen[:]
    seen.clear()
    train(plan, Silent(), kept)
    assert len(set(whole)) == 6
    assert seen == whole[3 * stop[0] + stop[1] :]


def test_one_that_goes_on_after_the_last_epoch_answers_val_again(tmp_path):
    class Keep(Kept):
        def epoch_done(self, take, rows):
            self.keep(take())

    kept = Keep(tmp_path)
    first = train(planned(), Silent(), kept)
    told = Told()
    second = train(planned(), told, kept)
    assert told.rows == []
    assert second.operating_points == first.operating_points
    assert len(second.operating_points) == 2


def test_a_val_loss_that_is_no_number_is_told(monkeypatch):
    monkeypatch.setattr(loop._Loop, "_validate", lambda self: (0.5, float("nan")))
    with pytest.raises(
        RunFailedError, match=r"epoch 1: the val loss is nan; lower .*learning_rate"
    ):
        train(planned(), Silent())


def test_twenty_images_of_a_broken_step_are_named_and_the_rest_counted(monkeypatch):
    def broken(self, batch, progress):
        raise FloatingPointError("no number")

    monkeypatch.setattr(loop._Loop, "_step", broken)
    samples = [sample(number) for number in range(36)]
    data = planned().dataset
    for count, more in ((20, ""), (23, " and 3 more")):
        subsets = {"train": samples[:count], "val": samples[30:]}
        plan = replace(planned("training.batch_size=30"), dataset=replace(data, subsets=subsets))
        with pytest.raises(
            RunFailedError, match="epoch 1, step 1: no number; the images: "
        ) as told:
            train(plan, Silent())
        names = told.value.message.split("the images: ")[1]
        assert names.endswith(more)
        assert len(names.removesuffix(more).split(", ")) == 20


def test_a_phase_has_a_schedule_and_an_optimiser_of_its_own(monkeypatch):
    rates = []
    step = torch.optim.AdamW.step

    def noted(self, closure=None):
        rates.append((self.param_groups[0]["lr"], len(self.param_groups[0]["params"])))
        return step(self, closure)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    trained = train(planned("training.mode=last_layer", "training.learning_rate=0.01"), Silent())
    assert len(trained.metrics) == 2 + 3
    # two epochs of two steps; then three of the head alone, whose weight and bias are left
    for start, steps in ((0, 4), (4, 6)):
        expected = [0.01 * (1 + np.cos(np.pi * i / steps)) / 2 for i in range(steps)]
        assert [rate for rate, _ in rates[start : start + steps]] == pytest.approx(expected)
    assert {count for _, count in rates[4:]} == {2}
    assert min(count for _, count in rates[:4]) > 2


def test_what_each_process_gives_is_put_together_on_val(monkeypatch):
    monkeypatch.setattr(processes, "span", lambda total: range(2, total))
    seen = []

    def gathered(value):
        seen.append([len(part) for part in value[0]])
        return [([torch.zeros(2, 2)], [torch.zeros(2, 2)]), value]

    monkeypatch.setattr(processes, "gathered", gathered)
    plan = planned("training.batch_size=2")
    made = loop._Loop.__new__(loop._Loop)
    made.plan = plan
    made.val = loop.tensors(plan, plan.dataset.subset("val"))

    class Scores(nn.Module):
        def forward(self, images):
            red = images[:, 0].mean(dim=(1, 2))
            return type("Output", (), {"scores": torch.stack([red, -red], dim=1)})()

    class Accelerator:
        device = torch.device("cpu")

        @staticmethod
        def unwrap_model(guided):
            return type("Guided", (), {"classifier": Scores()})()

    made.guided, made.accelerator = None, Accelerator()
    scores, labels = made._answer_val()
    assert seen == [[2, 2]]  # two batches of two: the last four of the six
    red = [(number * 37) % 256 / 255 for number in range(12, 16)]
    assert scores[:, 0].tolist() == pytest.approx([0, 0, *red])
    assert labels[2:, 0].tolist() == [0, 1, 0, 1]
    assert scores.shape == labels.shape == (6, 2)


def test_epoch_metrics_are_what_they_are_called():
    assert asdict(EpochMetrics(1, {}, 0.5, 0.25)) == {
        "epoch": 1, "losses": {}, "val_accuracy": 0.5, "val_loss": 0.25,
    }  # fmt: skip
