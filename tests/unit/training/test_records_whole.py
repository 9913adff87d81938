"""A run in memory, in its folder and read again; what its records say."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from biasaudit.config import load_settings
from biasaudit.data.annotation.labels import LabelChoice, LabelEntry
from biasaudit.errors import BiasAuditError, RunError
from biasaudit.models.backbones import BACKBONES
from biasaudit.statistics import OperatingPoint
from biasaudit.training.keeper import METRICS
from biasaudit.training.loop import EpochMetrics
from biasaudit.training.run_directory import (
    CONFIG,
    ENVIRONMENT,
    LABELS,
    OPERATING_POINTS,
    REPAIR,
    RUN,
    WEIGHTS,
    RunRecord,
    environment,
    make_folder,
    prepare,
    read_run,
)
from biasaudit.training.run_records import told_of_repair

CLASSES = ("boat", "cow")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return BACKBONES["harbournet"].build(2).eval()


def record(model=None, *assignments, entries=(), **changes):
    usual = ["model.backbone=harbournet", "data.image_size=32"]
    given = {
        "path": None,
        "name": "baseline-seed0",
        "settings": load_settings(None, [*usual, *assignments]),
        "labels": LabelChoice(("boat",), 0, len(entries), 0, tuple(entries)),
        "classes": CLASSES,
        "device": "cpu",
        "environment": {"python": "3"},
        "operating_points": {"boat": OperatingPoint(4, 2, 1.5, 0.25, 0.7, 0.6)},
        "metrics": (EpochMetrics(1, {"total": 0.5}, 0.75, 0.4),),
        "model": model,
    }
    return RunRecord(**{**given, **changes})


ONE = (LabelEntry("a", "mask", "boat"),)


@pytest.mark.parametrize(
    ("assignments", "entries", "repair", "mode"),
    [
        ([], (), None, "baseline"),
        ([], (), {}, "baseline+repair"),
        (["training.mode=gain", 'training.loss="softmax"'], (), None, "gain-softmax"),
        (['model.attention_module="rfga"'], (), None, "baseline-rfga"),
        (["training.mode=rrr", 'data.regions="shuffled"'], ONE, None, "rrr-shuffled"),
        (["training.mode=rrr", 'data.regions="shuffled"'], (), None, "rrr"),
        (["training.mode=rrr"], ONE, None, "rrr"),
        (
            ['training.loss="softmax"', 'model.attention_module="rfga"', 'data.regions="shuffled"'],
            ONE,
            {},
            "baseline-softmax-rfga-shuffled+repair",
        ),
    ],
)
def test_a_mode_says_what_was_done(assignments, entries, repair, mode):
    assert record(None, *assignments, entries=entries, repair=repair).mode == mode


def test_a_run_is_written_whole_and_read_again(model, tmp_path):
    told = {
        "repaired": "runs/a", "object": "boat", "layer": "head.linear", "pixel_labels": 1,
        "box_labels": 0, "labels_by_form": {"mask": 1}, "edits": {"pasted": 8},
        "chosen": {"dose": 0.3, "strength": 20.0}, "settings": {},
    }  # fmt: skip
    given = record(model, entries=ONE, repair=told)
    saved = given.save(tmp_path / "run")
    assert saved.path == tmp_path / "run"
    assert {file.name for file in saved.path.iterdir()} == {
        CONFIG, RUN, ENVIRONMENT, LABELS, METRICS, OPERATING_POINTS, REPAIR, WEIGHTS,
    }  # fmt: skip
    assert json.loads((saved.path / RUN).read_text()) == {
        "name": "baseline-seed0", "classes": ["boat", "cow"], "device": "cpu",
    }  # fmt: skip
    points = json.loads((saved.path / OPERATING_POINTS).read_text())
    assert points["subset"] == "val"
    assert points["classes"]["boat"]["threshold"] == 0.25
    assert (saved.path / METRICS).read_text().splitlines()[1] == "1,0.5,0.75,0.4"
    read = read_run(saved.path)
    assert (read.name, read.classes, read.device) == ("baseline-seed0", CLASSES, "cpu")
    assert (read.labels, read.settings, read.repair) == (given.labels, given.settings, told)
    assert read.operating_points == given.operating_points
    assert read.environment == {"python": "3"}
    assert (read.metrics, read.val_accuracy, given.val_accuracy) == ((), None, 0.75)
    loaded = read.load_model()
    assert not loaded.training
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images).scores, model(images).scores)


def test_a_run_without_points_or_repair_says_so(model, tmp_path):
    saved = record(model, operating_points=None, metrics=()).save(tmp_path / "run")
    assert not (saved.path / REPAIR).exists()
    assert read_run(saved.path).operating_points == {}
    (saved.path / OPERATING_POINTS).unlink()
    read = read_run(saved.path)
    assert (read.operating_points, read.repair) == (None, None)


def test_the_last_epoch_is_the_one_that_counts():
    rows = tuple(EpochMetrics(n, {}, n / 10, 0.3) for n in (1, 2, 3))
    assert record(metrics=rows).val_accuracy == 0.3
    assert EpochMetrics(2, {"total": 0.5, "mining": 0.1}, 0.9, 0.3).row() == {
        "epoch": 2, "loss_total": 0.5, "loss_mining": 0.1, "val_accuracy": 0.9, "val_loss": 0.3,
    }  # fmt: skip


def test_a_run_is_called_by_its_folder_unless_that_has_no_name(tmp_path):
    given = record()
    assert given.called(tmp_path / "mine").name == "mine"
    for nameless in ("", ".", ".."):
        assert given.called(Path(nameless)).name == "baseline-seed0"


def test_a_run_in_memory_without_weights_cannot_answer():
    with pytest.raises(RunError, match="baseline-seed0: has neither weights nor a folder"):
        record().load_model()


def test_weights_of_another_network_are_refused(model, tmp_path):
    saved = record(model).save(tmp_path / "run")
    three = json.loads((saved.path / RUN).read_text())
    three["classes"] = ["boat", "cow", "tree"]
    (saved.path / RUN).write_text(json.dumps(three))
    told = r"weights\.safetensors: does not fit config\.json \(size mismatch for "
    with pytest.raises(RunError, match=told):
        read_run(saved.path).load_model()


def test_weights_that_were_cut_off_are_refused(model, tmp_path):
    saved = record(model).save(tmp_path / "run")
    weights = saved.path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    told = r"weights\.safetensors: not a file of weights .*; train the run again"
    with pytest.raises(RunError, match=told):
        read_run(saved.path).load_model()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": {"backbone": None}}, r"model\.backbone is missing"),
        ({"data": {"image_size": None}}, r"data\.image_size is missing"),
        ({"model": {"backbone": "harbornet"}}, "harbournet"),
        ({"model": {"attention_module": "rfgb"}}, "rfga"),
        ({"data": {"image_size": "wide"}}, "records cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(model, tmp_path, change, told):
    saved = record(model).save(tmp_path / "run")
    settings = json.loads((saved.path / CONFIG).read_text())
    for section, values in change.items():
        settings[section] |= values
    (saved.path / CONFIG).write_text(json.dumps(settings))
    with pytest.raises(RunError, match=told) as error:
        read_run(saved.path)
    assert CONFIG in str(error.value)


def test_a_training_that_stopped_is_no_run(tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match=r"a training that stopped before its end.*resume"):
        read_run(tmp_path)


def test_a_run_without_neighbours_says_what_writes_runs(tmp_path):
    with pytest.raises(RunError, match="no such folder; give a folder that 'biasaudit train'"):
        read_run(tmp_path / "nothing")
    (tmp_path / "bare").mkdir()
    with pytest.raises(RunError, match=r"not a finished run \(it holds no config\.json\)"):
        read_run(tmp_path / "bare")


def test_folders_are_made_with_those_above_and_may_be_there(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "a" / "b" / "note").write_text("mine")
    assert make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    (tmp_path / "file").write_text("")
    for wrong in (make_folder, prepare):
        with pytest.raises(BiasAuditError, match="not an empty folder"):
            wrong(tmp_path / "file")
    assert prepare(tmp_path / "new") == tmp_path / "new"
    assert not (tmp_path / "new").exists()


def test_the_environment_names_what_may_change_a_result(monkeypatch):
    told = environment()
    assert set(told) == {
        "python", "platform", "biasaudit", "torch", "torchvision", "numpy", "accelerate",
        "threads", "processes", "gpu",
    }  # fmt: skip
    assert told["numpy"] == version("numpy")
    assert (told["threads"], told["processes"]) == (torch.get_num_threads(), 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert environment()["gpu"] is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    assert environment()["gpu"] == "a card"


def test_what_results_say_of_a_repair():
    assert told_of_repair(None) == {}
    kept = {
        "repaired": "runs/a", "object": "boat", "layer": "fc", "edits": {"pasted": 8},
        "settings": {"seed": 0},
    }  # fmt: skip
    chosen = {"dose": 0.3, "strength": 20.0, "balance": 1.5, "found": 0.5, "crops": 0.0}
    record = {**kept, "chosen": chosen, "candidates": [1, 2], "context_labels": []}
    assert told_of_repair(record) == {"repair": {**kept, "chosen": {"dose": 0.3, "strength": 20.0}}}
    more = told_of_repair({**record, "context_labels": ["water"], "foregrounds": {"kept": 3}})
    assert more["repair"]["chosen"] == {
        "dose": 0.3, "strength": 20.0, "balance": 1.5, "found": 0.5,
    }  # fmt: skip
    assert more["repair"]["foregrounds"] == {"kept": 3}
    assert told_of_repair({"chosen": {}})["repair"]["object"] is None
