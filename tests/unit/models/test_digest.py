"""The digest of a model's weights."""

import hashlib

import torch
from safetensors.torch import save_file
from torch import nn

from biasaudit.models.digest import weights_digest


def test_a_file_counts_by_its_bytes(tmp_path):
    network = nn.Linear(3, 2)
    file = tmp_path / "w.pth"
    torch.save(network.state_dict(), file)
    assert weights_digest(network, file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_without_a_file_the_weights_count_as_they_would_be_written(tmp_path):
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    written = hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest()
    assert weights_digest(network) == written
    with torch.no_grad():
        network.bias += 1e-3
    assert weights_digest(network) != written
