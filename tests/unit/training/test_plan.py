"""What a plan fills in, refuses, says and is called."""

from dataclasses import replace

import numpy as np
import pytest

from biasaudit.config import load_settings
from biasaudit.data.sample import Dataset, Region, Sample, SkippedImage
from biasaudit.errors import BiasAuditError, ConfigError, named_field
from biasaudit.models.backbones import BACKBONES
from biasaudit.training.plan import ELSEWHERE, USUAL, Usual, complete, make_plan

SIZE = 16


def sample(number, form="mask", context=True):
    """Even ones show a boat; every fourth of the others a cow by the water."""
    there = number % 2 == 0
    mask = np.zeros((SIZE, SIZE), bool)
    mask[4:10, 4:10] = True
    return Sample(
        f"{number}",
        frozenset(["boat"] if there else ["cow"]),
        frozenset(["water"] if number % 4 == 1 else []),
        lambda: np.full((SIZE, SIZE, 3), number, np.uint8),
        {"boat" if there else "cow": Region(form, lambda: mask)},
        annotated=frozenset(["water"] if context else []),
    )


def dataset(**changes):
    samples = [sample(number) for number in range(16)]
    given = {
        "name": "drawn",
        "classes": ("boat", "cow"),
        "contexts": ("water",),
        "subsets": {"train": samples[:12], "val": samples[12:]},
        "object": "boat",
        "context": "water",
        "root": "the/place",
    }
    return Dataset(**{**given, **changes})


def planned(*assignments, data=None, **options):
    usual = ["model.backbone=harbournet", "model.weights=none"]
    settings = load_settings(None, [*usual, *assignments], options)
    return make_plan(settings, data or dataset())


def refused(*assignments, data=None):
    with pytest.raises(BiasAuditError) as error:
        planned(*assignments, data=data)
    return str(error.value)


def test_a_plain_plan_has_nothing_to_say():
    plan = planned()
    assert plan.notes == []
    assert plan.name == "baseline-seed0"
    assert not plan.spends_labels
    assert plan.labels.entries == ()
    assert (plan.settings.data.object, plan.settings.data.context) == ("boat", "water")


@pytest.mark.parametrize(
    ("assignments", "name"),
    [
        (["training.seed=3"], "baseline-seed3"),
        (["data.pixel_labels=4"], "baseline-seed0"),
        (["training.mode=gain"], "gain-seed0"),
        (["training.mode=gain_ext", "data.pixel_labels=4"], "gain_ext-4-seed0"),
        (["training.mode=gain_ext", "data.box_labels=2"], "gain_ext-2boxes-seed0"),
        (
            ["training.mode=rrr", "data.pixel_labels=1", "data.box_labels=2", "training.seed=8"],
            "rrr-1-2boxes-seed8",
        ),
        (
            ["training.mode=rrr", "data.pixel_labels=1", 'data.regions="shuffled"'],
            "rrr-shuffled-1-seed0",
        ),
        (['data.regions="shuffled"'], "baseline-seed0"),
        (['training.loss="softmax"'], "baseline-softmax-seed0"),
        (['model.attention_module="rfga"'], "baseline-rfga-seed0"),
        (
            ['training.loss="softmax"', 'model.attention_module="rfga"', "training.seed=1"],
            "baseline-softmax-rfga-seed1",
        ),
    ],
)
def test_a_run_is_called_by_mode_labels_and_seed(assignments, name):
    assert planned(*assignments).name == name


def test_labels_that_a_mode_does_not_spend_are_told_and_not_chosen():
    plan = planned("data.pixel_labels=3", "data.box_labels=2")
    assert plan.labels.entries == ()
    assert plan.notes == ["mode 'baseline' uses no labels: the 5 asked for are not spent"]
    spent = planned("training.mode=gain_ext", "data.pixel_labels=3", "data.box_labels=2")
    assert spent.spends_labels
    assert len(spent.labels.entries) == 5
    assert spent.notes == []


@pytest.mark.parametrize(("workers", "cache", "told"), [(2, "memory", 1), (0, "memory", 0),
                                                         (2, "off", 0)])  # fmt: skip
