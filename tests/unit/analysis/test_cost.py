"""What a model costs against another, by hand."""

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.cost import cost_of
from biasaudit.results import Audit, Run
from biasaudit.statistics import Paired, paired_interval


def audit(answers, split="val", classes=None):
    right = np.array([int(mark) for mark in answers])
    rows = pd.DataFrame(
        {
            "split": split,
            "group": "",
            "id": [f"{place:03}" for place in range(len(right))],
            "label": 1,
            "correct": right,
        }
    )
    run = Run(name="r", mode="m", object="boat", context="water", backbone="n", dataset="d")
    table = None
    if classes is not None:
        table = pd.DataFrame(
            {
                "subset": "val",
                "id": [f"{place}" for place in range(len(classes))],
                "class": "car",
                "label": 1,
                "correct": [int(mark) for mark in classes],
            }
        )
    return Audit(run, rows, classes=table)


def test_val_is_compared_image_by_image():
    found = cost_of(audit("1111110000"), audit("1111001000")).val
    assert (found.n, found.difference) == (10, pytest.approx(-0.1))
    assert found.interval == paired_interval(Paired(4, 1, 2, 3))
    assert found.outcome == "no difference shown"


def test_a_loss_is_told():
    found = cost_of(audit("1" * 40, classes="1" * 20), audit("1" * 30 + "0" * 10, classes="0" * 20))
    assert found.val.outcome == "worse"
    assert found.shown == [
        "It is worse on val by 25.0 points.",
        "It loses 20 of 20 images of other objects.",
    ]


def test_a_gain_is_no_cost():
    assert cost_of(audit("0" * 40), audit("1" * 40)).shown == []


def test_other_images_are_not_compared():
    found = cost_of(audit("111"), audit("11"))
    assert (found.val, found.harm) == (None, None)
    assert cost_of(audit("11", split="test"), audit("11", split="test")).val is None
