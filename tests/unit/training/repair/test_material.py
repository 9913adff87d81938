"""From samples to rows: their order, their folds and origins, what is told, what is cached."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from biasaudit.config import RepairSettings
from biasaudit.data.annotation.labels import LabelChoice, LabelEntry
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import ConfigError
from biasaudit.models.classifier import Classifier
from biasaudit.models.whole_network import WholeNetwork
from biasaudit.training.repair.choose import Answered, Candidate, best
from biasaudit.training.repair.contexts import LEAST, conflicting_auroc, inverse_propensities
from biasaudit.training.repair.edits import EditRecipe
from biasaudit.training.repair.engine import FEWER, SHARE, Repaired, replace_row
from biasaudit.training.repair.examples import (
    _noted,
    regions_of,
    together,
    train_examples,
    training_images,
    val_examples,
)
from biasaudit.training.repair.features import FeatureReader, LastLayer, last_layer
from biasaudit.training.repair.foregrounds import Foregrounds
from biasaudit.training.repair.record import options_of, record_of, summary_of
from biasaudit.training.repair.refit import (
    CROPPED,
    EDITED,
    ORIGINAL,
    Examples,
    Objective,
    Recipe,
    Row,
    example_weights,
    refit,
)

SIDE = 16


def identity():
    """A convolution that hands its images on: the network has to have one."""
    made = nn.Conv2d(3, 3, 1, bias=False)
    made.weight.data = torch.eye(3)[:, :, None, None]
    return made


class Mean(nn.Module):
    """Features are the mean colours; classes are linear in them."""

    def __init__(self, classes=2, bias=True):
        super().__init__()
        self.same = identity()
        self.fc = nn.Linear(3, classes, bias=bias)

    def forward(self, images):
        return self.fc(self.same(images).mean(dim=(2, 3)))


def network(body=None):
    return WholeNetwork(
        body or Mean(), None, SIDE, softmax=False, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    ).eval()


def sample(number):
    """The red of an image tells its number; even ones show a boat, to the left."""
    there = number % 2 == 0
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[..., 0] = 10 * number
    mask = np.zeros((SIDE, SIDE), bool)
    mask[4:12, 2:10] = True
    return Sample(
        f"{number}",
        frozenset(["boat"] if there else ["cow"]),
        frozenset(["water"] if number < 3 else []),
        lambda: image,
        {"boat" if there else "cow": Region("mask", lambda: mask)},
        annotated=frozenset(["water"]),
    )


@pytest.fixture
def dataset():
    samples = [sample(number) for number in range(12)]
    return Dataset(
        "drawn", ("boat", "cow"), ("water",), {"train": samples[:8], "val": samples[8:]},
        object="boat", context="water",
    )  # fmt: skip


def chosen(*ids):
    entries = tuple(LabelEntry(id, "mask", "boat") for id in ids)
    return LabelChoice(("boat",), 0, len(ids), 0, entries)


def gathered(dataset, model=None, flip=True, contexts=("water",), entries=("0", "4"), **recipe):
    model = model or network()
    reader = FeatureReader(model, last_layer(model, 2, SIDE), batch_size=3)
    training = training_images(dataset, "boat", chosen(*entries), SIDE, contexts, 2, 0)
    counts = {"pasted": 0, "blurred": 0, "covered": 0, "inpainted": 0, **recipe}
    told = []
    rows, edits = train_examples(
        reader, training, EditRecipe(**counts), 0, flip, lambda what, n: told.append((what, n))
    )
    return training, rows, edits, told


def test_originals_come_first_then_mirrored_then_edits(dataset):
    training, rows, edits, told = gathered(dataset, blurred=1, crops=2)
    assert edits == {
        "pasted": 0, "blurred": 1 * 2, "covered": 0, "inpainted": 0, "crops": 2 * 2,
        "windows": 0, "alone": 0,
    }  # fmt: skip
    assert rows.origins.tolist() == [ORIGINAL] * 16 + [EDITED, CROPPED, CROPPED] * 2
    assert rows.sources.tolist() == [*range(8)] * 2 + [0] * 3 + [4] * 3
    answers = [n % 2 == 0 for n in range(8)]
    assert rows.answers.tolist() == answers * 2 + [False, True, True] * 2
    assert rows.folds.tolist() == [*training.folds] * 2 + [
        training.folds[source] for source in rows.sources[16:]
    ]
    assert not rows.offsets.any()
    assert rows.contexts[:16, 0].tolist() == [n < 3 for n in range(8)] * 2
    assert rows.contexts[16:].tolist() == [[False]] * 6
    # the mean red of an image, mirrored or not
    red = [10 * n / 255 for n in range(8)]
    assert rows.features[:16, 0].tolist() == pytest.approx(red * 2, abs=1e-6)
    assert sum(n for what, n in told if what == "images") == 16
    assert sum(n for what, n in told if what == "edits") == 6
    assert {what for what, _ in told} == {"images", "edits"}


class Halves(Mean):
    """Features are the mean red of the left half, of the upper half, and of all."""

    def forward(self, images):
        red, half = self.same(images)[:, 0], SIDE // 2
        parts = red[:, :, :half], red[:, :half], red
        return self.fc(torch.stack([part.mean(dim=(1, 2)) for part in parts], dim=1))


def test_images_are_mirrored_from_left_to_right(dataset):
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[: SIDE // 2, : SIDE // 2, 0] = 255  # the upper left quarter
    one = replace(dataset.subset("train")[1], load_image=lambda: image)
    train = [dataset.subset("train")[0], one]
    drawn = replace(dataset, subsets={**dataset.subsets, "train": train})
    _, rows, _, _ = gathered(drawn, network(Halves()), entries=("0",), contexts=())
    plain, mirrored = rows.features[1], rows.features[3]
    assert plain.tolist() == pytest.approx([0.5, 0.5, 0.25], abs=1e-6)
    assert mirrored.tolist() == pytest.approx([0.0, 0.5, 0.25], abs=1e-6)


def test_without_mirroring_each_original_counts_once(dataset):
    _, rows, _, told = gathered(dataset, flip=False, contexts=(), blurred=1)
    assert rows.origins.tolist() == [ORIGINAL] * 8 + [EDITED] * 2
    assert rows.contexts is None
    assert sum(n for what, n in told if what == "images") == 8


def test_what_is_known_of_the_training_images(dataset):
    training, *_ = gathered(dataset)
    assert training.answers.tolist() == [n % 2 == 0 for n in range(8)]
    assert sorted(training.regions) == [0, 4]
    assert training.shown[:, 0].tolist() == [n < 3 for n in range(8)]
    assert training.pixels(5)[:, 0, 0].tolist() == [50, 0, 0]
    assert set(training.folds) == {0, 1}


def test_val_has_neither_edits_nor_folds(dataset):
    model = network()
    told = []
    reader = FeatureReader(model, last_layer(model, 2, SIDE), batch_size=3)
    rows = val_examples(reader, dataset, "boat", SIDE, lambda what, n: told.append((what, n)))
    assert rows.answers.tolist() == [True, False, True, False]
    assert rows.features[:, 0].tolist() == pytest.approx([n / 25.5 for n in range(8, 12)])
    assert rows.sources.tolist() == [0, 1, 2, 3]
    assert not rows.origins.any()
    assert not rows.folds.any()
    assert rows.contexts is None
    assert told == [("images", 3), ("images", 1)]


def test_regions_of_one_image_are_joined(dataset):
    first, second, *rest = dataset.subset("train")
    other = np.zeros((SIDE, SIDE), bool)
    other[0:2] = True
    second = replace(second, regions={**second.regions, "tree": Region("mask", lambda: other)})
    entries = (LabelEntry("1", "mask", "cow"), LabelEntry("1", "mask", "tree"))
    labels = LabelChoice((), 0, 2, 0, entries)
    regions, forms = regions_of([first, second, *rest], "boat", labels, SIDE)
    assert forms == {1: "mask"}
    assert sorted(regions) == [1]
    expected = torch.zeros(SIDE, SIDE)
    expected[4:12, 2:10] = expected[0:2] = 1
    assert torch.equal((regions[1] > 0.5).float(), expected)


def rows_of(contexts):
    zeros = np.zeros(2, dtype=np.int64)
    return Examples(
        np.ones((2, 1), np.float32), zeros > 0, zeros, zeros, zeros, np.zeros(2), contexts
    )


def test_rows_of_both_have_contexts_where_both_have():
    read = rows_of(np.array([[True], [False]]))
    assert together(read, read).contexts[:, 0].tolist() == [True, False] * 2
    assert together(read, rows_of(None)).contexts is None
    assert together(rows_of(None), read).contexts is None
    assert len(together(read, read)) == 4


def test_edits_are_made_by_one_thread_and_their_pixels_are_not_kept(dataset):
    training, *_ = gathered(dataset)
    seen, made = [], []
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)

        def edits():
            for edit in training.edits(training.regions, EditRecipe(0, 1, 0, 0), 0):
                seen.append(torch.get_num_threads())
                yield edit

        for image in _noted(edits(), made):
            assert image.shape == (3, SIDE, SIDE)
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1]
    assert [(edit.kind, edit.source, edit.image.numel()) for edit in made] == [
        ("blurred", 0, 0), ("blurred", 4, 0),
    ]  # fmt: skip


def test_features_in_batches_are_those_of_one_pass(tmp_path):
    model = network()
    last = last_layer(model, 2, SIDE)
    assert last.name == "body.fc"
    images = torch.randint(0, 256, (5, 3, SIDE, SIDE), dtype=torch.uint8)
    whole = FeatureReader(model, last, 9)(images)
    assert whole.dtype == np.float32
    expected = images.double().mean(dim=(2, 3)).numpy() / 255
    np.testing.assert_allclose(whole, expected, rtol=1e-5)
    told = []
    parts = FeatureReader(model, last, 2, tmp_path)(images, told.append)
    assert told == [2, 2, 1]
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    kept = sorted(tmp_path.rglob("*"))
    files = [file for file in kept if file.is_file()]
    assert len(files) == 3
    assert all(file.suffix == ".npy" and file.parent.name == file.name[:2] for file in files)
    assert {file.parent.parent for file in files} == {tmp_path / "features"}
    # other pixels, or as many of another shape, have files of their own
    FeatureReader(model, last, 2, tmp_path)(255 - images[:2])
    assert sum(file.is_file() for file in tmp_path.rglob("*")) == 4
    assert FeatureReader(model, last, 2)([]).shape == (0, 3)


class Twice(Mean):
    def forward(self, images):
        pooled = self.same(images).mean(dim=(2, 3))
        return self.fc(pooled) + self.fc(pooled)


class Convolved(nn.Module):
    """A linear layer over every place of a map: it sees each image more than once."""

    def __init__(self):
        super().__init__()
        self.same, self.fc = identity(), nn.Linear(3, 2)

    def forward(self, images):
        return self.fc(self.same(images).flatten(2).transpose(1, 2)).mean(dim=1)


@pytest.mark.parametrize(
    ("body", "classes", "told"),
    [
        (Mean(3), 2, "does not end in a linear layer"),
        (Mean(bias=False), 2, "does not end in a linear layer with a bias"),
        (Convolved(), 2, "does not end in a linear layer"),
        (Twice(), 2, "calls its last layer 'body.fc' more than once"),
    ],
)
def test_what_is_no_last_layer_is_refused(body, classes, told):
    model = network(body)
    with pytest.raises(ConfigError, match=told):
        last_layer(model, classes, SIDE)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_last_of_several_linear_layers_is_found_and_no_hook_stays():
    class Deep(Mean):
        def __init__(self):
            super().__init__()
            self.after = nn.Linear(2, 2)

        def forward(self, images):
            return self.after(super().forward(images).relu())

    model = network(Deep())
    found = last_layer(model, 2, SIDE)
    assert isinstance(found, LastLayer)
    assert found.name == "body.after"
    assert found.layer is model.body.after
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("first", [True, False])
def test_the_bias_that_counts_is_that_of_the_last_layer(first):
    class Deep(Mean):
        def __init__(self, last):
            super().__init__(bias=first)
            self.after = nn.Linear(2, 2, bias=last)

        def forward(self, images):
            return self.after(super().forward(images))

    assert last_layer(network(Deep(last=True)), 2, SIDE).name == "body.after"
    with pytest.raises(ConfigError, match="linear layer with a bias"):
        last_layer(network(Deep(last=False)), 2, SIDE)


def test_a_row_is_written_where_it_belongs_and_into_a_linear_layer_alone():
    model = network()
    replace_row(model, "body.fc", 1, Row(np.array([1.0, 2.0, 3.0]), -4.0))
    assert model.body.fc.weight[1].tolist() == [1.0, 2.0, 3.0]
    assert float(model.body.fc.bias[1].detach()) == -4.0
    plain = Classifier(nn.Sequential(nn.Conv2d(3, 2, 1)), nn.AdaptiveAvgPool2d(1))
    with pytest.raises(ConfigError, match=r"'body\.0' is not linear"):
        replace_row(plain, "body.0", 0, Row(np.zeros(3), 0.0))


def test_foregrounds_found_are_edited_less_and_have_half_of_the_dose():
    assert (FEWER.pasted, FEWER.blurred, FEWER.covered, FEWER.inpainted) == (2, 1, 1, 0)
    assert SHARE == 0.5


def separable(count=8):
    """Examples of one feature that answers; every other one shows the object."""
    answers = np.arange(count) % 2 == 0
    features = np.where(answers, 1.0, -1.0)[:, None].astype(np.float32)
    numbers = np.arange(count)
    return Examples(
        features, answers, np.full(count, ORIGINAL), numbers, numbers % 2, np.zeros(count)
    )


def test_the_norm_of_features_is_that_of_the_originals():
    rows = separable(4)
    mixed = replace(
        rows,
        features=np.array([[3.0], [-4.0], [50.0], [60.0]], np.float32),
        origins=np.array([ORIGINAL, ORIGINAL, EDITED, EDITED]),
    )
    objective = Objective(mixed, np.ones(4), Recipe(strength=25.0))
    assert objective.norm == pytest.approx(12.5**0.5)
    assert objective.strength == pytest.approx(2.0)
    for made in (
        replace(rows, features=np.zeros((4, 1), np.float32)),
        replace(mixed, origins=np.full(4, EDITED)),
    ):
        objective = Objective(made, np.ones(4), Recipe(strength=25.0))
        assert (objective.norm, objective.strength) == (1.0, 25.0)


def test_rows_that_weigh_nothing_change_nothing():
    rows = separable()
    weights = np.where(np.arange(8) < 4, 1.0, 0.0)
    point = np.array([0.3, -0.2])
    some, value = Objective(rows, weights, Recipe()), 0.0
    value, gradient = some(point)
    # four rows: answers of 1 at 1 and of 0 at -1, twice each
    c = 20.0
    losses = 2 * np.log1p(np.exp(-0.1)) + 2 * np.log1p(np.exp(-0.5))
    assert value == pytest.approx(c * losses + 0.3**2 / 2)
    slopes = [2 * c * (1 / (1 + np.exp(-0.1)) - 1), 2 * c / (1 + np.exp(0.5))]
    assert gradient == pytest.approx([slopes[0] - slopes[1] + 0.3, slopes[0] + slopes[1]])


def test_the_optimum_of_one_feature_by_its_own_equation():
    """At the optimum w = C Σ weight · x · (answer - p), and the residuals sum to nothing."""
    rows = separable()
    found = refit(rows, Recipe(strength=0.5), Row(np.zeros(1), 0.0))
    likely = 1 / (1 + np.exp(-(found.weight[0] + found.bias)))
    unlikely = 1 / (1 + np.exp(found.weight[0] - found.bias))
    assert found.bias == pytest.approx(0.0, abs=1e-4)
    assert found.weight[0] == pytest.approx(0.5 * 4 * ((1 - likely) + unlikely), abs=1e-3)


def test_a_bootstrap_draws_sources_with_everything_made_from_them(monkeypatch):
    rows = together(separable(), replace(separable(), origins=np.full(8, EDITED)))
    seen = []

    def noted(examples, weights, recipe, start):
        seen.append((weights / example_weights(examples, recipe), start))
        return Row(np.array([float(len(seen))]), 10.0 * len(seen))

    monkeypatch.setattr("biasaudit.training.repair.refit.optimum", noted)
    start = Row(np.zeros(1), 0.0)
    made = refit(rows, Recipe(refits=3), start, seed=5)
    assert (made.weight.tolist(), made.bias) == ([2.0], 20.0)
    for times, _ in seen:
        assert times[:8] == pytest.approx(times[8:])  # an image and its edit
        assert times[:8].sum() == pytest.approx(8)  # as many as there are
        assert times.round(6).tolist() == times.round().tolist()
    assert len({tuple(times.round()) for times, _ in seen}) == 3
    # each search begins where the one before ended
    assert [began.bias for _, began in seen] == [0.0, 10.0, 20.0]


def test_groups_of_ten_are_ranked_and_of_nine_are_not():
    assert LEAST == 10
    for count in (9, 10):
        answers = np.repeat([True, False], count)
        shown = ~answers[:, None]
        scores = np.where(answers, 1.0, 0.0)
        ranked = conflicting_auroc(scores, answers, shown)
        assert (ranked == 1.0) if count == 10 else np.isnan(ranked)


def test_the_ridge_of_a_propensity_by_the_equation_of_its_optimum():
    """One context: the ridge's weight is what the residuals with the context leave."""
    answers = np.repeat([True, False, True, False], [6, 2, 1, 3])
    shown = np.repeat([True, True, False, False], [6, 2, 1, 3])[:, None]
    found = inverse_propensities(answers, shown)
    share = 7 / 12
    with_it = share / found[0]  # P(yes | context), of P(yes) / P(yes | context)
    without = share / found[8]
    assert found[6] == pytest.approx((1 - share) / (1 - with_it))
    assert found[9] == pytest.approx((1 - share) / (1 - without))

    def logit(p):
        return np.log(p / (1 - p))

    weight = logit(with_it) - logit(without)
    assert weight == pytest.approx(6 - 8 * with_it, abs=2e-3)
    assert 8 * with_it + 4 * without == pytest.approx(7, abs=2e-3)


