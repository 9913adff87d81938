"""The log of every step: what was told, line by line."""

import sys

import pytest

from biasaudit.errors import ConfigError
from biasaudit.training.log import Logged
from biasaudit.training.loop import EpochMetrics, Silent

LOSSES = [0.7, 0.65, 0.5, 0.25]


def run(log):
    log.start(2, 2)
    for number, loss in enumerate(LOSSES):
        log.step(number // 2 + 1, loss)
        if number % 2:
            log.epoch(EpochMetrics(number // 2 + 1, {"total": loss}, 0.5 + number / 10, 0.3))
    log.close()


def test_a_table_has_a_line_a_step(tmp_path):
    run(Logged("csv", tmp_path, Silent()))
    assert (tmp_path / "steps.csv").read_text() == (
        "epoch,step,loss_total\n1,1,0.7\n1,2,0.65\n2,3,0.5\n2,4,0.25\n"
    )


def test_the_table_is_there_while_training_goes_on(tmp_path):
    log = Logged("csv", tmp_path, Silent())
    log.start(2, 1)
    log.step(1, 0.5)
    log.epoch(EpochMetrics(1, {}, 0.5, 0.3))
    assert (tmp_path / "steps.csv").read_text().endswith("1,1,0.5\n")
    log.close()


def test_the_one_who_is_told_is_told_of_everything(tmp_path):
    heard = []

    class Listener:
        def start(self, epochs, steps):
            heard.append((epochs, steps))

        def step(self, epoch, total):
            heard.append(total)

        def epoch(self, metrics):
            heard.append(metrics.epoch)

    run(Logged("csv", tmp_path, Listener()))
    assert heard == [(2, 2), 0.7, 0.65, 1, 0.5, 0.25, 2]


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigError, match=r"pip install 'biasaudit\[tensorboard\]'"):
        Logged("tensorboard", tmp_path, Silent())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_the_events(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(Logged("tensorboard", tmp_path, Silent()))
    found = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    steps = found.Scalars("step/loss_total")
    assert [(one.step, one.value) for one in steps] == [
        (number, pytest.approx(loss)) for number, loss in enumerate(LOSSES, 1)
    ]
    assert [one.value for one in found.Scalars("epoch/val_accuracy")] == pytest.approx([0.6, 0.8])
