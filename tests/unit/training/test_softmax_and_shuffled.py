"""Softmax training and the shuffled control, before and in the loop."""

import numpy as np
import pytest
import torch

from biasaudit.api import load_dataset, settings_for
from biasaudit.data.loading.batches import Batch
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import ConfigError
from biasaudit.guidance.classification import ClassificationOptions, classification, cross_entropy
from biasaudit.guidance.step import Step
from biasaudit.models.backbones import BACKBONES
from biasaudit.models.classifier import against_the_rest
from biasaudit.training.loop import Silent, train
from biasaudit.training.plan import make_plan
from biasaudit.training.run_directory import RunRecord
from biasaudit.training.streams import LabelledStream

HARBOUR = {"train": 16, "val": 8, "group": 4}
MASK = np.zeros((32, 32), bool)
MASK[:8, :8] = True


def dataset(labels=("boat",)):
    """Red boats in the corner, green cars."""

    def scene(number, names, colour):
        image = np.zeros((32, 32, 3), np.uint8)
        image[MASK] = colour
        regions = {"boat": Region("mask", lambda: MASK)} if "boat" in names else {}
        return Sample(f"i{number}", frozenset(names), frozenset(), lambda: image, regions)

    boats = [scene(i, labels, (255, 0, 0)) for i in range(8)]
    cars = [scene(8 + i, ("car",), (0, 255, 0)) for i in range(8)]
    return Dataset("d", ("boat", "car", "tree"), (), {"train": boats + cars, "val": boats + cars})


def plan(data, mode="baseline", **changes):
    options = {"object": "boat", "backbone": "harbournet", "weights": "none", "image_size": 32}
    return make_plan(settings_for(data, mode, **options, epochs=3, **changes), data)


def test_cross_entropy_from_log_odds_is_that_of_the_logits():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 30.0]], dtype=torch.float64)
    labels = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=torch.float64)
    found = cross_entropy(against_the_rest(logits), labels)
    expected = torch.nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(found, expected)


def test_the_classification_term_follows_the_model():
    model = BACKBONES["harbournet"].build(3).eval()
    images, none = torch.rand(2, 3, 32, 32), torch.zeros(0, dtype=torch.long)
    labels = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    batch = Batch(
        images, labels, torch.zeros(0, 32, 32), none, none, torch.arange(2), torch.zeros(2).bool()
    )
    logits = model(images).scores
    for softmax, expected in (
        (False, 3 * torch.nn.functional.multilabel_soft_margin_loss(logits, labels)),
        (True, torch.nn.functional.cross_entropy(logits, labels)),
    ):
        model.softmax = softmax
        found = classification(Step(model, batch), ClassificationOptions())
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("labels", "named"), [(("boat", "car"), "boat, car"), ((), "none")])
def test_images_of_several_classes_or_none_are_refused(labels, named):
    with pytest.raises(ConfigError, match=f"8 of 16 training images .*'i0': {named}") as refused:
        plan(dataset(labels), **{"training.loss": "softmax"})
    assert "use loss=sigmoid" in str(refused.value)


def test_a_softmax_run_is_trained_recorded_and_read(tmp_path):
    ready = plan(dataset(), **{"training.loss": "softmax"})
    assert ready.name == "baseline-softmax-seed0"
    run = RunRecord.of(ready, train(ready, Silent())).save(tmp_path / "run")
    images = torch.rand(4, 3, 32, 32)
    scores = run.load_model()(images).scores
    torch.testing.assert_close(scores.sigmoid().sum(dim=1), torch.ones(4))
    read = RunRecord.load_model(
        RunRecord(run.path, run.name, run.settings, run.labels, run.classes, "cpu", {})
    )
    torch.testing.assert_close(read(images).scores, scores)


def test_shuffled_regions_reach_the_stream_and_the_name():
    data = dataset()
    true = plan(data, "gain_ext", pixel_labels=8, **{"data.flip": False})
    moved = plan(
        data, "gain_ext", pixel_labels=8, **{"data.flip": False, "data.regions": "shuffled"}
    )
    assert (true.name, moved.name) == ("gain_ext-8-seed0", "gain_ext-shuffled-8-seed0")
    assert true.labels == moved.labels
    assert any("random place" in note for note in moved.notes)
    first, second = (next(LabelledStream(one, 8)).regions for one in (true, moved))
    assert (first == torch.from_numpy(MASK).float()).all()
    assert second.sum(dim=(1, 2)).tolist() == [64.0] * 8
    assert (second != first).flatten(1).any(dim=1).sum() >= 7
    assert len({tuple(one.flatten().tolist()) for one in second}) >= 7


@pytest.mark.parametrize("mode", ["gain_ext", "energy", "rrr", "edited", "counterfactual"])
def test_every_mode_that_spends_labels_takes_shuffled_regions(mode):
    data = load_dataset("harbour", options=HARBOUR)
    settings = settings_for(
        data, mode, pixel_labels=4, epochs=1, batch_size=8, **{"data.regions": "shuffled"}
    )
    ready = make_plan(settings, data)
    assert ready.name == f"{mode}-shuffled-4-seed0"
    assert len(train(ready, Silent()).metrics) == 1


def test_a_mode_without_labels_says_that_nothing_is_shuffled():
    ready = plan(dataset(), **{"data.regions": "shuffled"})
    assert ready.name == "baseline-seed0"
    assert any("uses no regions" in note for note in ready.notes)