FIGURES = Answered(0.9, 0.3, 0.8)


def test_a_candidate_as_a_row_of_a_table():
    made = Candidate(Recipe(dose=0.5), FIGURES, replace(FIGURES, auroc=0.7), FIGURES, True)
    told = made.to_dict()
    assert told["edits_auroc"] == 0.7
    assert told["originals_log_loss"] == 0.3
    assert told["val_accuracy"] == 0.9
    assert (told["dose"], told["allowed"]) == (0.5, True)
    assert "conflicting_auroc" not in told
    assert replace(made, conflicting=0.6).to_dict()["conflicting_auroc"] == 0.6


def test_one_candidate_without_ranks_leaves_the_choice_to_the_edits():
    some = Candidate(Recipe(), FIGURES, replace(FIGURES, auroc=0.7), FIGURES, True, 0.9)
    other = Candidate(Recipe(), FIGURES, replace(FIGURES, auroc=0.8), FIGURES, True)
    assert best([some, other]) is other
    # what is not allowed has no say in that
    assert best([some, replace(some, conflicting=0.5), replace(other, allowed=False)]) is some


def record(**changes):
    made = {
        "val": {"before": {"accuracy": 0.9}, "after": {"accuracy": 0.8875}},
        "chosen": {"dose": 0.3, "strength": 20.0, "balance": 1.5, "found": 0.0},
        "labels_by_form": {"mask": 2, "box": 1},
        "edits": {"pasted": 24, "blurred": 6},
    }
    return {**made, **changes}


