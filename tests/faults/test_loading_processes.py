"""Loading processes that fail or are killed: said, and the command ends at once."""

import multiprocessing
import os
import signal

import killing
import pytest

from biasaudit.errors import DataError

OPTIONS = [
    *(f"--set=data.options.{name}={n}" for name, n in (("train", 64), ("val", 16), ("group", 6))),
    *("--batch-size", "8", "--epochs", "1", "--image-size", "32", "--device", "cpu"),
    *("--workers", "2"),
]


def unreadable():
    raise DataError("3.png: not an image that can be read")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def train(folder, fail):
    """Call the command line; what loads an image amid the epoch fails."""
    import torch

    from biasaudit.cli import main
    from biasaudit.data.loading import batches

    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # so that they inherit what fails
    load, here = batches.SampleTensors.__getitem__, os.getpid()

    def failing(images, index):
        if index == 3 and os.getpid() != here:
            fail()
        return load(images, index)

    batches.SampleTensors.__getitem__ = failing
    os.dup2(os.open(folder / "said", os.O_WRONLY | os.O_CREAT), 2)
    main(["train", *OPTIONS, "--out", str(folder / "run")])


@pytest.mark.parametrize(
    ("fail", "code", "line"),
    [
        (unreadable, 2, "error: 3.png: not an image that can be read"),
        (killed, 3, "error: a process that loads images was killed"),
    ],
)
def test_a_training_ends_where_they_do(tmp_path, fail, code, line):
    process = killing.CONTEXT.Process(target=train, args=(tmp_path, fail))
    process.start()
    process.join(60)
    ended = process.exitcode
    process.kill()
    process.join()
    said = (tmp_path / "said").read_text("utf-8")
    assert said.splitlines()[-1].startswith(line)
    assert ended == code
