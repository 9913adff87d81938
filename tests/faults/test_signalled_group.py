"""A signal to every process of a group, as Ctrl-C in a terminal and schedulers send it."""

import os
import signal
import subprocess
import sys
import time

import pytest

OPTIONS = [
    *(f"--set=data.options.{name}={n}" for name, n in (("train", 160), ("val", 16), ("group", 6))),
    *("--batch-size", "8", "--epochs", "4", "--image-size", "64"),
]


def command(*arguments):
    code = "from biasaudit.cli import main; main()"
    return [sys.executable, "-c", code, "train", *arguments]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_loading_processes_outlive_it(tmp_path, number):
    folder = tmp_path / "run"
    begun = subprocess.Popen(
        command(*OPTIONS, "--workers", "1", "--out", str(folder)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    while not (folder / "metrics.csv").exists():  # the first epoch is done
        assert begun.poll() is None
        time.sleep(0.02)
    os.killpg(begun.pid, number)
    said = begun.communicate(timeout=60)[1]
    assert begun.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("stopped after ")
    again = subprocess.run(command("--resume", "--workers", "0", "--out", str(folder)), check=True)
    assert again.returncode == 0
    assert (folder / "weights.safetensors").is_file()
    assert not (folder / "checkpoint.safetensors").exists()
