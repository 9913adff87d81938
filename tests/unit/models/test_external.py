"""Models trained elsewhere: what is asked of them, and what is refused in one line."""

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
import torchvision.models
from safetensors.torch import save_file

from biasaudit.errors import ConfigError
from biasaudit.models.classifier import IMAGENET_MEAN, IMAGENET_STD
from biasaudit.models.external import (
    ExternalModel,
    kind_of,
    load_external,
    read_classes,
    read_normalisation,
)
from biasaudit.models.weights import without_prefix

OWN = """
import torch
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4, 2))

def broken():
    raise OSError("no licence\\nat all")

def number():
    return 7
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's own in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_models_of_a_test.py").write_text(OWN)
    return "own_models_of_a_test"


def test_a_torchvision_name_with_a_state_file(tmp_path):
    network = torchvision.models.resnet18(weights=None, num_classes=3).eval()
    images = torch.rand(2, 3, 64, 64)
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "mine.pth")
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    for suffix in ("pth", "safetensors"):
        external = ExternalModel(
            "resnet18",
            tmp_path / f"mine.{suffix}",
            "boat, car ,tree",
            normalise="none",
            image_size=64,
        )
        loaded = load_external(external)
        model = loaded.network
        assert loaded.classes == ("boat", "car", "tree")
        assert model.layer == "layer4"
        assert loaded.name == "mine"
        torch.testing.assert_close(model(images).scores, network(images))


def test_a_factory_of_the_users_own(own):
    external = ExternalModel(f"{own}:small", None, "boat,rest", scores="softmax", image_size=32)
    loaded = load_external(external)
    model = loaded.network
    assert loaded.classes == ("boat", "rest")
    assert model.layer == "1"
    scores = model(torch.rand(3, 3, 32, 32)).scores
    torch.testing.assert_close(scores[:, 0], -scores[:, 1])
    assert loaded.name == "small"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "resnet19", "state": None}, "did you mean 'resnet"),
        ({"model": "zzz", "state": None}, "write package.module:factory"),
        ({"model": "resnet18"}, "has no weights; add state=FILE"),
        ({"classes": None}, "add classes=a,b,c"),
        ({"classes": "a,a"}, "names 'a' twice"),
        ({"classes": " , "}, "names no class"),
        ({"classes": "a,b,c"}, r"gives \(1, 2\) for one image, classes names 3"),
        ({"scores": "soft"}, "did you mean 'softmax'"),
        ({"normalise": "1,2"}, "not a normalisation"),
        ({"normalise": "0,0,0/1,0,1"}, "not a normalisation"),
        ({"state": "none.pth"}, "no such file"),
        ({"layer": "9"}, "no such layer"),
        ({"model": "nowhere:small"}, "cannot be imported .*nowhere"),
        ({"model": "{own}:tall"}, "cannot be imported"),
        ({"model": "{own}:broken"}, r"broken\(\) failed \(OSError: no licence\)"),
        ({"model": "{own}:number"}, "gave int, not a torch module"),
    ],
)
def test_what_is_refused(own, change, words):
    settings = {"model": "{own}:small", "state": None, "classes": "boat,rest", **change}
    settings["model"] = settings["model"].replace("{own}", own)
    settings["state"] = settings["state"] and Path(settings["state"])
    with pytest.raises(ConfigError, match=words) as refused:
        load_external(ExternalModel(image_size=32, **settings))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_state_that_does_not_fit(own, tmp_path):
    save_file({"0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    torch.save({"epoch": 3, "model": {}}, tmp_path / "other.pth")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "whole.pt")
    said = {
        "other.safetensors": "does not fit",
        "other.pth": "'epoch' is no tensor",
        "whole.pt": "holds pickled objects",
    }
    for name, words in said.items():
        with pytest.raises(ConfigError, match=words) as refused:
            load_external(
                ExternalModel(f"{own}:small", tmp_path / name, "boat,rest", image_size=32)
            )
        assert "\n" not in str(refused.value)


def test_classes_from_a_file(tmp_path):
    (tmp_path / "classes.txt").write_text("boat\n\n traffic light \n")
    assert read_classes(str(tmp_path / "classes.txt")) == ("boat", "traffic light")


def test_normalisations():
    assert read_normalisation("none") == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert read_normalisation("0.5,0.4,0.3/0.2,0.2,0.1") == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    assert read_normalisation("imagenet")[0] == (0.485, 0.456, 0.406)


def test_kinds_that_are_inferred():
    torch.manual_seed(0)
    logits = 3 * torch.randn(8, 4)
    cases = {
        ("sigmoid", "logits"): logits,
        ("softmax", "probabilities"): logits.softmax(dim=1),
        ("softmax", "logits"): logits.log_softmax(dim=1),
    }
    for expected, answers in cases.items():
        assert kind_of(answers)[:2] == expected
    # One class of ones sums to one and says nothing of a softmax.
    assert kind_of(torch.ones(8, 1))[:2] == ("sigmoid", "logits")
    assert "lie in [0, 1]" in kind_of(logits.sigmoid())[2]
    # One row that sums to one by chance is no evidence.
    mixed = torch.tensor([[0.5, 0.5], [0.9, 0.9]])
    assert kind_of(mixed)[:2] == ("sigmoid", "logits")


@pytest.mark.parametrize("scores", ["auto", "softmax"])
def test_a_model_that_ends_in_softmax_is_read_as_such(own, tmp_path, scores):
    with (tmp_path / f"{own}.py").open("a") as file:
        file.write("\ndef squashed():\n    return nn.Sequential(small(), nn.Softmax(dim=1))\n")
    sys.modules.pop(own, None)
    importlib.invalidate_caches()
    loaded = load_external(
        ExternalModel(f"{own}:squashed", None, "boat,rest", scores=scores, image_size=32)
    )
    assert (loaded.scores, loaded.outputs) == ("softmax", "probabilities")
    assert "sum to one" in loaded.notes[0]
    images = torch.rand(3, 3, 32, 32)
    network = loaded.network
    given = network.body((images - network.mean) / network.std)
    torch.testing.assert_close(network(images).scores.sigmoid(), given)


def test_a_kind_that_is_named_is_not_inferred(own):
    named = load_external(
        ExternalModel(f"{own}:small", None, "boat,rest", scores="softmax", image_size=32)
    )
    assert (named.scores, named.outputs, named.notes) == ("softmax", "logits", ())
    inferred = load_external(ExternalModel(f"{own}:small", None, "boat,rest", image_size=32))
    assert (inferred.scores, len(inferred.notes)) == ("sigmoid", 1)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "net"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod.module."])
def test_checkpoints_as_people_have_them(tmp_path, key, prefix):
    """Weights under the usual keys, beside an epoch, options and an optimiser, with a prefix."""
    torch.manual_seed(1)
    network = torchvision.models.squeezenet1_1(weights=None, num_classes=2).eval()
    weights = {prefix + name: value for name, value in network.state_dict().items()}
    file = tmp_path / "last.pth"
    options = argparse.Namespace(lr=0.1, model="squeezenet")
    torch.save({"epoch": 3, "args": options, key: weights, "optimizer": {"state": {}}}, file)
    loaded = load_external(ExternalModel("squeezenet1_1", file, "boat,rest", image_size=64))
    images = torch.rand(1, 3, 64, 64)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        torch.testing.assert_close(
            loaded.network(images).scores, network((images - mean) / std), atol=1e-5, rtol=1e-4
        )


def test_a_prefix_of_the_networks_own_stays(tmp_path):
    own = torch.nn.ModuleDict({"model": torch.nn.Linear(2, 2)})
    state = own.state_dict()
    assert without_prefix(state, state) == state
    wrapped = {f"module.{name}": value for name, value in state.items()}
    assert list(without_prefix(wrapped, state)) == list(state)


def test_the_extra_of_timm_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "timm" else find(name)
    )
    with pytest.raises(ConfigError, match=r"pip install 'biasaudit\[timm\]'"):
        load_external(ExternalModel("zzzz_patch16", Path("x.pth"), "boat,rest"))
