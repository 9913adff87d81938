"""A whole repair of a small network: one row changes, sources stay in their folds, cost is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from biasaudit.data.annotation.labels import LabelChoice, LabelEntry, choose_labels
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import ConfigError, DataError
from biasaudit.models.backbones import BACKBONES
from biasaudit.models.classifier import Classifier
from biasaudit.models.whole_network import WholeNetwork, against_the_rest
from biasaudit.training.repair import engine, examples
from biasaudit.training.repair.edits import EditRecipe
from biasaudit.training.repair.engine import RepairOptions, repair, replace_row, row_of
from biasaudit.training.repair.examples import regions_of
from biasaudit.training.repair.features import FeatureReader, last_layer
from biasaudit.training.repair.propagated import propagate
from biasaudit.training.repair.refit import Recipe

SIDE = 32
FEW = EditRecipe(pasted=2, blurred=1, covered=1, inpainted=1, crops=1, windows=1)
OPTIONS = RepairOptions(
    max_val_loss=1.0, folds=2, edits=FEW, recipes=(Recipe(0.5, 20.0), Recipe(1.0, 20.0))
)


def sample(number):
    """Red boats on blue water, green cows on brown ground."""
    there = number % 2 == 0
    image = np.full((SIDE, SIDE, 3), (40, 60, 200) if there else (150, 100, 50), dtype=np.uint8)
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[8:22, 4 + number % 8 : 18 + number % 8] = True
    image[mask] = (220, 30, 30) if there else (30, 220, 30)
    name = "boat" if there else "cow"
    return Sample(
        f"{number}",
        frozenset([name]),
        frozenset(),
        lambda: image,
        {name: Region("mask", lambda: mask)},
    )


@pytest.fixture
def dataset():
    samples = [sample(number) for number in range(48)]
    return Dataset(
        "drawn", ("cow", "boat", "sign"), (), {"train": samples[:32], "val": samples[32:]}
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return BACKBONES["harbournet"].build(3).eval()


def labels(dataset):
    return choose_labels(dataset.subset("train"), ("boat",), 4, 0, 0)


def images():
    return torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def test_one_row_changes_and_nothing_else(dataset, model):
    before = {name: values.clone() for name, values in model.state_dict().items()}
    scores = model(images()).scores
    found = repair(model, dataset, "boat", labels(dataset), SIDE, OPTIONS)
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items()), "not yet replaced"
    replace_row(model, found.layer, found.column, found.after)
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == {f"{found.layer}.weight", f"{found.layer}.bias"}
    for name in changed:
        rows = (before[name] != after[name]).reshape(3, -1).any(dim=1)
        assert rows.tolist() == [False, True, False]
    now = model(images()).scores
    assert torch.equal(now[:, [0, 2]], scores[:, [0, 2]])
    assert not torch.allclose(now[:, 1], scores[:, 1])


def test_the_repaired_answer_edits_that_the_model_did_not(dataset, model):
    found = repair(model, dataset, "boat", labels(dataset), SIDE, OPTIONS)
    assert found.chosen.edits.accuracy > 0.6
    assert found.chosen.originals.accuracy > 0.9
    assert found.edits["pasted"] == 8
    assert len(found.candidates) == 2


def test_no_fold_knows_another(dataset, model, monkeypatch):
    seen = {}

    def spy(samples, pixels, regions, grounds, *rest):
        seen.update(grounds=grounds)
        return engine_make_edits(samples, pixels, regions, grounds, *rest)

    engine_make_edits = examples.make_edits
    monkeypatch.setattr(examples, "make_edits", spy)
    repair(model, dataset, "boat", labels(dataset), SIDE, OPTIONS)
    folds = examples.assign_folds(dataset.subset("train"), "boat", 2, 0)
    assert len(seen["grounds"]) == 4
    for row, grounds in seen["grounds"].items():
        assert grounds
        assert set(folds[grounds]) == {folds[row]}
        assert all("boat" not in dataset.subset("train")[g].labels for g in grounds)


def test_foregrounds_found_are_edited_too_and_judge_nothing(dataset, model):
    options = replace(OPTIONS, finder=propagate)
    plain = repair(model, dataset, "boat", labels(dataset), SIDE, OPTIONS)
    found = repair(model, dataset, "boat", labels(dataset), SIDE, options)
    kept = len(found.foregrounds.regions)
    assert (kept, found.foregrounds.proposed) == (12, 12)
    assert found.found_edits["pasted"] == 2 * kept
    assert found.edits == plain.edits
    assert found.candidates[:2] == plain.candidates
    assert [c.recipe.found for c in found.candidates] == [0, 0, 0.5, 0.5]
    first, _, _ = engine.with_foregrounds(
        engine.gather(model, dataset, "boat", labels(dataset), SIDE, options),
        model,
        found.before,
        propagate,
        options,
    )
    of_labelled = first.train.origins == examples.EDITED
    assert set(first.train.sources[of_labelled]) == set(first.training.regions)
    added = first.train.origins == engine.FOUND
    assert not set(first.train.sources[added]) & set(first.training.regions)
    assert added.sum() == sum(found.found_edits.values())


def test_same_seed_same_row(dataset, model):
    one, again, other = (
        repair(model, dataset, "boat", labels(dataset), SIDE, replace(OPTIONS, seed=seed)).after
        for seed in (0, 0, 1)
    )
    assert (one.weight == again.weight).all()
    assert not np.allclose(one.weight, other.weight)


def test_test_images_are_never_loaded(dataset, model):
    loaded = []

    def hidden_image():
        loaded.append("hidden")
        return sample(0).load_image()

    hidden = replace(sample(0), id="hidden", load_image=hidden_image)
    data = replace(dataset, subsets={**dataset.subsets, "test": [hidden]})
    with_test = repair(model, data, "boat", labels(dataset), SIDE, OPTIONS)
    without = repair(model, dataset, "boat", labels(dataset), SIDE, OPTIONS)
    assert loaded == []
    assert (with_test.after.weight == without.after.weight).all()


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 6, 5, stride=2)
        self.first, self.fc = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, images):
        pooled = self.convolution(images).relu().mean(dim=(2, 3))
        return self.fc(self.first(pooled).relu())


def whole(softmax):
    torch.manual_seed(1)
    return WholeNetwork(
        Whole(), None, SIDE, softmax=softmax, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    )


def test_features_and_row_give_the_networks_own_logits():
    model = whole(softmax=False)
    last = last_layer(model, 3, SIDE)
    assert last.name == "body.fc"
    pictures = (images() * 255).to(torch.uint8)
    features = FeatureReader(model, last, batch_size=2)(pictures)
    with torch.no_grad():
        scores = model(pictures.float() / 255).scores.numpy()
    assert row_of(last, 1).scores(features) == pytest.approx(scores[:, 1], abs=1e-5)


def test_softmax_offsets_make_the_log_odds(dataset):
    model = whole(softmax=True)
    last = last_layer(model, 3, SIDE)
    pictures = (images() * 255).to(torch.uint8)
    features = FeatureReader(model, last)(pictures)
    others = engine.Others(last, 1, softmax=True)
    count = len(pictures)
    zeros = np.zeros(count, dtype=np.int64)
    given = engine.Examples(features, zeros > 0, zeros, zeros, zeros, np.zeros(count))
    offsets = others.with_offsets(given).offsets
    row = others.without_anchor(row_of(last, 1))
    with torch.no_grad():
        logits = model.body(pictures.float() / 255)
    expected = against_the_rest(logits)[:, 1].numpy()
    assert row.scores(features, offsets) == pytest.approx(expected, abs=1e-5)
    back = others.with_anchor(row)
    assert back.weight == pytest.approx(row_of(last, 1).weight)


def test_softmax_repair_keeps_the_order_of_the_others(dataset):
    model = whole(softmax=True)
    with torch.no_grad():
        before = model.body(images())
    found = repair(model, dataset, "boat", labels(dataset), SIDE, replace(OPTIONS, softmax=True))
    replace_row(model, found.layer, found.column, found.after)
    with torch.no_grad():
        after = model.body(images())
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])


def test_features_come_from_the_cache_where_network_and_pixels_are_the_same(tmp_path):
    model = whole(softmax=False)
    last = last_layer(model, 3, SIDE)
    pictures = (images() * 255).to(torch.uint8)
    first = FeatureReader(model, last, cache=tmp_path)(pictures)
    reader = FeatureReader(model, last, cache=tmp_path)
    reader.model = None
    assert (reader(pictures) == first).all()
    with torch.no_grad():
        model.body.first.weight[0] += 1
    changed = FeatureReader(model, last, cache=tmp_path)(pictures)
    assert not np.allclose(changed, first)


def test_a_network_without_a_linear_end_is_refused():
    body = nn.Sequential(nn.Conv2d(3, 3, 3))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ConfigError, match="does not end in a linear layer"):
        last_layer(Classifier(body, head).eval(), 3, SIDE)


def test_no_label_is_refused(dataset, model):
    with pytest.raises(DataError, match="labelled images"):
        repair(model, dataset, "boat", LabelChoice(("boat",), 0), SIDE, OPTIONS)


def marked(dataset, annotated=frozenset({"ruler"})):
    """The dataset, every third image with a ruler."""
    subsets = {
        name: [
            replace(one, contexts=frozenset(["ruler"] * (n % 3 == 0)), annotated=annotated)
            for n, one in enumerate(samples)
        ]
        for name, samples in dataset.subsets.items()
    }
    return replace(dataset, contexts=("ruler",), subsets=subsets)


def test_regions_of_both_answers_and_context_labels_reach_the_refit(dataset, model):
    data = marked(dataset)
    both = choose_labels(data.subset("train"), ("boat", "cow"), 3, 0, 0)
    options = replace(OPTIONS, edits=EditRecipe(0, 0, 0, 0, alone=2), contexts=("ruler",))
    train = engine.gather(model, data, "boat", both, SIDE, options).train
    edited = train.origins == examples.EDITED
    assert edited.sum() == 2 * (3 + 3)
    boats = np.array(["boat" in s.labels for s in data.subset("train")])
    assert (train.answers == boats[train.sources]).all()
    assert sorted(train.answers[edited]) == [False] * 6 + [True] * 6
    # 32 images and their mirror images, every third with a ruler; of edits nothing is said
    assert train.contexts[:64, 0].tolist() == [n % 3 == 0 for n in range(32)] * 2
    assert not train.contexts[64:].any()


def test_without_context_labels_none_is_read(dataset, model):
    train = engine.gather(model, marked(dataset), "boat", labels(dataset), SIDE, OPTIONS).train
    assert train.contexts is None


def test_a_context_that_nobody_looked_for_is_refused(dataset, model):
    data = marked(dataset, annotated=frozenset())
    options = replace(OPTIONS, contexts=("ruler",))
    with pytest.raises(DataError, match="21 of 32 training images are not annotated"):
        repair(model, data, "boat", labels(dataset), SIDE, options)


def test_an_image_that_shows_the_object_gives_no_other_region(dataset, model):
    data = marked(dataset)
    first, *rest = data.subset("train")
    both = replace(
        first,
        labels=frozenset(["boat", "cow"]),
        regions={**first.regions, "cow": rest[0].regions["cow"]},
    )
    data = replace(data, subsets={**data.subsets, "train": [both, *rest]})
    named = tuple(
        LabelEntry(one.id, "mask", name)
        for one, name in ((both, "boat"), (both, "cow"), (rest[0], "cow"))
    )
    chosen = LabelChoice(("boat", "cow"), 0, 2, 0, named)
    regions, _ = regions_of(data.subset("train"), "boat", chosen, SIDE)
    assert sorted(regions) == [0, 1]
    for row, name in ((0, "boat"), (1, "cow")):
        mask = data.subset("train")[row].regions[name].load()
        assert torch.equal(regions[row] > 0.5, torch.from_numpy(mask))
