"""SEC as a finder: which regions it is shown, what it draws, which models and settings it takes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import biasaudit as ba
from biasaudit.config import repair_settings
from biasaudit.data.sample import Region
from biasaudit.errors import ConfigError
from biasaudit.segmentation import foregrounds
from biasaudit.segmentation.foregrounds import Sec, finder_of, region_of
from biasaudit.segmentation.origin import origin_of
from biasaudit.training.repair.engine import gather, with_foregrounds
from biasaudit.training.repair.foregrounds import Images, folds_of, seek
from biasaudit.training.repair.propagated import propagate
from biasaudit.training.repair.record import labels_for, options_of, repair_run

SEC = {"pixel_labels": 6, "foregrounds": "sec", "segment": {"iterations": 2}}


@pytest.fixture(scope="module")
def data():
    return ba.load_dataset("harbour", options={"train": 60, "val": 12, "group": 4})


@pytest.fixture(scope="module")
def run(data):
    return ba.train(data, epochs=1)


@pytest.fixture
def shown(monkeypatch):
    """Note what a segmenter is trained on, and draw each image's left half."""
    seen = []

    def made(origin, subject, dataset, settings, regions, tell, counted):
        seen.append(SimpleNamespace(subject=subject, settings=settings, regions=regions))
        left = torch.zeros(5, 64, 64)
        left[1, :, :32], left[0, :, 32:] = 1.0, 1.0
        return SimpleNamespace(
            classes=origin.classes,
            network=torch.nn.Identity(),
            probabilities=lambda image, crf: left.clamp(0.01, 0.9),
        )

    monkeypatch.setattr(foregrounds, "make_segmenter", made)
    return seen


def images_of(data, settings):
    """Return the training images as a repair has them, by hand."""
    samples = data.subset("train")
    chosen = labels_for(data, "boat", settings, outlines=True).by_image()
    regions = {
        row: torch.from_numpy(sample.regions["boat"].load()).float()
        for row, sample in enumerate(samples)
        if sample.id in chosen
    }
    there = [row for row, sample in enumerate(samples) if "boat" in sample.labels]
    return Images(
        lambda row: torch.from_numpy(samples[row].load_image()).permute(2, 0, 1),
        regions,
        dict.fromkeys(regions, "mask"),
        [row for row in range(len(samples)) if row not in there],
        [row for row in there if row not in regions],
    )


@pytest.mark.parametrize("labels", [2, 6, 7])
def test_a_third_of_the_regions_is_held_back_and_measures(run, data, shown, labels):
    settings = repair_settings({**SEC, "pixel_labels": labels})
    finder = finder_of(run, data, "boat", settings)
    images = images_of(data, settings)
    found = finder(run.load_model(), images, 0, lambda *_: None)
    samples = data.subset("train")
    (given,) = shown
    taught = {row for row in images.labelled if samples[row].id in given.regions}
    assert set(found.held_back) == set(images.labelled) - taught
    assert len(found.held_back) == {2: 1, 6: 2, 7: 3}[labels]
    assert all(forms == {"boat": "mask"} for forms in given.regions.values())
    assert len(given.regions) == len(taught)
    assert sorted(found.regions) == images.unlabelled
    assert given.settings.regions is True


def test_regions_may_be_left_out(run, data, shown):
    settings = repair_settings({**SEC, "segment": {"regions": False}})
    finder_of(run, data, "boat", settings)(
        run.load_model(), images_of(data, settings), 0, lambda *_: None
    )
    assert shown[0].regions == {}


def test_the_attention_is_that_of_the_model_in_hand_which_stays_as_it_is(run, data, shown):
    settings = repair_settings(SEC)
    model = run.load_model()
    finder_of(run, data, "boat", settings)(model, images_of(data, settings), 3, lambda *_: None)
    used = shown[0].subject.model
    assert used is not model
    assert all(
        torch.equal(a, b) for a, b in zip(used.parameters(), model.parameters(), strict=True)
    )
    assert (shown[0].subject.image_size, shown[0].settings.seed) == (64, 3)


def test_both_ways_are_pruned_and_measured_alike(run, data, shown):
    """IoU of what is found with what is held back, and pruning by the score, whoever finds it."""
    settings = repair_settings(SEC)
    images = images_of(data, settings)
    finder = finder_of(run, data, "boat", settings)
    held = finder(run.load_model(), images, 0, lambda *_: None).held_back
    told = []

    def score(pictures):
        told.append(len(list(pictures)))
        return np.full(told[-1], -len(told), dtype=float)  # what is left scores less

    kept = seek(finder, run.load_model(), images, score, 0)
    expected = [
        float((held[row] * images.labelled[row]).sum())
        / float(torch.maximum(held[row], images.labelled[row]).sum())
        for row in held
    ]
    assert kept.iou == pytest.approx(np.mean(expected))
    assert kept.kept_iou == kept.iou
    assert (kept.held_back, kept.proposed) == (2, len(images.unlabelled))
    assert sorted(kept.regions) == images.unlabelled
    assert told == [len(images.unlabelled)] * 2 + [2, 2]
    none = seek(finder, run.load_model(), images, lambda p: np.zeros(len(list(p))), 0)
    assert (none.regions, none.kept_held_back) == ({}, 0)
    assert np.isnan(none.kept_iou)


