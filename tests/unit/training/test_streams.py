"""Which image comes in which step: parts of a batch, groups, rounds, and going on amid them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from biasaudit import processes
from biasaudit.config import load_settings
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.training.plan import make_plan
from biasaudit.training.streams import (
    LabelledStream,
    Order,
    Parts,
    group_weights,
    images_a_step,
    tensors,
    training_loader,
)

SIZE = 32


def sample(number):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[:4, : 1 + number] = True
    return Sample(
        f"{number}",
        frozenset(["boat"] if number % 2 == 0 else ["cow"]),
        frozenset(["water"] if number in (0, 2, 4, 6, 8, 1) else []),
        lambda: np.full((SIZE, SIZE, 3), number, np.uint8),
        {"boat": Region("mask", lambda: mask)} if number % 2 == 0 else {},
        annotated=frozenset(["water"]),
    )


def planned(**options):
    samples = [sample(number) for number in range(20)]
    data = Dataset(
        "drawn", ("boat", "cow"), ("water",), {"train": samples, "val": samples},
        object="boat", context="water",
    )  # fmt: skip
    given = {
        "model.backbone": "harbournet", "model.weights": "none", "data.image_size": SIZE,
        "training.mode": "gain_ext", "data.pixel_labels": 5, "training.batch_size": 6,
        **{name.replace("__", "."): value for name, value in options.items()},
    }  # fmt: skip
    return make_plan(load_settings(None, [], given), data)


def order(count=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Order(torch.utils.data.RandomSampler(range(count), generator=generator), generator)


@pytest.mark.parametrize(
    ("number", "count", "parts"),
    [(0, 1, [0, 1, 2, 3]), (0, 2, [0, 1]), (1, 2, [2, 3]), (2, 3, [2, 3])],
)
def test_each_process_has_its_part_of_every_whole_batch(monkeypatch, number, count, parts):
    monkeypatch.setattr(processes, "count", lambda: count)
    monkeypatch.setattr(processes, "number", lambda: number)
    whole = list(order())
    batches = Parts(order(), 4)
    assert len(batches) == 2
    assert list(batches) == [
        [whole[4 * step + place] for place in parts] for step in range(2)
    ]  # two of the ten are left out


def test_an_order_knows_its_length():
    assert len(order(7)) == 7


@pytest.mark.parametrize(
    ("batch", "count", "images", "expected"),
    [(6, 1, 20, 6), (6, 2, 20, 12), (6, 4, 20, 20), (32, 1, 20, 20)],
)
def test_a_step_has_at_most_the_images_that_there_are(monkeypatch, batch, count, images, expected):
    monkeypatch.setattr(processes, "count", lambda: count)
    assert images_a_step(planned(training__batch_size=batch), images) == expected


def test_an_epoch_takes_every_image_of_whole_batches_once():
    plan = planned()
    images = tensors(plan, plan.dataset.subset("train"))
    loader = training_loader(plan, images)
    assert len(loader) == 3
    seen = [batch.indices.tolist() for batch in loader]
    assert [len(batch) for batch in seen] == [6, 6, 6]
    assert len({index for batch in seen for index in batch}) == 18
    again = [batch.indices.tolist() for batch in training_loader(plan, images)]
    assert again == seen
    other = training_loader(planned(training__seed=1), images)
    assert [batch.indices.tolist() for batch in other] != seen


def test_groups_weigh_alike_by_hand():
    # boats: 5 wet (0, 2, 4, 6, 8), 5 dry; cows: 1 wet (1), 9 dry
    samples = [sample(number) for number in range(20)]
    weights = group_weights(samples, "boat", "water", ("boat", "cow"))
    assert weights[0] == weights[8] == pytest.approx(1 / (4 * 5))
    assert weights[10] == pytest.approx(1 / (4 * 5))
    assert weights[1] == pytest.approx(1 / 4)
    assert weights[3] == pytest.approx(1 / (4 * 9))
    # without the wet cow there are three groups
    three = [one for one in samples if one.id != "1"]
    assert group_weights(three, "boat", "water", ("boat", "cow"))[0] == pytest.approx(1 / (3 * 5))


def test_a_balanced_epoch_has_as_many_draws_as_images_with_a_group():
    plan = planned(training__mode="upweight", data__pixel_labels=0, training__batch_size=4)
    samples = plan.dataset.subset("train")
    silent = [replace(one, contexts=frozenset(), annotated=frozenset()) for one in samples[12:]]
    images = tensors(plan, [*samples[:12], *silent])
    loader = training_loader(plan, images, balanced=True)
    assert len(loader) == 3  # 12 of the 20 tell, 4 a step
    drawn = [index for _ in range(40) for batch in loader for index in batch.indices.tolist()]
    assert len(drawn) == 40 * 12
    assert max(drawn) < 12
    # the one wet cow is a group by itself: a quarter of the draws
    assert drawn.count(1) / len(drawn) == pytest.approx(0.25, abs=4 * (0.1875 / 480) ** 0.5)


def test_rounds_of_labelled_images_by_hand():
    stream = LabelledStream(planned(data__flip=False), 3)
    ids = [one.id for one in stream.images.samples]
    assert len(ids) == 5
    batches = [next(stream) for _ in range(5)]
    assert [len(batch) for batch in batches] == [3] * 5
    seen = [ids[index] for batch in batches for index in batch.indices]
    for start in (0, 5, 10):
        assert sorted(seen[start : start + 5]) == sorted(ids)
    assert stream.shown == seen[-3:]
    for batch in batches:  # each image with its own region
        for row, index in enumerate(batch.indices.tolist()):
            mask = stream.images.samples[index].regions["boat"].load()
            assert torch.equal(batch.regions[row] > 0.5, torch.from_numpy(mask))
    assert len(next(LabelledStream(planned(), 99))) == 5


def test_labelled_images_are_mirrored_by_the_round():
    seen = LabelledStream(planned(), 5)
    ways = set()
    for round_ in range(12):
        batch = next(seen)
        wanted = seen.images
        wanted.start_epoch(round_)
        for index, way in zip(batch.indices.tolist(), batch.mirrored.tolist(), strict=True):
            assert bool(wanted[index].mirrored) is way
        ways.add(tuple(batch.mirrored[batch.indices.argsort()].tolist()))
    assert len(ways) > 3
    never = LabelledStream(planned(data__flip=False), 5)
    assert not any(next(never).mirrored.any() for _ in range(6))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_stream_goes_on_where_it_was(steps):
    whole, first = LabelledStream(planned(), 3), LabelledStream(planned(), 3)
    batches = [next(whole) for _ in range(8)]
    for _ in range(steps):
        next(first)
    state, told = first.state()
    assert told["round"] == (3 * steps - 1) // 5 + 1
    second = LabelledStream(planned(), 3)
    for _ in range(7):  # it may have been elsewhere before
        next(second)
    second.go_on(state, told)
    for expected in batches[steps:]:
        found = next(second)
        assert found.indices.tolist() == expected.indices.tolist()
        assert found.mirrored.tolist() == expected.mirrored.tolist()


@pytest.mark.parametrize("number", [0, 1])
def test_of_a_labelled_batch_each_process_loads_its_part(monkeypatch, number):
    whole = LabelledStream(planned(), 4)
    expected = [next(whole).indices.tolist() for _ in range(3)]
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "number", lambda: number)
    part = LabelledStream(planned(), 4)
    for batch in expected:
        assert next(part).indices.tolist() == batch[2 * number : 2 * number + 2]


def test_a_process_without_a_labelled_image_has_an_empty_batch(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 8)
    monkeypatch.setattr(processes, "number", lambda: 0)
    stream = LabelledStream(planned(), 4)
    batch = next(stream)  # places 0 to 0 of four for eight processes
    assert len(batch) == 0
    assert batch.images.shape == (0, 3, SIZE, SIZE)
    assert stream.shown == []


def test_tensors_follow_the_plan():
    plan = planned(data__cache="off", training__seed=4)
    samples = plan.dataset.subset("train")
    plain = tensors(plan, samples)
    assert (plain.mirror, plain.keep, plain.size) == (None, False, SIZE)
    assert plain.classes == ("boat", "cow")
    assert tensors(plan, samples, flip=True).mirror == 4
    assert tensors(planned(), samples).keep