def test_a_repair_in_one_line():
    plain = "val 0.900 → 0.887, dose 0.3, strength 20, 30 edits of 3 labels"
    assert summary_of(record()) in (plain, plain.replace("0.887", "0.888"))
    assert summary_of(record(labels_by_form={"mask": 1})).endswith("30 edits of 1 label")
    contexts = summary_of(record(context_labels=["ruler", "hair"]))
    assert contexts.endswith("3 labels, balance 1.5 by the labels of ruler, hair")
    found = {"kept": 5, "proposed": 9, "iou": 0.714}
    said = "; 5 foregrounds found in 9 images (IoU 0.71 with labels held back"
    assert summary_of(record(foregrounds=found)).endswith(f"{said}, not used: they do not help)")
    used = {**record()["chosen"], "found": 0.5}
    assert summary_of(record(foregrounds=found, chosen=used)).endswith(f"{said})")


def test_options_follow_the_settings():
    plain = options_of(RepairSettings(pixel_labels=3))
    assert plain.edits == EditRecipe()
    assert {r.dose for r in plain.recipes} == {0.1, 0.2, 0.3, 0.5}
    assert {r.balance for r in plain.recipes} == {0.0}
    assert (plain.contexts, plain.finder, plain.softmax) == ((), None, False)
    regions = options_of(
        RepairSettings(
            pixel_labels=3, regions=("boat", "cow"), context_labels=("water",), refits=4,
            folds=3, flip=False, seed=7, max_val_loss=0.1, edits={"alone": 5},
        ),
        softmax=True,
    )  # fmt: skip
    assert regions.edits == EditRecipe(pasted=0, blurred=0, covered=0, inpainted=0, alone=5)
    assert {r.dose for r in regions.recipes} == {0.3, 1.0}
    assert {r.balance for r in regions.recipes} == {1.0, 1.25, 1.5, 2.0}
    assert (regions.refits, regions.folds, regions.seed) == (4, 3, 7)
    assert (regions.flip, regions.max_val_loss, regions.softmax) == (False, 0.1, True)
    assert regions.contexts == ("water",)
    two = options_of(RepairSettings(regions=("boat", "cow")))
    assert two.edits.alone == 2
    sought = RepairSettings(pixel_labels=2, foregrounds="propagated")

    def finder(*_):
        raise AssertionError("options seek nothing")

    assert options_of(sought, finder=finder).finder is finder
    for wrong, given in ((sought, None), (RepairSettings(), finder)):
        with pytest.raises(ValueError, match="finder"):
            options_of(wrong, finder=given)


