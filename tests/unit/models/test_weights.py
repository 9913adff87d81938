"""Files of weights, as an aborted download or a stranger leaves them."""

import io
import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save

from biasaudit.errors import ConfigError
from biasaudit.models.weights import read_state

STATE = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.ones(3)}


def saved(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


WHOLE = saved(STATE)


def packed():
    """The archive of a state dict with its members deflated, one of which grows a thousandfold."""
    buffer = io.BytesIO()
    big = saved({"a": torch.zeros(1 << 22)})
    with (
        zipfile.ZipFile(io.BytesIO(big)) as given,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in given.namelist():
            made.writestr(name, given.read(name))
    return buffer.getvalue()


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pickled",)


BROKEN = {
    "empty.pth": b"",
    "text.pth": b"not found\n",
    "html.safetensors": b"<html></html>",
    "half.pth": WHOLE[: len(WHOLE) // 2],
    "half.safetensors": save(STATE)[:-5],
    "none.pth": saved({"state_dict": None}),
    "nothing.pth": saved({}),
    "list.pth": saved([1, 2]),
    "numbers.pth": saved({"a": 1}),
    "keys.pth": saved({1: torch.ones(1)}),
    "nested.pth": saved({"state_dict": {"a": {"b": torch.ones(1)}}}),
    "nan.pth": saved({"a": torch.tensor([1.0, float("nan")])}),
    "nan.safetensors": save({"a": torch.tensor([1.0, float("nan")])}),
    "wide.pth": saved({"a": torch.zeros(1).expand(1 << 30)}),
    "sparse.pth": saved({"a": torch.eye(3).to_sparse()}),
    "inflating.pth": packed(),
    "evil.pth": pickle.dumps(Evil()),
    "evil.pt": saved(Evil()),
    "legacy.pth": saved(STATE, _use_new_zipfile_serialization=False)[:-9],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_weights_are_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / name
    file.write_bytes(BROKEN[name])
    with pytest.raises(ConfigError) as caught:
        read_state(file)
    assert str(file) in caught.value.message
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "pickled").exists()


@pytest.mark.parametrize("content", [WHOLE, saved({"state_dict": STATE})])
def test_whole_weights(tmp_path, content):
    file = tmp_path / "whole.pth"
    file.write_bytes(content)
    found = read_state(file)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_a_pipe_is_no_file_of_weights(tmp_path):
    os.mkfifo(tmp_path / "w.pth")
    with pytest.raises(ConfigError, match="a device or a pipe"):
        read_state(tmp_path / "w.pth")
