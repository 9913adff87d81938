"""The training loop on a dataset that a test draws."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from biasaudit import api
from biasaudit.config import load_settings
from biasaudit.data.annotation.labels import choose_labels
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import ConfigError, DataError, RunFailedError
from biasaudit.guidance import step
from biasaudit.guidance.modes import active_terms, mode_of
from biasaudit.statistics import fit_operating_point
from biasaudit.training import loop
from biasaudit.training.device import make_accelerator
from biasaudit.training.keeper import Keeper
from biasaudit.training.loop import train
from biasaudit.training.plan import Plan, complete
from biasaudit.training.streams import LabelledStream, group_weights, training_loader

SIZE = 32


def sample(number):
    """Red squares are boats; the others are green."""
    there = number % 2 == 0
    image = np.full((SIZE, SIZE, 3), 90, dtype=np.uint8)
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[8:20, 4 + number % 8 : 16 + number % 8] = True
    image[mask] = (220, 30, 30) if there else (30, 220, 30)
    regions = {"boat": Region("mask", lambda: mask, float(mask.mean()))} if there else {}
    wet = number % 8 in (0, 2, 4, 1)
    return Sample(
        str(number),
        frozenset(["boat"] if there else ["buoy"]),
        frozenset(["water"] if wet else []),
        lambda: image,
        regions,
        annotated=frozenset(["water"]),
    )


def plan(*assignments):
    samples = [sample(number) for number in range(48)]
    dataset = Dataset(
        "drawn",
        ("boat", "buoy"),
        ("water",),
        {"train": samples[:32], "val": samples[32:]},
        object="boat",
        context="water",
    )
    settings = load_settings(
        None,
        [
            "model.backbone=harbournet",
            f"data.image_size={SIZE}",
            "training.batch_size=8",
            "training.epochs=3",
            "data.pixel_labels=5",
            *assignments,
        ],
    )
    settings = complete(settings, dataset)
    labels = choose_labels(samples[:32], ("boat",), 5, 0, 0)
    return Plan(settings, dataset, labels, active_terms(settings), mode_of(settings))


class Listener:
    def __init__(self):
        self.started, self.steps, self.epochs = None, 0, []

    def start(self, epochs, steps):
        self.started = (epochs, steps)

    def step(self, epoch, total):
        self.steps += 1

    def epoch(self, metrics):
        self.epochs.append(metrics)


@pytest.mark.parametrize("mode", ["baseline", "gain", "gain_ext", "counterfactual", "rrr"])
def test_every_kind_of_mode_learns(mode):
    listener = Listener()
    trained = train(plan(f"training.mode={mode}"), listener)
    assert listener.started == (3, 4)
    assert listener.steps == 12
    assert [metrics.epoch for metrics in trained.metrics] == [1, 2, 3]
    assert trained.metrics == listener.epochs
    assert (
        trained.metrics[-1].losses["classification"] < trained.metrics[0].losses["classification"]
    )
    assert not trained.model.training
    assert trained.device == "cpu"


def test_the_same_seed_gives_the_same_weights_and_draws_nothing_else():
    def weights():
        return train(plan("training.mode=counterfactual"), Listener()).model.state_dict()

    first, second = weights(), weights()
    assert all(torch.equal(first[k], second[k]) for k in first)
    other = train(plan("training.mode=counterfactual", "training.seed=1"), Listener())
    assert not torch.equal(other.model.head.linear.weight, first["head.linear.weight"])


def test_a_loss_that_is_no_number_stops_the_run_with_a_way_out():
    with pytest.raises(RunFailedError, match=r"epoch 1, step \d+: the loss is (nan|inf)") as error:
        train(plan("training.learning_rate=1e30"), Listener())
    assert error.value.exit_code == 3
    assert "learning_rate" in str(error.value)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize(
    ("mode", "term"), [("baseline", "classification"), ("gain_ext", "external"), ("gain", "mining")]
)
def test_what_is_no_number_is_named_with_its_step_term_and_images(monkeypatch, mode, term, every):
    monkeypatch.setattr(loop, "read_every", lambda device: every)
    early = ["terms.mining.warmup_epochs=0"] if mode == "gain" else []
    planned = plan(f"training.mode={mode}", *early)
    active = next(one for one in planned.terms if one.name == term)
    calls, seen = [], []

    def broken(step, options):
        calls.append(step)
        seen.append([planned.dataset.subset("train")[i].id for i in step.batch.indices])
        loss = active.term.compute(step, options)
        return loss * float("inf") if len(calls) == 6 else loss

    place = planned.terms.index(active)
    planned.terms[place] = replace(active, term=replace(active.term, compute=broken))
    with pytest.raises(RunFailedError) as error:
        train(planned, Listener())
    said = str(error.value)
    assert said.startswith(f"epoch 2, step 2: the loss is inf (term '{term}'); the images: ")
    assert said.split("the images: ")[1].startswith(", ".join(seen[5]))
    assert said.split("; ")[1].count("(labelled)") == 5


@pytest.mark.parametrize("every", [3, 100])
def test_losses_that_are_read_late_are_those_of_each_step(monkeypatch, every):
    def told(device_waits):
        monkeypatch.setattr(loop, "read_every", lambda device: device_waits)
        listener = Listener()
        made = train(plan("training.mode=gain_ext"), listener)
        return made, listener

    (first, at_once), (second, late) = told(1), told(every)
    assert late.steps == at_once.steps == 12
    assert late.epochs == at_once.epochs
    for key, value in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[key], value), key


def test_a_state_has_the_losses_of_every_step_before_it(monkeypatch):
    monkeypatch.setattr(loop, "read_every", lambda device: 100)

    class Taking(Keeper):
        def __init__(self):
            self.taken = []

        def stepped(self, take):
            position = take().position
            self.taken.append((position.step, position.sums["total"]))

    keeper, listener = Taking(), Listener()
    train(plan("training.mode=baseline", "training.epochs=1"), listener, keeper)
    steps, sums = zip(*keeper.taken[:4], strict=True)
    assert steps == (1, 2, 3, 4)
    assert 0 < sums[0] < sums[1] < sums[2] < sums[3]


def test_a_map_that_is_no_number_is_named(monkeypatch):
    def broken(*arguments, **options):
        return step.real(*arguments, **options) * torch.nan

    monkeypatch.setattr(step, "real", step.classifier_attention, raising=False)
    monkeypatch.setattr(step, "classifier_attention", broken)
    planned = plan("training.mode=gain", "terms.mining.warmup_epochs=1")
    with pytest.raises(RunFailedError, match="epoch 2, step 1: term 'mining': an attention map"):
        train(planned, Listener())


def test_an_update_that_breaks_the_weights_is_no_run(monkeypatch):
    def breaking(optimizer, closure=None):
        for parameter in optimizer.param_groups[0]["params"][-1:]:
            parameter.data.fill_(torch.inf)

    monkeypatch.setattr(torch.optim.AdamW, "step", breaking)
    with pytest.raises(RunFailedError, match=r"epoch 1: weight 'head\.linear\.bias' is NaN"):
        train(plan("training.batch_size=32"), Listener())


def test_one_image_a_step_is_for_networks_without_batch_norm():
    with pytest.raises(ConfigError, match="batch_size=1: 'harbournet' has batch norm"):
        train(plan("training.batch_size=1"), Listener())
    frozen = plan("training.batch_size=1", "model.batch_norm=frozen", "training.epochs=1")
    listener = Listener()
    train(frozen, listener)
    assert listener.steps == 32


def test_a_killed_loading_process_names_the_setting_to_lower(monkeypatch):
    planned = plan("training.workers=1", "training.mode=baseline")
    victim = planned.dataset.subset("train")[3]

    def dying():
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return victim.load_image()

    samples = [*planned.dataset.subset("train")]
    samples[3] = replace(victim, load_image=dying)
    data = replace(planned.dataset, subsets={**planned.dataset.subsets, "train": samples})
    with pytest.raises(RunFailedError, match="a process that loads images was killed") as error:
        api.train(data, settings=planned.settings)
    assert "workers" in error.value.hint


def test_a_broken_image_is_one_line_from_a_loading_process_too():
    planned = plan("training.workers=1", "training.mode=baseline")

    def broken():
        raise DataError("3.png: cannot be read", "remove it")

    samples = [*planned.dataset.subset("train")]
    samples[3] = replace(samples[3], load_image=broken)
    data = replace(planned.dataset, subsets={**planned.dataset.subsets, "train": samples})
    with pytest.raises(DataError) as error:
        api.train(data, settings=planned.settings)
    assert str(error.value) == "3.png: cannot be read; remove it"


def test_batches_are_pinned_for_a_gpu_alone(monkeypatch):
    """Without a GPU torch would warn of it, and there is nothing to gain."""
    asked = []
    make = loop.training_loader

    def noted(*given, pinned, **named):
        asked.append(pinned)
        return make(*given, pinned=pinned, **named)

    monkeypatch.setattr(loop, "training_loader", noted)
    train(plan("training.epochs=1"), Listener())
    assert asked == [False]
    planned = plan()
    images = SampleTensors(planned.dataset.subset("train"), planned.dataset.classes, SIZE)
    assert training_loader(planned, images, pinned=True).pin_memory
    assert not training_loader(planned, images).pin_memory


def test_labelled_images_come_once_a_round():
    stream = LabelledStream(plan(), 2)
    names = [sample.id for sample in stream.images.samples]
    seen = [names[i] for _ in range(5) for i in next(stream).indices]
    assert len(seen) == 10
    assert sorted(seen[:5]) == sorted(names)
    assert sorted(seen[5:]) == sorted(names)


def test_a_device_that_is_not_there():
    if not torch.backends.mps.is_available():
        with pytest.raises(ConfigError, match="device=mps: there is none"):
            make_accelerator("mps", "fp32")


def test_frozen_layers_stay_as_they_are():
    planned = plan("model.frozen=1", "model.weights=scenes")
    start = train(plan("model.frozen=3", "training.epochs=1"), Listener()).model.state_dict()
    moved = train(planned, Listener()).model.state_dict()
    assert all(torch.equal(start[k], moved[k]) for k in moved if k.startswith("body.0."))
    assert not torch.equal(start["body.2.0.weight"], moved["body.2.0.weight"])


def test_groups_weigh_the_same():
    samples = [sample(number) for number in range(32)]
    weights = group_weights(samples, "boat", "water", ("boat", "buoy"))
    totals = {}
    for one, weight in zip(samples, weights, strict=True):
        group = ("boat" in one.labels, "water" in one.contexts)
        totals[group] = totals.get(group, 0) + weight
    assert list(totals.values()) == pytest.approx([0.25] * 4)


def test_what_nobody_annotated_is_drawn_by_no_group():
    samples = [sample(number) for number in range(32)]
    unsaid = [replace(one, contexts=frozenset(), annotated=frozenset()) for one in samples[:6]]
    weights = group_weights([*unsaid, *samples[6:]], "boat", "water", ("boat", "buoy"))
    assert weights[:6] == [0.0] * 6
    assert sum(weights) == pytest.approx(1.0)
    assert all(weight > 0 for weight in weights[6:])


def test_balanced_loading_draws_scarce_groups_as_often():
    planned = plan()
    from biasaudit.training.streams import tensors

    images = tensors(planned, planned.dataset.subset("train"))
    seen = []
    for _ in range(12):
        for batch in training_loader(planned, images, balanced=True):
            seen += [images.samples[i] for i in batch.indices]
        planned.settings.training.seed += 1
    ashore = sum("boat" in s.labels and "water" not in s.contexts for s in seen) / len(seen)
    assert ashore == pytest.approx(0.25, abs=0.08)


def test_last_layer_retrains_the_head_alone():
    listener = Listener()
    plain = train(plan("training.mode=baseline"), Listener()).model.state_dict()
    trained = train(plan("training.mode=last_layer"), listener).model.state_dict()
    assert listener.started == (6, 4)
    assert all(torch.equal(plain[k], trained[k]) for k in plain if k.startswith("body."))
    assert not torch.equal(plain["head.linear.weight"], trained["head.linear.weight"])


def test_every_class_has_the_operating_point_of_the_trained_model_on_val():
    planned = plan("training.mode=last_layer", "training.epochs=1")
    trained = train(planned, Listener())
    images = torch.stack([torch.as_tensor(s.load_image()) for s in planned.dataset.subset("val")])
    with torch.no_grad():
        scores = trained.model(images.permute(0, 3, 1, 2).float() / 255).scores.numpy()
    assert set(trained.operating_points) == {"boat", "buoy"}
    for column, name in enumerate(("boat", "buoy")):
        there = np.array([name in s.labels for s in planned.dataset.subset("val")])
        fitted = fit_operating_point(scores[:, column], there)
        point = trained.operating_points[name]
        assert (point.n, point.positives) == (16, 8)
        assert point.threshold == pytest.approx(fitted.threshold, rel=1e-3)
        assert point.temperature == pytest.approx(fitted.temperature, rel=1e-3)


@pytest.mark.parametrize("softmax", [False, True])
def test_val_is_measured_at_a_score_of_nought_or_by_the_highest(softmax, monkeypatch):
    """Two boats and two buoys: by the sign three boats answered rightly, by the highest two."""
    scores = torch.tensor([[0.5, 0.6], [-0.5, -0.6], [-0.5, 0.5], [-0.2, -0.3]])
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    monkeypatch.setattr(loop._Loop, "_answer_val", lambda self: (scores, labels))
    more = ["training.loss=softmax"] if softmax else []
    trained = train(plan("training.epochs=1", *more), Listener())
    likely = 1 / (1 + np.exp(-scores.double().numpy()))
    there = labels.numpy() == 1
    expected = -np.log(likely[there] if softmax else np.where(there, likely, 1 - likely)).mean()
    assert trained.metrics[0].val_accuracy == (0.5 if softmax else 0.75)
    assert trained.metrics[0].val_loss == pytest.approx(expected, rel=1e-5)


def test_a_small_dataset_makes_one_batch():
    planned = plan("training.batch_size=64", "training.epochs=1")
    listener = Listener()
    train(planned, listener)
    assert listener.steps == 1
