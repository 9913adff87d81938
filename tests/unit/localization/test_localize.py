"""Localization of a model whose attention is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import biasaudit as ba
from biasaudit.data.sample import Region, Sample
from biasaudit.errors import ConfigError, DataError
from biasaudit.evaluation.predict import Subject
from biasaudit.localization.measure import measure_localization
from biasaudit.models.classifier import Classifier, PooledLinear


class Bright(torch.nn.Module):
    """One channel: how bright each block of 4×4 pixels is."""

    def forward(self, images):
        return torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4)


def subject():
    model = Classifier(Bright(), PooledLinear(1, 2), (0.0,) * 3, (1.0,) * 3).eval()
    with torch.no_grad():
        model.head.linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        model.head.linear.bias.zero_()
    return Subject(model, ("spot", "other"), 32, torch.device("cpu"))


def bright(place, left, top, side):
    image = np.zeros((32, 32, 3), np.uint8)
    image[top : top + side, left : left + side] = 255
    region = Region("mask", lambda: image[..., 0] > 0)
    return Sample(place, frozenset({"spot"}), frozenset(), lambda: image, {"spot": region})


def dataset(**subsets):
    data = ba.load_dataset("harbour", options={"train": 8, "val": 4, "group": 2})
    return replace(data, classes=("spot", "other"), object="spot", subsets=subsets)


def test_a_model_that_sees_the_spot_alone_finds_it():
    val = [bright("a", 4, 4, 16)]
    test = [bright("b", 8, 8, 12), bright("c", 0, 16, 16)]
    found = measure_localization(subject(), dataset(val=val, test=test), "spot", "test")
    assert (found.n, found.n_val) == (2, 1)
    assert found.max_box_acc == found.max_box_acc_v2 == found.top_1 == 1
    assert found.px_ap > 0.95


def test_a_spot_said_to_lie_elsewhere_is_not_found():
    wrong = bright("b", 0, 0, 12)
    elsewhere = replace(
        wrong, regions={"spot": Region("mask", lambda: np.eye(32, dtype=bool)[::-1] & True)}
    )
    val = [bright("a", 4, 4, 16)]
    found = measure_localization(subject(), dataset(val=val, test=[elsewhere]), "spot", "test")
    assert found.max_box_acc == found.top_1 == 0
    assert found.px_ap < 0.2


def test_void_pixels_do_not_count():
    """Attention beside the region costs precision, unless nobody decided what lies there."""
    val = [bright("a", 4, 4, 16)]
    image = bright("b", 0, 0, 16)
    half = np.zeros((32, 32), bool)
    half[:8, :16] = True
    other = np.zeros((32, 32), bool)
    other[8:, :] = True
    narrow = replace(image, regions={"spot": Region("mask", lambda: half)})
    undecided = replace(narrow, void=Region("mask", lambda: other))
    found = [
        measure_localization(subject(), dataset(val=val, test=[one]), "spot", "test").px_ap
        for one in (narrow, undecided)
    ]
    assert found[0] < 0.6
    assert found[1] == 1.0


def test_images_without_the_class_or_its_region_do_not_count():
    known = bright("a", 4, 4, 16)
    others = [replace(known, regions={}), replace(known, labels=frozenset({"other"}))]
    data = dataset(val=[known], test=[known, *others])
    assert measure_localization(subject(), data, "spot", "test").n == 1
    with pytest.raises(DataError, match="no image of 'test' has a region of 'spot'"):
        measure_localization(subject(), dataset(val=[known], test=others), "spot", "test")


def test_val_is_not_reported():
    with pytest.raises(ConfigError, match="the thresholds are chosen on it"):
        measure_localization(subject(), dataset(val=[bright("a", 4, 4, 16)]), "spot", "val")


def test_of_a_run(tmp_path):
    data = ba.load_dataset("harbour", options={"train": 40, "val": 16, "group": 4})
    run = ba.train(data, epochs=1, out=tmp_path / "run")
    found = ba.localize(run.path)
    assert found == ba.localize(run, data)
    assert found.n == sum("boat" in s.labels for s in data.subset("test"))
    with pytest.raises(DataError, match="no category is called 'ship'"):
        ba.localize(run, data, object="ship")
