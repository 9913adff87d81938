"""An audit at its operating point: a classifier that answers by a rule, thresholds by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from biasaudit.data.sample import Dataset, Sample
from biasaudit.evaluation.audit import Case, audit, plan_splits
from biasaudit.evaluation.predict import Subject
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.statistics import OperatingPoint

SIDE = 32
Z2 = 1.959963984540054**2


def scene(name, labels, contexts):
    """Red boats fill a quarter of the image, blue water a half."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    if "boat" in labels:
        image[: SIDE // 2, : SIDE // 2, 0] = 255
    if "water" in contexts:
        image[SIDE // 2 :, :, 2] = 255
    return Sample(name, frozenset(labels), frozenset(contexts), lambda: image, {})


def dataset():
    val = [scene(f"afloat-{i}", {"boat"}, {"water"}) for i in range(8)]
    val += [scene(f"neither-{i}", (), {"grass"}) for i in range(8)]
    test = [scene(f"ashore-{i}", {"boat"}, {"grass"}) for i in range(8)]
    test += [scene(f"empty-{i}", (), {"water"}) for i in range(10)]
    return Dataset("d", ("boat",), ("water", "grass"), {"train": val, "val": val, "test": test})


def subject(red=24.0, blue=8.0):
    """Scores of 8 afloat, 4 ashore, 2 on empty water, -2 on neither."""
    body = nn.Conv2d(3, 3, 1, bias=False)
    body.weight.data = torch.eye(3)[:, :, None, None]
    head = PooledLinear(3, 1)
    head.linear.weight.data = torch.tensor([[red, 0.0, blue]])
    head.linear.bias.data = torch.tensor([-2.0])
    model = Classifier(body, head, (0.0,) * 3, (1.0,) * 3).eval()
    return Subject(model, ("boat",), SIDE, torch.device("cpu"))


def audited(under, names=("val", "biased-boat")):
    splits = plan_splits(dataset(), names, "boat", "water")
    about = {"name": "rule", "mode": "external", "backbone": "rule"}
    return audit(Case(under, dataset(), "boat", "water", splits, about))


def test_fitted_on_the_val_that_is_measured():
    """The scores 8 and -2 of eight images each, 5 above and below 3, are log-odds of ±log 9."""
    found = audited(subject())
    point = found.run.operating_point
    assert (point.threshold, point.temperature) == pytest.approx((3, 5 / math.log(9)))
    assert (point.n, point.positives) == (16, 8)
    split = found.run.splits["biased-boat"]
    assert split.overall.accuracy == 0.5
    assert split.overall.accuracy_at_operating_point == 1
    empty = split.groups["water-without-boat"]
    assert (empty.accuracy, empty.accuracy_at_operating_point) == (0, 1)
    assert empty.accuracy_at_operating_point_ci == pytest.approx((10 / (10 + Z2), 1))
    # The mean of 8 of 8 and 10 of 10: the distances to the limits add as squares.
    down = math.hypot(Z2 / (8 + Z2), Z2 / (10 + Z2)) / 2
    assert split.overall.accuracy_at_operating_point_ci == pytest.approx((1 - down, 1))
    assert found.run.splits["val"].overall.accuracy_at_operating_point == 1
    table = found.per_image
    assert ((table["score"] > 3) == (table["decision_at_operating_point"] == 1)).all()
    assert (table["correct"][table["group"] == "water-without-boat"] == 0).all()


def test_the_point_of_the_training_is_taken_as_it_is():
    point = OperatingPoint(400, 200, 2.0, 5.0)
    found = audited(replace(subject(), operating_points={"boat": point, "car": point}))
    record = found.run.operating_point
    assert (record.fitted_in, record.n, record.threshold) == ("training", 400, 5.0)
    groups = found.run.splits["biased-boat"].groups
    assert groups["boat-without-water"].accuracy_at_operating_point == 0
    assert groups["water-without-boat"].accuracy_at_operating_point == 1


@pytest.mark.parametrize(
    ("under", "names", "note"),
    [
        (subject(), ["biased-boat"], None),
        (subject(-24.0, -8.0), ["val", "biased-boat"], "higher scores do not speak for the object"),
        (subject(0.0, 0.0), ["val", "biased-boat"], "all scores are alike"),
    ],
    ids=["no val measured", "wrong way round", "constant"],
)
def test_without_an_operating_point_nothing_is_fitted(under, names, note):
    found = audited(under, names)
    point = found.run.operating_point
    assert (None if point is None else point.note) == note
    for split in found.run.splits.values():
        for part in (split.overall, *split.groups.values()):
            assert part.accuracy is not None
            assert part.accuracy_at_operating_point is None
            assert part.accuracy_at_operating_point_ci is None
    assert found.per_image["decision_at_operating_point"].isna().all()
