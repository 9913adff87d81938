"""The batch size that is found: the largest that fits, and a training that does not notice."""

import json

import pytest
import torch

from biasaudit import api, memory, processes
from biasaudit.config import load_settings
from biasaudit.errors import BiasAuditError, ConfigError, RunFailedError
from biasaudit.training import batch_size, trial
from biasaudit.training.batch_size import largest, sized
from biasaudit.training.device import make_accelerator
from biasaudit.training.plan import make_plan
from biasaudit.training.trial import Trial

SMALL = ["data.options.train=40", "data.options.val=20", "data.options.group=4"]
SMALL.append("data.image_size=32")
GIB = 1 << 30


def planned(*more, mode="gain_ext", labels=4):
    return make_plan(
        load_settings(
            None,
            [*SMALL, "training.batch_size=auto", "training.epochs=1", *more],
            {"training.mode": mode, "data.pixel_labels": labels},
        )
    )


def found(plan):
    lines = []
    size = sized(plan, lines.append).settings.training.batch_size
    assert len(lines) == 1
    assert f"{size} images a step" in lines[0]
    return size


@pytest.mark.parametrize(
    ("start", "least", "most", "limit", "expected"),
    [
        (32, 1, 1000, 32, 32),
        (32, 1, 1000, 63, 32),
        (32, 1, 1000, 64, 64),
        (32, 1, 1000, 10_000, 512),
        (32, 1, 20, 10_000, 20),
        (32, 1, 20, 19, 10),
        (32, 1, 1000, 7, 4),
        (12, 2, 1000, 2, 2),
        (12, 2, 1000, 1, None),
        (16, 1, 1, 5, 1),
    ],
)
def test_the_largest_size_is_the_start_doubled_or_halved(start, least, most, limit, expected):
    asked = []

    def fits(size):
        asked.append(size)
        return size <= limit

    assert largest(start, least, most, fits) == expected
    assert len(asked) == len(set(asked))
    assert all(least <= size <= most for size in asked)


@pytest.mark.parametrize("mode", ["gain", "counterfactual", "rrr"])
def test_a_peak_extrapolated_from_two_small_steps_covers_that_of_a_large_one(mode):
    """What decides on a CPU: half of what is free, so that a seventh less does no harm."""
    plan = planned(mode=mode)
    trial = Trial(plan, make_accelerator("cpu", "fp32"))
    first, second, large = (trial.peak(size) for size in (8, 16, 40))
    assert 0.85 * large <= second + (second - first) / 8 * 24 <= 1.4 * large


def test_more_memory_gives_more_images_and_never_more_than_there_are(monkeypatch):
    plan = planned("data.cache=off", mode="baseline", labels=0)
    monkeypatch.setattr(batch_size, "free_bytes", lambda: 64 * GIB)
    assert found(plan) == 32
    trial = Trial(plan, make_accelerator("cpu", "fp32"))
    eight, sixteen = (trial.peak(size) for size in (8, 16))
    share = batch_size.SHARE_OF_HOST
    for room, expected in ((sixteen, 16), (sixteen - 1, 8), (eight - 1, 4)):
        monkeypatch.setattr(batch_size, "free_bytes", lambda room=room: int(room / share) + 1)
        assert found(plan) == expected
    monkeypatch.setattr(batch_size, "free_bytes", lambda: 1000)
    with pytest.raises(RunFailedError, match="not even the smallest step"):
        sized(plan, pytest.fail)
    monkeypatch.setattr(batch_size, "free_bytes", lambda: None)
    with pytest.raises(ConfigError, match="give a number"):
        sized(plan, pytest.fail)


def test_images_kept_in_memory_and_other_processes_leave_less_for_a_step(monkeypatch):
    """60 images of 32 px, one byte a colour; the frozen layers' outputs are a GiB at the most."""
    kept = Trial(planned(), make_accelerator("cpu", "fp32")).kept
    assert kept == 60 * 3 * 32 * 32 + GIB
    plan = planned("data.cache=off")
    sixteen = Trial(plan, make_accelerator("cpu", "fp32")).peak(16)
    room = int(sixteen / batch_size.SHARE_OF_HOST) + 1
    monkeypatch.setattr(batch_size, "free_bytes", lambda: room)
    assert found(plan) == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert processes.count_here() == 2
    assert found(plan) == 4


def test_steps_are_tried_with_the_images_that_are_drawn_from(monkeypatch):
    weights = [0.0, 0.0, *[1.0] * 38]
    monkeypatch.setattr(trial, "group_weights", lambda *_: weights)
    plain, balanced = (
        Trial(planned(mode=mode, labels=0), make_accelerator("cpu", "fp32"))
        for mode in ("baseline", "upweight")
    )
    assert (plain.most, balanced.most) == (40, 38)
    # two that show most classes, and one that shows fewest
    shown = plain._batch(3).labels.sum(dim=1).tolist()
    counts = sorted((len(s.labels) for s in planned().dataset.subset("train")), reverse=True)
    assert shown == [counts[0], counts[1], counts[-1]]
    assert counts[1] > counts[-1]


