"""The verdict as results.json holds them, from rows written by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from biasaudit.analysis.conclude import conclude
from biasaudit.results import Answered

NAN = float("nan")


def rows(n, right, *, group="", label=1, context=NAN, energy=NAN, area=NAN, on=NAN, water=NAN):
    """``n`` images alike, the first ``right`` of them answered rightly; energies vary a little."""
    wobble = np.linspace(-0.01, 0.01, n)
    return pd.DataFrame(
        {
            "group": group,
            "id": [f"{group}{label}{context}-{i}" for i in range(n)],
            "label": label,
            "correct": [1] * right + [0] * (n - right),
            "context": context,
            "energy_pointing_game": energy + wobble,
            "area_fraction": area,
            "context_energy": on + wobble,
            "context_area": water,
        }
    )


CONFLICTING = pd.concat(
    [
        rows(50, 20, group="boat-without-water", context=0.0, energy=0.3, area=0.1),
        rows(50, 25, group="water-without-boat", label=0, context=1.0, on=0.7, water=0.4),
    ],
    ignore_index=True,
)


def test_the_gap_is_aligned_less_conflicting():
    val = pd.concat([rows(40, 38, context=1.0), rows(40, 36, label=0, context=0.0)])
    verdict = conclude(CONFLICTING, val, "boat", "water")
    assert verdict.effect == pytest.approx((38 / 40 + 36 / 40) / 2 - (20 / 50 + 25 / 50) / 2)
    assert verdict.kind == "biased"
    assert verdict.headline == "biased by water"
    assert verdict.aligned == {
        "boat-with-water": Answered(right=38, n=40),
        "neither": Answered(right=36, n=40),
    }
    assert verdict.conflicting["boat-without-water"] == Answered(right=20, n=50)
    assert verdict.object_excess == pytest.approx(0.2)
    assert verdict.context_excess == pytest.approx(0.3)
    assert verdict.note == ""
    json.dumps(verdict.model_dump(mode="json"), allow_nan=False)


def test_conflicting_images_of_val_are_in_no_aligned_group():
    val = pd.concat(
        [
            rows(40, 40, context=1.0),
            rows(7, 0, context=0.0),
            rows(40, 40, label=0, context=0.0),
            rows(9, 0, label=0, context=1.0),
        ]
    )
    aligned = conclude(CONFLICTING, val, "boat", "water").aligned
    assert [group.n for group in aligned.values()] == [40, 40]


def test_images_without_annotation_are_left_out_where_there_are_enough_others():
    val = pd.concat([rows(30, 30, context=1.0), rows(60, 0), rows(30, 30, label=0, context=0.0)])
    verdict = conclude(CONFLICTING, val, "boat", "water")
    assert verdict.aligned["boat-with-water"] == Answered(right=30, n=30)
    assert "boat-with-water: 60 images of 'val' without context annotated" in verdict.note
    assert "neither" not in verdict.note


def test_images_without_annotation_are_taken_in_where_there_are_few_others():
    val = pd.concat([rows(8, 8, context=1.0), rows(60, 57), rows(80, 80, label=0, context=0.0)])
    verdict = conclude(CONFLICTING, val, "boat", "water")
    assert verdict.aligned["boat-with-water"] == Answered(right=65, n=68)
    assert "only 8 images" in verdict.note
    assert "the 60 without any context annotated are counted in" in verdict.note


def test_without_aligned_images_nothing_can_be_told():
    verdict = conclude(CONFLICTING, None, "boat", "water")
    assert verdict.kind == "cannot_tell"
    assert verdict.effect is None
    assert verdict.effect_ci is None
