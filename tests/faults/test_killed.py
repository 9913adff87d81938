"""Killed at any moment: a training goes on to the same result, an audit is the old or the new."""

import random
import shutil
from pathlib import Path

import killing
import pytest

from biasaudit.results import Audit

MODES = {"counterfactual": 1, "last_layer": 0, "gain_ext": 0}
"""Mode to the steps between its checkpoints amid an epoch."""
SMALL = {"image_size": 32}
RESULT = ("weights.safetensors", "metrics.csv", "operating_points.json", "results.json")


def content(folder, names=RESULT):
    """Return the files of a run; results.json without the run's name, which is the folder's."""
    own = f'"name": "{Path(folder).name}"'.encode()
    return {name: (Path(folder) / name).read_bytes().replace(own, b"") for name in names}


def finished(folder, mode):
    """Train to the end, and audit."""
    ended, took = killing.run(killing.train, folder, mode, changes(mode))
    assert ended
    assert killing.run(killing.audit, folder, folder, 8)[0]
    return took


def changes(mode):
    return {"checkpoint_steps": MODES[mode], **SMALL}


def killed(folder, mode, draw, took):
    """Kill a training at a moment by the clock, or before a change of a file."""
    while True:
        if draw.random() < 0.5:
            seconds = draw.uniform(0.1, took)
            ended, _ = killing.run(killing.train, folder, mode, changes(mode), seconds=seconds)
        else:
            ended, _ = killing.run(killing.train, folder, mode, changes(mode), draw.randint(1, 40))
        if not ended:
            return
        shutil.rmtree(folder)  # the moment came too late


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a training of each mode leaves that nobody kills, and the seconds that it takes."""
    place, found = tmp_path_factory.mktemp("whole"), {}
    for mode in MODES:
        took = finished(place / mode, mode)
        found[mode] = content(place / mode), took
    return found


def trials(tmp_path, whole, number, seed):
    """Return those of so many killed trainings, gone on with, that ended otherwise."""
    draw = random.Random(seed)
    others = []
    for trial in range(number):
        mode = list(MODES)[trial % len(MODES)]
        expected, took = whole[mode]
        folder = tmp_path / f"trial-{trial}"
        killed(folder, mode, draw, took)
        if trial % 3 == 0:  # and once more while it goes on
            seconds = draw.uniform(0.1, took)
            killing.run(killing.train, folder, mode, changes(mode), seconds=seconds)
        finished(folder, mode)
        if content(folder) != expected:
            others.append((trial, mode))
        left = sorted(file.name for file in folder.iterdir())
        if any(name.endswith((".partial", ".lock", ".new")) for name in left):
            others.append((trial, left))
        shutil.rmtree(folder)
    return others


def test_a_killed_training_goes_on_to_the_same_weights_and_results(tmp_path, whole):
    assert trials(tmp_path, whole, 4, seed=1) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thirty_killed_trainings_go_on_to_the_same_weights_and_results(tmp_path, whole):
    assert trials(tmp_path, whole, 30, seed=0) == []


def audits_killed(tmp_path, number, seed):
    """Return how often a killed audit left the old one, the new one, and a mixture."""
    draw = random.Random(seed)
    run, target = tmp_path / "run", tmp_path / "audit"
    assert killing.run(killing.train, run, "baseline", SMALL)[0]
    assert killing.run(killing.audit, run, target, 8)[0]
    old = whole_audit(target)
    assert killing.run(killing.audit, run, tmp_path / "other", 4)[0]
    new = whole_audit(tmp_path / "other")
    assert old != new
    kept = tmp_path / "kept"
    shutil.copytree(target, kept)
    found = {"old": 0, "new": 0}
    for _ in range(number):
        killing.run(killing.audit, run, target, 4, draw.randint(8, 34))
        now = whole_audit(target)
        found["old" if now == old else "new" if now == new else "mixture"] += 1
        assert killing.run(killing.audit, run, target, 8)[0]
        assert whole_audit(target) == old
        assert sorted(file.name for file in target.iterdir()) == sorted(
            file.name for file in kept.iterdir()
        )
    return found


def whole_audit(folder):
    """Return what an audit's folder says to one who reads it."""
    read = Audit.load(folder)  # refuses a file that is not the one that results.json tells of
    names = ("results.json", "per_image.csv", "gallery.npz", "maps.npz")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()} | {
        "n": len(read.per_image)
    }


def test_a_killed_audit_is_the_old_or_the_new(tmp_path):
    found = audits_killed(tmp_path, 4, seed=3)
    assert found["old"]
    assert found["new"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thirty_killed_audits_are_the_old_or_the_new(tmp_path):
    found = audits_killed(tmp_path, 30, seed=0)
    assert found["old"] >= 5
    assert found["new"] >= 5


def test_a_killed_repair_leaves_a_whole_run_or_none(tmp_path):
    """A repaired run is written as any run that was in memory."""
    run, place = tmp_path / "run", tmp_path / "place"
    place.mkdir()
    assert killing.run(killing.train, run, "baseline", SMALL)[0]
    names = {"weights.safetensors", "config.json", "labels.json", "operating_points.json"}
    there = []
    for kill in (3, 12, 24, 60):
        ended, _ = killing.run(killing.save, run, place / "copy", kill)
        there.append((place / "copy").exists())
        assert there[-1] == ended
        if not ended:
            assert killing.run(killing.save, run, place / "copy")[0]
        assert content(place / "copy", names) == content(run, names)
        assert [file.name for file in place.iterdir()] == ["copy"]
        shutil.rmtree(place / "copy")
    assert there == [False, False, False, True]
