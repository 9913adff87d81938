"""A signal to every process of a group, as Ctrl-C in a terminal and schedulers send it."""

import os
import signal
import time
from contextlib import suppress

import killing
import pytest

OPTIONS = [
    *(f"--set=data.options.{name}={n}" for name, n in (("train", 128), ("val", 16), ("group", 6))),
    *("--batch-size", "8", "--epochs", "1", "--image-size", "64"),
    "--set=training.checkpoint_steps=2",
]


def train(said, *arguments):
    """Call the command line in a group of processes of its own; what it says goes to a file."""
    from biasaudit.cli import main

    os.setsid()
    stream = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(stream, 2)
    main(["train", *arguments])


def begun(said, *arguments):
    process = killing.CONTEXT.Process(target=train, args=(said, *arguments))
    process.start()
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_loading_processes_outlive_it(tmp_path, number):
    folder, said = tmp_path / "run", tmp_path / "said"
    first = begun(said, *OPTIONS, "--workers", "1", "--out", str(folder))
    states = set()
    while len(states) < 2:  # the second is kept after steps: the loading process gives images
        assert first.exitcode is None
        time.sleep(0.02)
        with suppress(FileNotFoundError):
            states.add((folder / "checkpoint.safetensors").stat().st_mtime_ns)
    os.killpg(first.pid, number)
    first.join(60)
    assert first.exitcode == 130
    told = said.read_text()
    assert "Traceback" not in told
    assert told.splitlines()[-1].startswith("stopped after ")
    again = begun(tmp_path / "more", "--resume", "--workers", "0", "--out", str(folder))
    again.join()
    assert again.exitcode == 0
    assert (folder / "weights.safetensors").is_file()
    assert not (folder / "checkpoint.safetensors").exists()
