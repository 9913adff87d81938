"""A dataset that guides several classes: labels of each, and the recipe that suits it."""

import json

import pytest

from biasaudit.config import load_settings
from biasaudit.data.annotation.labels import LabelChoice
from biasaudit.errors import DataError
from biasaudit.training.plan import make_plan
from biasaudit.training.streams import LabelledStream

SMALL = {"train": 6, "val": 2, "test1": 1, "test2": 1}


def plan_of(**changes):
    options = {
        "data.name": "camera",
        "data.options": SMALL,
        "training.mode": "gain_ext",
        "data.box_labels": 4,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return make_plan(load_settings(None, (), options))


def test_as_many_boxes_of_each_orientation():
    plan = plan_of()
    assert plan.labels.counts_by_form() == {"box": 8}
    for orientation in ("forward", "reverse"):
        gave = [entry.id for entry in plan.labels.entries if entry.object == orientation]
        assert len(set(gave)) == 4
        shown = {s.id for s in plan.dataset.subset("train") if orientation in s.labels}
        assert set(gave) <= shown
    assert plan.notes == ["4 labels of each of forward, reverse: 8 in all"]
    assert plan.name == "gain_ext-4boxes-seed0"


@pytest.mark.parametrize(
    ("outlines", "form"), [(True, "the object in each outlined by GrabCut"), (False, "filled")]
)
def test_boxes_that_stand_in_are_counted_over_all_classes(outlines, form):
    plan = plan_of(data__pixel_labels=1, data__box_labels=2, data__outlines=outlines)
    assert plan.notes == [
        f"2 pixel labels: 0 masks (all there are) and 2 boxes, {form}",
        "3 labels of each of forward, reverse: 6 in all",
    ]


def test_the_audited_object_does_not_change_whose_regions_guide():
    assert plan_of(data__object="reverse").labels == plan_of().labels


def test_more_boxes_than_there_are():
    with pytest.raises(DataError, match="box_labels=7: only 6 training images of 'forward'"):
        plan_of(data__box_labels=7)


def test_a_round_of_the_stream_brings_every_box_of_its_class():
    plan = plan_of(data__flip=False)
    batch = next(LabelledStream(plan, 8))
    assert len(batch) == 8
    assert batch.region_rows.tolist() == list(range(8))
    assert batch.labels.argmax(dim=1).tolist() == batch.region_classes.tolist()
    assert sorted(batch.region_classes.tolist()) == [0] * 4 + [1] * 4
    assert (batch.regions.mean(dim=(1, 2)) > 0.03).all()


def test_the_choice_is_written_and_read():
    labels = plan_of().labels
    assert LabelChoice.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels


def test_small_datasets_have_a_recipe_of_their_own():
    own, other = plan_of().settings, plan_of(model__backbone="mobilenet_v2").settings
    assert (own.model.backbone, own.model.weights) == ("harbournet", "scenes")
    assert own.training.batch_size < plan_of(data__name="harbour", data__options={
        "train": 40, "val": 4, "group": 2,
    }).settings.training.batch_size  # fmt: skip
    assert own.training.labels_per_step == 16
    assert (other.training.batch_size, other.training.labels_per_step) == (16, 8)
    assert plan_of(training__epochs=3).settings.training.epochs == 3
