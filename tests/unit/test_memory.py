"""Freed memory is kept where asked for, and given back after."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from biasaudit import memory

FAULTS = """
import contextlib, resource, sys
import torch
from biasaudit.memory import freed_memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
with freed_memory_kept(sys.argv[1]):
    faults()
    inside = faults()
print(before, inside, faults())
"""


def faults(device="cpu", **environment):
    command = [sys.executable, "-c", FAULTS, device]
    env = {**os.environ, "PYTHONPATH": str(Path(memory.__file__).parents[1]), **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return [int(count) for count in done.stdout.split()]


@pytest.mark.skipif(memory._glibc() is None, reason="glibc alone can be told")
def test_large_blocks_cost_no_page_faults_inside_and_are_given_back_after():
    before, inside, after = faults()
    assert inside < before / 10
    assert after > inside * 10


@pytest.mark.skipif(memory._glibc() is None, reason="glibc alone can be told")
@pytest.mark.parametrize(
    ("device", "environment"), [("cuda", {}), ("cpu", {"MALLOC_MMAP_MAX_": "65536"})]
)
def test_nothing_changes_beside_a_gpu_or_where_the_user_said_so(device, environment):
    before, inside, _ = faults(device, **environment)
    assert inside > before / 2


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.platform, "system", lambda: "Darwin")
    with memory.freed_memory_kept():
        pass
    assert memory._glibc() is None


class Library:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def mallopt(self, option, value):
        self.told.append((option, value))

    def malloc_trim(self, pad):
        self.told.append("trim")


def test_the_defaults_are_back_also_after_an_error(monkeypatch):
    library = Library()
    monkeypatch.setattr(memory, "_glibc", lambda: library)
    for name in memory._SAID_BY_USER:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KeyError), memory.freed_memory_kept():
        raise KeyError
    assert library.told == [(-4, 0), (-1, 2**31 - 1), (-4, 65536), (-1, 131072), "trim"]