def test_on_a_device_the_step_that_runs_out_of_memory_ends_the_search(monkeypatch):
    plan = planned("data.options.train=400")
    accelerator = make_accelerator("cpu", "fp32")
    trial = Trial(plan, accelerator)
    tried = []

    def steps(self, size):
        tried.append(size)
        if size > 100:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return 0

    monkeypatch.setattr(Trial, "steps", steps)
    assert largest(32, 2, 400, batch_size._fits_device(trial)) == 64
    assert tried == [32, 64, 128]

    def broken(self, size):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Trial, "steps", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        batch_size._fits_device(trial)(32)


def test_the_training_is_that_of_the_same_number_given_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_size, "free_bytes", lambda: 64 * GIB)
    data = api.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    asked = {"pixel_labels": 4, "epochs": 2, "labels_per_step": 4, "image_size": 32}
    notes = []
    torch.manual_seed(11)
    before = torch.get_rng_state()
    run = api.train(
        data, "gain_ext", out=tmp_path / "auto", note=notes.append, batch_size="auto", **asked
    )
    assert any("32 images a step" in line for line in notes)
    kept = json.loads((tmp_path / "auto" / "config.json").read_text(encoding="utf-8"))
    assert kept["training"]["batch_size"] == 32
    hand = api.train(data, "gain_ext", batch_size=32, **asked)
    bare = api.train(data, "gain_ext", batch_size="auto", **asked)
    for other in (hand, bare):
        for name, value in run.model.state_dict().items():
            assert torch.equal(value, other.model.state_dict()[name]), name
    torch.set_rng_state(before)
    sized(planned(), notes.append)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_that_stopped_goes_on_with_the_number_it_was_begun_with(tmp_path, monkeypatch):
    class Stop:
        def start(self, epochs, steps): ...

        def step(self, epoch, total):
            if epoch == 2:
                raise KeyboardInterrupt

        def epoch(self, metrics): ...

    monkeypatch.setattr(batch_size, "free_bytes", lambda: 64 * GIB)
    data = api.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    asked = {"epochs": 2, "batch_size": "auto", "image_size": 32}
    with pytest.raises(KeyboardInterrupt):
        api.train(data, parent=tmp_path, progress=Stop(), **asked)
    monkeypatch.setattr(batch_size, "sized", lambda *_: pytest.fail("looked for anew"))
    monkeypatch.setattr("biasaudit.training.resumable.sized", lambda *_: pytest.fail("anew"))
    run = api.train(data, parent=tmp_path, resume=True, **asked)
    assert run.settings.training.batch_size == 32
    assert [folder.name for folder in tmp_path.iterdir()] == [run.path.name]
    again = api.train(data, out=run.path, resume=True, **asked)
    assert again.path == run.path


@pytest.mark.parametrize("value", ["0", "many", "1.5"])
def test_another_word_or_no_image_is_refused_in_one_line(value):
    with pytest.raises(ConfigError, match=r"batch_size: input should .*, or 'auto'$") as told:
        load_settings(None, [f"training.batch_size={value}"])
    assert told.value.field == "training.batch_size"


def test_a_reproduction_wants_a_number(tmp_path):
    from biasaudit.reproduce.paper import PROTOCOLS
    from biasaudit.reproduce.plan import Changes, plan_jobs

    data = api.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    changes = Changes({"training.batch_size": "auto", "model.backbone": "harbournet"}, {})
    with pytest.raises(BiasAuditError, match="states its steps"):
        plan_jobs(PROTOCOLS["voc2012-table4"], data, [0], changes, tmp_path)


def test_free_memory_is_at_most_what_a_container_leaves(tmp_path, monkeypatch):
    system, group = tmp_path / "meminfo", tmp_path / "group"
    system.write_text("MemTotal: 9000 kB\nMemAvailable:    3000 kB\n", encoding="ascii")
    group.mkdir()
    bound = group / "memory.max"
    (group / "memory.current").write_text("1500000\n", encoding="ascii")
    (group / "memory.stat").write_text("anon 7\ninactive_file 500000\n", encoding="ascii")
    monkeypatch.setattr(memory, "_SYSTEM", system)
    monkeypatch.setattr(
        memory, "_GROUPS", [(group, "memory.max", "memory.current", "inactive_file")]
    )
    assert memory.free_bytes() == 3000 * 1024  # no bound is written
    bound.write_text("max\n", encoding="ascii")
    assert memory.free_bytes() == 3000 * 1024
    bound.write_text("2000000\n", encoding="ascii")
    assert memory.free_bytes() == 2_000_000 - 1_000_000
    bound.write_text("900000\n", encoding="ascii")
    assert memory.free_bytes() == 0


def test_a_peak_is_the_most_that_is_held_at_once():
    def run():
        first = torch.ones(1000)
        del first
        second = torch.ones(500)
        return second, torch.ones(250)

    assert memory.peak_bytes(run, torch.device("cpu")) == 4000


def test_a_process_apart_is_alone():
    class Meeting:
        def is_available(self):
            return True

        def is_initialized(self):
            return True

        def get_world_size(self):
            return 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "torch.distributed", Meeting())
        assert processes.count() == 3
        with processes.apart():
            assert processes.count() == 1
        assert processes.count() == 3
