"""Mutated inputs: each is taken, or refused in one line that names the file, with exit code 2.

No traceback, no signal, no hang, no memory without bound: each campaign is a process of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
QUICK = (
    "coco,voc,folder,manifest,pictures,settings,weights",
    "run,results,segmenter,beside,examples",
    "options",
)
EVERY = (
    "coco",
    "voc",
    "folder",
    "manifest",
    "pictures",
    "settings",
    "weights",
    "run",
    "segmenter",
    "beside",
    "examples",
    "options",
)


def campaign(names, seed, count):
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.campaign", names, str(seed), str(count)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"signal or crash {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def assert_sound(found, least):
    assert found["failures"] == []
    assert found["tried"] >= least
    assert found["refused"] > found["tried"] // 4
    assert found["grown"] < 1 << 30
    assert found["slowest"] < 5


@pytest.mark.parametrize(("names", "count"), list(zip(QUICK, (40, 12, 40), strict=True)))
def test_mutated_inputs(names, count):
    assert_sound(campaign(names, 1, count), count * len(names.split(",")))


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "count"), [*((name, 600) for name in EVERY), ("results", 400)])
def test_many_mutated_inputs(name, count):
    """6,400 in all."""
    assert_sound(campaign(name, 2, count), count)