def test_an_empty_region_is_none(run, data):
    images = images_of(data, repair_settings(SEC))

    def nothing(model, images, seed, tell):
        empty = torch.zeros(64, 64)
        rows = sorted(images.labelled)
        return foregrounds.Found(
            {row: empty + (row % 2) for row in images.unlabelled}, {rows[0]: empty}
        )

    found = seek(nothing, run.load_model(), images, lambda p: np.arange(0), 0)
    assert (found.proposed, found.regions) == (0, {})
    assert (found.iou, found.held_back, found.kept_held_back) == (0.0, 1, 0)


def test_folds_are_even(data):
    images = images_of(data, repair_settings({**SEC, "pixel_labels": 7}))
    folds = folds_of(images, np.random.default_rng(0))
    assert sorted(folds) == sorted(images.labelled)
    assert sorted(folds.values()) == [0, 0, 0, 1, 1, 2, 2]


def test_a_mask_is_where_the_object_is_the_most_probable_and_the_colours_agree():
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    image[0, 20:40, 20:40] = 220
    image[2] += 90
    near = torch.zeros(64, 64, dtype=torch.bool)
    near[16:36, 24:44] = True  # beside the red square
    scores = torch.where(near, 0.6, 0.4)
    drawer = SimpleNamespace(
        classes=("car", "boat"),
        probabilities=lambda picture, crf: torch.stack([1 - scores, scores * 0, scores]) + 1e-3,
    )
    found = region_of(drawer, "boat", image)
    red = image[0] > 0
    assert float((found.bool() & red).sum() / (found.bool() | red).sum()) > 0.95


def sealed_but(data, labelled):
    """Return a dataset of which training images and the regions of labelled ones can be read."""

    def refuse():
        raise AssertionError("not for training")

    sealed = {name: Region("mask", refuse) for name in data.classes}
    train = [
        sample if sample.id in labelled else replace(sample, regions=sealed)
        for sample in data.subset("train")
    ]
    others = {
        name: [replace(sample, load_image=refuse) for sample in data.subset(name)]
        for name in data.subsets
        if name != "train"
    }
    assert others["val"]
    return replace(data, subsets={**others, "train": train})


def test_no_image_but_those_of_training_is_read(run, data):
    """A search on a dataset whose other images cannot be read, nor regions without a label."""
    settings = repair_settings(SEC)
    labels = labels_for(data, "boat", settings, outlines=True)
    sealed = sealed_but(data, {entry.id for entry in labels.entries})
    finder = finder_of(run, sealed, "boat", settings)
    assert isinstance(finder, Sec)
    model = run.load_model()
    options = options_of(settings, finder=finder)
    material = gather(model, data, "boat", labels, 64, options)
    before = [values.clone() for values in model.state_dict().values()]
    train = data.subset("train")
    counted = {}
    more, found, counts = with_foregrounds(
        material,
        model,
        material.before,
        finder,
        options,
        lambda what, n: counted.update({what: counted.get(what, 0) + n}),
    )
    assert counted["steps"] == 2
    assert counted["images"] == len(train)
    assert found.held_back == 2
    assert not set(found.regions) & set(material.training.regions)
    assert sum(counts.values()) == len(more.train) - len(material.train)
    after = model.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_steps_are_few_where_none_are_asked_for(run, data):
    asked = repair_settings({"foregrounds": "sec"})
    assert finder_of(run, data, "boat", asked).settings.iterations == foregrounds.MOST_STEPS
    assert finder_of(run, data, "boat", repair_settings(SEC)).settings.iterations == 2


def test_what_finds_by_name(run, data):
    assert finder_of(run, data, "boat", repair_settings({})) is None
    assert finder_of(run, data, "boat", repair_settings({"foregrounds": "propagated"})) is propagate


def external(model):
    classes = ("boat", "car", "house", "tree")
    return ba.load_model(model, classes=classes, image_size=64, name="mine")


@pytest.fixture
def modules(tmp_path, monkeypatch):
    text = (
        "import torchvision\n\ndef make():\n    return torchvision.models.resnet18(num_classes=4)\n"
    )
    (tmp_path / "own_network.py").write_text(text)
    monkeypatch.chdir(tmp_path)


def test_an_external_model_without_a_registered_backbone(data, modules):
    with pytest.raises(ConfigError, match=r"mine: .* 'own_network:make' is none") as caught:
        finder_of(external("own_network:make"), data, "boat", repair_settings(SEC))
    assert "propagated" in caught.value.hint


def test_an_external_model_with_one():
    model = SimpleNamespace(
        name="mine", classes=("boat", "car"), external=SimpleNamespace(model="resnet18")
    )
    origin = origin_of(model)
    assert (origin.backbone, origin.weights, origin.frozen) == ("resnet18", "imagenet", 5)
    assert dict(origin.about) == {"name": "mine", "mode": "external"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segment": {"iteration": 3}}, "iteration"),
        ({"segment": {"iterations": 0}}, "iterations=0"),
        ({"segment": {"stride": 3}}, "stride=3: not a power of two"),
        ({"segment": {"weights": "none.pth"}}, "none.pth: no such file"),
        ({"segment": {"device": "mps"}}, "device=mps: there is none"),
        ({"foregrounds": "propagated"}, "trains no segmentation network, whose iterations is set"),
        ({"foregrounds": "labelled"}, "trains no segmentation network"),
    ],
)
def test_settings_that_do_not_fit(run, data, changes, words, monkeypatch):
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(ConfigError, match=words):
        finder_of(run, data, "boat", repair_settings({**SEC, **changes}))


def test_a_repair_without_its_finder_is_a_defect(run, data):
    with pytest.raises(ValueError, match="'sec' with the finder None"):
        repair_run(run, data, "boat", repair_settings(SEC), lambda *_: None)
