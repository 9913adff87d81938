"""Plots of attention on object and context, of accuracy against it, and of perturbation."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from biasaudit.report.drawing.attention import erasure_chart, excess_chart, front_chart
from biasaudit.report.format import Estimate
from biasaudit.report.sections.decision import ErasureRow
from biasaudit.report.sections.excess import ExcessRow, Point, repaired_from
from biasaudit.results import Run

ROWS = [
    ExcessRow("baseline", Estimate(0.4, 0.3, 0.5, 7), 16, Estimate(0.43, 0.4, 0.46, 16), 16),
    ExcessRow("repaired", Estimate(0.3, 0.2, 0.4, 16), 16, Estimate(-0.15, -0.2, -0.1, 9), 16),
]
POINTS = [
    Point("baseline", Estimate(0.4), Estimate(0.45, 0.4, 0.5)),
    Point("repaired", Estimate(0.3), Estimate(0.9, 0.85, 0.95), before=0),
]


def erased(split, attention, n=200, context=-0.3):
    return ErasureRow(split, "baseline", n, attention, -0.05, -0.4, context, Estimate(0.2), True)


def label_of(svg):
    root = ElementTree.fromstring(
        str(svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    )
    assert root.get("role") == "img"
    return root.get("aria-label")


def test_attention_on_both_is_told():
    told = label_of(excess_chart(ROWS, "boat", "water", "x"))
    assert told == ("baseline: on boat +40, on water +43. repaired: on boat +30, on water −15.")
    assert excess_chart([], "boat", "water", "x") is None


def test_without_a_region_of_the_context_the_object_stands_alone():
    rows = [ExcessRow("a", Estimate(0.4), 16, Estimate(None), 0)]
    assert label_of(excess_chart(rows, "boat", None, "x")) == "a: on boat +40."


def test_the_front_has_a_point_a_run_and_an_arrow_to_a_repair():
    svg = front_chart(POINTS, "x")
    assert "baseline: accuracy 45% [40, 50], attention +40 points." in label_of(svg)
    lone = front_chart([POINTS[0], Point("other", Estimate(0.3), Estimate(0.9))], "x")
    paths = [len(re.findall("<path", str(one))) for one in (svg, lone)]
    assert paths[0] > paths[1]
    assert front_chart(POINTS[:1], "x") is None


def test_bars_are_of_the_audited_split_and_say_on_how_many_images():
    svg = erasure_chart(
        [erased("val", -0.1, 50), erased("biased-boat", -0.6)], "boat", "water", "x"
    )
    told = label_of(svg)
    assert "val" not in told
    assert told.startswith("baseline on biased-boat: without attended pixels −60, ")
    assert "biased-boat, 200 images" in str(svg)
    assert erasure_chart([], "boat", None, "x") is None


def test_a_part_that_was_not_erased_has_no_bar():
    svg = erasure_chart([erased("val", -0.1, context=None)], "boat", "water", "x")
    assert "water" not in label_of(svg)


@pytest.mark.parametrize(
    ("repaired", "place"),
    [("runs/base", 0), ("base", 0), ("weights/base.pth", 0), ("base/weights.safetensors", 0),
     ("other", None), (None, None)],
)  # fmt: skip
def test_a_repair_finds_the_run_that_it_started_from(repaired, place):
    given = {"mode": "m", "object": "boat", "context": None, "backbone": "n", "dataset": "d"}
    base = Run(name="base", **given)
    after = Run(name="base-repair9", settings={"repair": {"repaired": repaired}}, **given)
    assert repaired_from(after, [base, after]) == place
    assert repaired_from(base, [base, after]) is None