def test_loading_processes_that_keep_no_image_are_told(workers, cache, told):
    plan = planned(f"training.workers={workers}", f'data.cache="{cache}"')
    said = "loading processes keep no image in memory from epoch to epoch: a cache folder does"
    assert plan.notes == [said] * told


def test_a_control_says_what_it_moves():
    moved = planned("training.mode=energy", "data.pixel_labels=2", 'data.regions="shuffled"')
    assert moved.notes == [
        "a control: the region of each labelled image is moved to a random place in it"
    ]
    assert planned('data.regions="shuffled"').notes == [
        f"{named_field('data.regions', 'shuffled')}: the mode uses no regions"
    ]


def test_images_that_were_left_out_are_told_first():
    skipped = (SkippedImage("a", "train", "a.png: cannot be read"),)
    plan = planned("data.pixel_labels=1", data=dataset(skipped=skipped))
    assert "1 image was left out that cannot be read; the first: a.png" in plan.notes[0]
    assert len(plan.notes) == 2


@pytest.mark.parametrize("mode", ["upweight", "last_layer"])
def test_a_mode_that_reads_the_context_says_of_how_many_images(mode):
    samples = [sample(n, context=n < 9) for n in range(12)]
    data = dataset(subsets={"train": samples, "val": samples})
    plan = planned(f"training.mode={mode}", data=data)
    # the ninth to the eleventh are not annotated; the ninth shows the water
    assert plan.annotated == 10
    assert plan.notes == [
        f"mode '{mode}' reads the label of 'water' of 10 of 12 training images and draws its "
        "balanced groups from these"
    ]


def test_a_mode_that_reads_the_context_needs_one_and_an_image_that_tells():
    bare = dataset(context=None)
    assert "mode=upweight: needs a context" in refused("training.mode=upweight", data=bare)
    assert planned(data=bare).settings.data.context is None
    samples = [replace(sample(n, context=False), contexts=frozenset()) for n in range(12)]
    silent = dataset(subsets={"train": samples, "val": samples})
    said = refused("training.mode=last_layer", data=silent)
    assert "no training image tells whether it shows 'water'" in said
    assert planned(data=silent).annotated == 0


def test_a_mode_that_spends_labels_needs_some():
    said = refused("training.mode=gain_ext")
    assert "mode=gain_ext: needs labelled images; add " in said
    assert "pixel_labels" in said
    assert planned("training.mode=gain").labels.entries == ()


def test_several_guided_classes_have_as_many_labels_each():
    data = dataset(guided=("boat", "cow"))
    plan = planned("training.mode=gain_ext", "data.pixel_labels=2", data=data)
    assert plan.notes == ["2 labels of each of boat, cow: 4 in all"]
    assert {entry.object for entry in plan.labels.entries} == {"boat", "cow"}
    one = planned("training.mode=gain_ext", "data.pixel_labels=2")
    assert {entry.object for entry in one.labels.entries} == {"boat"}


@pytest.mark.parametrize(
    ("outlines", "told"),
    [("true", "the object in each outlined by GrabCut"), ("false", "filled")],
)
def test_boxes_stand_in_for_masks_and_are_told(outlines, told):
    # of the six boats two have a mask
    samples = [sample(n, "mask" if n < 4 else "box") for n in range(12)]
    data = dataset(subsets={"train": samples, "val": samples})
    asked = ["training.mode=gain_ext", f"data.outlines={outlines}"]
    plan = planned(*asked, "data.pixel_labels=4", data=data)
    assert plan.notes == [f"4 pixel labels: 2 masks (all there are) and 2 boxes, {told}"]
    # boxes that were asked for as boxes stand in for nothing
    assert planned(*asked, "data.pixel_labels=2", "data.box_labels=3", data=data).notes == []


def test_boxes_of_several_classes_that_stand_in_are_counted_apart_from_those_asked_for():
    samples = [sample(n, "mask" if n < 2 else "box") for n in range(12)]
    data = dataset(subsets={"train": samples, "val": samples}, guided=("boat", "cow"))
    plan = planned(
        "training.mode=gain_ext", "data.outlines=false", "data.pixel_labels=2",
        "data.box_labels=3", data=data,
    )  # fmt: skip
    # of each class one mask, one box in the place of a mask, and three boxes
    assert plan.labels.counts_by_form() == {"mask": 2, "box": 8}
    assert plan.notes == [
        "4 pixel labels: 2 masks (all there are) and 2 boxes, filled",
        "5 labels of each of boat, cow: 10 in all",
    ]


