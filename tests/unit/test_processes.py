"""One process alone, and what a launcher's environment says; two are in test_many_devices."""

import pytest
import torch

from biasaudit import processes
from biasaudit.errors import DataError, RunFailedError
from biasaudit.models.shared_norm import (
    SharedBatchNorm2d,
    mean_of_all,
    share_batch_norm,
    sum_of_all,
)


@pytest.mark.parametrize(
    ("rank", "size", "expected"),
    [
        (None, None, (0, 1)), ("1", "4", (1, 4)), ("0", "1", (0, 1)), ("x", "2", (0, 1)),
        ("2", "2", (0, 1)), ("-1", "2", (0, 1)), ("0", "", (0, 1)),
    ],
)  # fmt: skip
def test_what_a_launcher_says(monkeypatch, rank, size, expected):
    for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert processes.launched() == expected
    assert processes.first() == (expected[0] == 0)
    assert processes.called() == f"process {expected[0] + 1} of {expected[1]}"


def test_one_process_gives_what_it_is_given():
    values = torch.arange(6.0).view(2, 3)
    assert (processes.count(), processes.number(), processes.span(7)) == (1, 0, range(7))
    assert processes.gathered("a") == ["a"]
    assert processes.told("a") == "a"
    assert processes.total(3) == 3
    assert processes.averaged([torch.tensor(0.5), torch.tensor([2.0])]).tolist() == [0.5, 2.0]
    assert processes.rows_of_all(values) is values
    assert sum_of_all(values) is values
    assert processes.shared(lambda: 5) == [5]
    with processes.together("cpu"):
        assert processes.count() == 1
    processes.leave()


@pytest.mark.parametrize(
    ("number", "expected"), [(0, range(1)), (1, range(1, 3)), (2, range(3, 5))]
)
def test_parts_differ_by_one_at_most(monkeypatch, number, expected):
    monkeypatch.setattr(processes, "count", lambda: 3)
    monkeypatch.setattr(processes, "number", lambda: number)
    assert processes.span(5) == expected


def test_mean_of_no_value_is_zero_and_has_a_gradient():
    weight = torch.ones(3, requires_grad=True)
    mean = mean_of_all(weight[:0].sum(), 0)
    mean.backward()
    assert float(mean.detach()) == 0.0
    assert weight.grad.tolist() == [0, 0, 0]
    assert float(mean_of_all(torch.tensor(6.0), 4)) == 1.5


def test_a_lost_process_is_told_apart_from_a_fault_of_this_one(monkeypatch):
    gone = RuntimeError("[gloo/transport/tcp/pair.cc:545] Connection closed by peer [::1]:1")
    with pytest.raises(RuntimeError, match="gloo"), processes.loss_told():
        raise gone  # there is one process
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RunFailedError, match="another process ended"), processes.loss_told():
        raise gone
    with pytest.raises(RuntimeError, match="shape"), processes.loss_told():
        raise RuntimeError("shape mismatch")
    with pytest.raises(DataError), processes.loss_told():
        raise DataError("gloo.jpg: not an image")


def test_shared_batch_norm_keeps_parameters_and_is_torchs_in_one_process():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    twin = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    twin.load_state_dict(model.state_dict())
    share_batch_norm(model)
    assert type(model[1]) is SharedBatchNorm2d
    assert list(model.state_dict()) == list(twin.state_dict())
    images = torch.rand(5, 3, 6, 6)
    assert torch.equal(model(images), twin(images))
    assert torch.equal(model[1].running_var, twin[1].running_var)
