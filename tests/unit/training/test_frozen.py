"""The frozen layers' output, computed once."""

import pytest
import torch

from biasaudit.config import load_settings
from biasaudit.data.loading.batches import SampleTensors, collate
from biasaudit.guidance.step import Step
from biasaudit.models.backbones import build_classifier
from biasaudit.training import frozen
from biasaudit.training.frozen import frozen_outputs
from biasaudit.training.loop import Silent, train
from biasaudit.training.plan import make_plan

CPU = torch.device("cpu")
SMALL = ["data.options.train=40", "data.options.val=20", "training.epochs=2"]


@pytest.fixture(scope="module")
def plan():
    return make_plan(
        load_settings(
            None,
            [*SMALL, "training.batch_size=8", "training.labels_per_step=4"],
            {"training.mode": "gain_ext", "data.pixel_labels": 4},
        )
    )


@pytest.fixture
def images(plan):
    return SampleTensors(plan.dataset.subset("train"), plan.dataset.classes, 64, mirror=3)


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_kept_output_is_that_of_the_image_mirrored_or_not(images, epoch):
    model = build_classifier("harbournet", 4, "none", 1, "train").train()
    images.start_epoch(epoch)
    batch = collate([images[i] for i in (31, 2, 7, 8, 19, 0)])
    assert 0 < batch.mirrored.sum() < 6
    kept = frozen_outputs(model, images, 7, CPU)
    torch.testing.assert_close(kept.of(batch), model.start(batch.images))


def test_a_step_by_kept_outputs_gives_the_scores_of_a_step_by_images(images):
    torch.manual_seed(1)
    model = build_classifier("harbournet", 4, "none", 2, "frozen").train()
    batch, labelled = collate([images[i] for i in range(6)]), collate([images[9], images[11]])
    plain = Step(model, batch, labelled)
    expected = plain.output.scores, plain.labelled_output.scores
    kept = frozen_outputs(model, images, 16, CPU)
    batch.started, labelled.started = kept.of(batch), kept.of(labelled)
    quick = Step(model, batch, labelled)
    torch.testing.assert_close((quick.output.scores, quick.labelled_output.scores), expected)


def test_nothing_is_kept_without_frozen_layers_or_beyond_the_bound(images, monkeypatch):
    assert (
        frozen_outputs(build_classifier("harbournet", 4, "none", 0, "train"), images, 8, CPU)
        is None
    )
    model = build_classifier("harbournet", 4, "none", 1, "train")
    size = 2 * 40 * 24 * 32 * 32 * 4
    monkeypatch.setattr(frozen, "MOST_BYTES", size)
    assert frozen_outputs(model, images, 8, CPU) is not None
    monkeypatch.setattr(frozen, "MOST_BYTES", size - 1)
    assert frozen_outputs(model, images, 8, CPU) is None
    # images that are not mirrored come in one version, half of the bytes
    plain = SampleTensors(images.samples, images.classes, 64)
    monkeypatch.setattr(frozen, "MOST_BYTES", size // 2)
    assert frozen_outputs(model, plain, 8, CPU) is not None
    monkeypatch.setattr(frozen, "MOST_BYTES", size // 2 - 1)
    assert frozen_outputs(model, plain, 8, CPU) is None


def test_training_with_kept_outputs_is_training_without_them(plan, monkeypatch):
    kept = train(plan, Silent())
    calls = []
    monkeypatch.setattr("biasaudit.training.loop.frozen_outputs", lambda *_: calls.append(1))
    plain = train(plan, Silent())
    assert len(calls) == 2  # of the batches and of the labelled images
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(kept.model.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_the_head_phase_keeps_what_the_whole_body_gives(monkeypatch):
    settings = load_settings(
        None, [*SMALL, "training.batch_size=8"], {"training.mode": "last_layer"}
    )
    plan = make_plan(settings)
    kept = train(plan, Silent())
    assert len(kept.metrics) == 5
    whole = []

    def none(model, *_):
        whole.append(all(not p.requires_grad for p in model.body.parameters()))

    monkeypatch.setattr("biasaudit.training.loop.frozen_outputs", none)
    plain = train(plan, Silent())
    assert whole == [False, True]  # first of the layers that are frozen throughout, if any
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(kept.model.state_dict()[name], value, rtol=1e-3, atol=1e-4)
    told = [row.val_accuracy for row in plain.metrics]
    assert [row.val_accuracy for row in kept.metrics] == told
