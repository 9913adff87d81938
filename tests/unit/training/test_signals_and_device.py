"""Requests to stop, and where a run computes."""

import signal
import threading

import pytest
import torch

from biasaudit.errors import ConfigError, RunInterruptedError
from biasaudit.training.device import deterministic, make_accelerator
from biasaudit.training.keeper import Follower, Keeper, asked_of_any, metrics_bytes
from biasaudit.training.signals import Stop, leave_signals_to_the_parent, stop_on_signals

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", BOTH)
def test_the_first_signal_asks_and_the_second_interrupts(number):
    before = {one: signal.getsignal(one) for one in BOTH}
    with stop_on_signals() as stop:
        assert not stop.asked
        signal.raise_signal(number)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert {signal.getsignal(one) for one in BOTH}.isdisjoint(before.values())
    assert {one: signal.getsignal(one) for one in BOTH} == before


def test_the_handlers_come_back_after_an_error():
    before = {one: signal.getsignal(one) for one in BOTH}
    with pytest.raises(ZeroDivisionError), stop_on_signals():
        raise ZeroDivisionError
    assert {one: signal.getsignal(one) for one in BOTH} == before


def test_a_handler_that_is_not_pythons_becomes_the_default(monkeypatch):
    set_to = []
    monkeypatch.setattr(signal, "signal", lambda number, to: set_to.append((number, to)))
    with stop_on_signals():
        set_to.clear()
    # what signal.signal gave for "before" here is None
    assert set_to == [(number, signal.SIG_DFL) for number in BOTH]


def test_another_thread_than_the_first_changes_nothing():
    before, found = signal.getsignal(signal.SIGINT), []

    def work():
        with stop_on_signals() as stop:
            found.append((stop.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, before)]


def test_a_loading_process_outlives_the_first_signal():
    before = {one: signal.getsignal(one) for one in BOTH}
    try:
        leave_signals_to_the_parent(0)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # the second would end it
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_who_follows_stops_where_any_process_was_asked():
    keeper = Follower(Stop())
    keeper.stepped(None)
    keeper.epoch_done(None, [])
    assert keeper.load() is None
    for call in (lambda one: one.stepped(None), lambda one: one.epoch_done(None, [])):
        with pytest.raises(RunInterruptedError, match="stopped with the others"):
            call(Follower(Stop(asked=True)))
    assert asked_of_any(Stop(asked=True)) is True
    assert asked_of_any(Stop()) is False


def test_one_process_stops_where_another_was_asked(monkeypatch):
    monkeypatch.setattr("biasaudit.processes.total", lambda value: value + 1)
    stop = Stop()
    assert asked_of_any(stop)
    assert stop.asked


def test_a_keeper_of_nothing_keeps_nothing():
    keeper = Keeper()
    assert keeper.load() is None
    assert [keeper.started(None), keeper.stepped(None), keeper.epoch_done(None, [])] == [None] * 3


def test_metrics_are_a_table_of_six_digits():
    rows = [{"epoch": 1, "loss": 1 / 3}, {"epoch": 2, "loss": 123456.789}]
    assert metrics_bytes(rows) == b"epoch,loss\n1,0.333333\n2,123457\n"


def test_on_the_cpu_algorithms_are_deterministic_and_memory_is_not_filled():
    memory = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    assert before == (False, True)
    with deterministic(torch.device("cpu")):
        assert torch.are_deterministic_algorithms_enabled()
        assert not memory.fill_uninitialized_memory
    assert (
        torch.are_deterministic_algorithms_enabled(),
        memory.fill_uninitialized_memory,
    ) == before
    for device in ("cuda", "mps"):
        with deterministic(torch.device(device)):
            assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(ZeroDivisionError), deterministic(torch.device("cpu")):
        raise ZeroDivisionError
    assert (
        torch.are_deterministic_algorithms_enabled(),
        memory.fill_uninitialized_memory,
    ) == before


def test_who_wants_determinism_on_a_gpu_keeps_it():
    torch.use_deterministic_algorithms(True)
    try:
        with deterministic(torch.device("cuda")):
            assert torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.fixture
def made(monkeypatch):
    """Arguments that accelerators were made with."""
    seen = []

    def accelerator(**given):
        seen.append(given)
        return given

    monkeypatch.setattr("biasaudit.training.device.Accelerator", accelerator)
    return seen


@pytest.mark.parametrize(
    ("device", "precision", "cpu", "mixed"),
    [("cpu", "fp32", True, "no"), ("auto", "fp32", False, "no"), ("cpu", "bf16", True, "bf16")],
)
def test_an_accelerator_is_made_as_asked(made, device, precision, cpu, mixed):
    for unused in (False, True):
        make_accelerator(device, precision, unused=unused)
        (handler,) = made[-1]["kwargs_handlers"]
        assert (made[-1]["cpu"], made[-1]["mixed_precision"]) == (cpu, mixed)
        assert (handler.broadcast_buffers, handler.find_unused_parameters) == (False, unused)
    make_accelerator(device, precision)
    assert made[-1]["kwargs_handlers"][0].find_unused_parameters is False


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_and_one_that_is_there_is_used(
    made, monkeypatch, device
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: device == "mps")
    make_accelerator(device, "fp32")
    assert made[-1]["cpu"] is False
    other = {"cuda": "mps", "mps": "cuda"}[device]
    with pytest.raises(ConfigError, match=f"device={other}: there is none on this machine; use "):
        make_accelerator(other, "fp32")


def test_a_process_that_computes_otherwise_already_says_so(monkeypatch):
    def refusing(**given):
        raise ValueError("already on the CPU")

    monkeypatch.setattr("biasaudit.training.device.Accelerator", refusing)
    with pytest.raises(ConfigError, match=r"device=auto and .*precision=bf16: already on the CPU"):
        make_accelerator("auto", "bf16")
