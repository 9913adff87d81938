"""The state of a training, as a file and back."""

import json

import numpy as np
import pytest
import torch

from biasaudit.errors import RunError
from biasaudit.training.checkpoint import read_checkpoint
from biasaudit.training.streams import Order


def order(seed=3, n=10):
    generator = torch.Generator().manual_seed(seed)
    images = range(n)
    return Order(torch.utils.data.RandomSampler(images, generator=generator), generator)


def test_an_order_begun_amid_an_epoch_is_what_was_left_of_it():
    whole = order()
    epochs = [list(whole) for _ in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3
    first = order()
    list(first)
    begun = iter(first)
    assert [next(begun) for _ in range(4)] == epochs[1][:4]
    second = order(seed=99)
    second.go_on(first.state(begun=True), 4)
    assert [list(second), list(second)] == [epochs[1][4:], epochs[2]]
    between = order()
    list(between)
    third = order(seed=99)
    third.go_on(between.state(begun=False), 0)
    assert [list(third), list(third)] == epochs[1:]


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x80\x04K\x01.", (10**15).to_bytes(8, "little") + b"{}"]
)
def test_a_file_that_is_none_is_refused(tmp_path, content):
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(content)
    with pytest.raises(RunError, match="not a checkpoint that can be gone on from"):
        read_checkpoint(file)


@pytest.mark.parametrize(
    "told", [None, "{", "[]", "{}", json.dumps({"version": 2}), json.dumps({"version": 1})]
)
def test_a_header_that_lacks_something_is_refused(tmp_path, told):
    from safetensors.numpy import save_file

    file = tmp_path / "checkpoint.safetensors"
    metadata = None if told is None else {"biasaudit": told}
    save_file({"model.a": np.zeros(1)}, file, metadata=metadata)
    with pytest.raises(RunError, match="not a checkpoint that can be gone on from"):
        read_checkpoint(file)