def test_one_class_cannot_exclude_another():
    samples = [replace(sample(n), labels=frozenset(["boat"])) for n in range(12)]
    data = dataset(classes=("boat",), subsets={"train": samples, "val": samples})
    said = refused('training.loss="softmax"', data=data)
    assert "loss=softmax: one class alone; use " in said
    assert planned(data=data).name == "baseline-seed0"


def test_an_object_must_be_named_by_somebody():
    bare = dataset(object=None)
    said = refused(data=bare)
    assert "the/place: names no object to audit" in said
    assert "one of: boat, cow" in said
    assert planned('data.object="cow"', data=bare).settings.data.object == "cow"
    assert planned('data.object="cow"').settings.data.object == "cow"
    assert "did you mean 'boat'" in refused('data.object="boot"')
    assert "did you mean 'water'" in refused('data.context="watr"')


def test_what_is_open_is_filled_by_the_backbones_recipe_and_what_is_said_stands():
    recipe = BACKBONES["harbournet"]
    settings = complete(load_settings(None, ["model.backbone=harbournet"]), dataset())
    assert settings.model.weights == recipe.weights == "scenes"
    assert (settings.model.frozen, settings.model.batch_norm) == (1, recipe.batch_norm)
    assert settings.data.image_size == recipe.image_size
    training = settings.training
    assert (training.epochs, training.batch_size) == (recipe.epochs, recipe.batch_size)
    assert training.labels_per_step == recipe.labels_per_step
    assert training.learning_rate == recipe.learning_rate
    given = {
        "model.backbone": "harbournet", "model.weights": "none", "model.frozen": 0,
        "model.batch_norm": "frozen", "data.image_size": 48, "training.epochs": 7,
        "training.batch_size": 5, "training.labels_per_step": 3, "training.learning_rate": 0.5,
    }  # fmt: skip
    told = complete(load_settings(None, [], given), dataset())
    assert (told.model.weights, told.model.frozen, told.model.batch_norm) == ("none", 0, "frozen")
    assert told.data.image_size == 48
    training = told.training
    assert (training.epochs, training.batch_size, training.labels_per_step) == (7, 5, 3)
    assert training.learning_rate == 0.5


def test_settings_given_are_not_changed_and_the_origin_names_the_dataset():
    given = load_settings(None, ["model.backbone=harbournet"])
    made = complete(given, dataset(origin="/somewhere/whole"))
    assert made.data.name == "/somewhere/whole"
    assert given.data.object is None
    assert given.training.epochs is None
    assert complete(given, dataset()).data.name == given.data.name


def test_a_module_that_does_not_exist_is_refused():
    settings = load_settings(None, ["model.backbone=harbournet"])
    settings.model.attention_module = "rfgb"
    with pytest.raises(ConfigError, match="rfga"):
        complete(settings, dataset())


def test_datasets_have_a_usual_network_and_recipe():
    assert {name: one.backbone for name, one in USUAL.items()} == {
        "harbour": "harbournet", "camera": "harbournet",
    }  # fmt: skip
    assert (ELSEWHERE.backbone, ELSEWHERE.recipe) == ("mobilenet_v2", {})
    assert USUAL["camera"].recipe == {
        "epochs": 48, "batch_size": 16, "labels_per_step": 16, "learning_rate": 1e-3,
    }  # fmt: skip
    usual = Usual("harbournet", {"epochs": 3})
    assert usual.recipe_of("harbournet") == replace(BACKBONES["harbournet"], epochs=3)
    assert usual.recipe_of("vgg16") == BACKBONES["vgg16"]
    assert complete(load_settings(None), dataset()).model.backbone == "mobilenet_v2"
    assert complete(load_settings(None), dataset(name="harbour")).model.backbone == "harbournet"