def test_the_record_of_a_repair_says_what_was_found_in_unlabelled_images():
    chosen = Candidate(Recipe(dose=0.5), FIGURES, FIGURES, FIGURES, True)
    plain = Repaired(
        "body.fc", 1, Row(np.array([1.0, 2.0]), 3.0), Row(np.zeros(2), 0.0), chosen,
        (chosen, replace(chosen, allowed=False)), {"pasted": 8}, FIGURES,
        replace(FIGURES, accuracy=0.8),
    )  # fmt: skip
    entries = (LabelEntry("0", "mask", "boat"), LabelEntry("2", "box", "boat"))
    labels = LabelChoice(("boat",), 0, 1, 1, entries)
    settings = RepairSettings(pixel_labels=1, box_labels=1, context_labels=("water",))
    told = record_of(plain, "runs/a", "boat", labels, settings)
    assert "foregrounds" not in told
    assert (told["repaired"], told["object"], told["layer"], told["row"]) == (
        "runs/a", "boat", "body.fc", 1,
    )  # fmt: skip
    assert (told["pixel_labels"], told["box_labels"]) == (1, 1)
    assert told["labels_by_form"] == {"mask": 1, "box": 1}
    assert (told["regions"], told["context_labels"]) == (["boat"], ["water"])
    assert told["before"] == {"weight": [1.0, 2.0], "bias": 3.0}
    assert (told["val"]["before"]["accuracy"], told["val"]["after"]["accuracy"]) == (0.9, 0.8)
    assert told["chosen"]["dose"] == 0.5
    assert [one["allowed"] for one in told["candidates"]] == [True, False]
    found = replace(
        plain, foregrounds=Foregrounds({3: torch.zeros(1)}, 4, 0.5, float("nan"), 2, 0),
        found_edits={"pasted": 2},
    )  # fmt: skip
    sought = RepairSettings(pixel_labels=1, box_labels=1, foregrounds="propagated")
    assert record_of(found, "runs/a", "boat", labels, sought)["foregrounds"] == {
        "kind": "propagated", "proposed": 4, "kept": 1, "iou": 0.5, "kept_iou": None,
        "held_back": 2, "kept_held_back": 0, "edits": {"pasted": 2},
    }  # fmt: skip
