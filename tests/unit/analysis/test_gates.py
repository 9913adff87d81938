"""Gates: what is read, what passes, what is said, and the JUnit file."""

from xml.etree import ElementTree

import pytest

from biasaudit.analysis.gates import (
    Gate,
    GateResult,
    check_gate,
    check_max_gap,
    junit_xml,
    parse_gate,
    parse_max_gap,
)
from biasaudit.errors import ConfigError
from biasaudit.results import Group, Localization, Overall, Split

SPLIT = Split(
    overall=Overall(n=66, accuracy=0.7, accuracy_ci=(0.6, 0.79), auroc=0.81, auroc_ci=(0.7, 0.9)),
    groups={
        "boat-without-water": Group(
            n=16,
            accuracy=0.875,
            accuracy_ci=(0.64, 0.965),
            attention=Localization(energy_pointing_game=0.4, iou=0.2, n_valid=16),
        ),
        "water-without-boat": Group(n=50, accuracy=0.52, accuracy_ci=(0.385, 0.652)),
    },
)


def test_a_gate_is_read():
    gate = parse_gate("boat-without-water.accuracy=0.8")
    assert gate == Gate("boat-without-water", "accuracy", 0.8)
    assert gate.name == "boat-without-water.accuracy"
    # A category's name may hold a dot.
    assert parse_gate("st.-bernard-without-snow.auroc = .5").group == "st.-bernard-without-snow"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("accuracy=0.8", "GROUP.METRIC=X"),
        ("overall.accuracy", "GROUP.METRIC=X"),
        ("overall.acuracy=0.8", "did you mean 'accuracy'"),
        ("overall.accuracy=80", "from 0 to 1"),
        ("overall.accuracy=high", "from 0 to 1"),
        ("overall.accuracy=nan", "from 0 to 1"),
    ],
)
def test_a_gate_that_cannot_be_read_says_the_way_out(text, word):
    with pytest.raises(ConfigError, match=word):
        parse_gate(text)


def test_a_gate_on_the_fitted_accuracy():
    group = Group(
        n=50,
        accuracy=0.5,
        accuracy_at_operating_point=0.9,
        accuracy_at_operating_point_ci=(0.79, 0.96),
    )
    split = Split(overall=Overall(n=50, accuracy=0.5), groups={"a": group})
    gate = parse_gate("a.accuracy_at_operating_point=0.8")
    assert check_gate(gate, split).passed
    assert not check_gate(gate, split, "lower").passed
    unfitted = check_gate(parse_gate("overall.accuracy_at_operating_point=0.1"), split)
    assert not unfitted.passed
    assert "not measured" in unfitted.line


def test_the_largest_gap_is_read():
    assert parse_max_gap("0.1") == 0.1
    with pytest.raises(ConfigError, match="max_gap="):
        parse_max_gap("-0.1")


@pytest.mark.parametrize(
    ("text", "on", "passed"),
    [
        ("boat-without-water.accuracy=0.8", "estimate", True),
        ("boat-without-water.accuracy=0.875", "estimate", True),
        ("boat-without-water.accuracy=0.8", "lower", False),
        ("boat-without-water.accuracy=0.6", "lower", True),
        ("water-without-boat.accuracy=0.8", "estimate", False),
        ("overall.auroc=0.8", "estimate", True),
        ("boat-without-water.energy_pointing_game=0.3", "estimate", True),
        # No interval, so no bound to pass with.
        ("boat-without-water.energy_pointing_game=0.3", "lower", False),
        # No region in that group, so no attention to pass with.
        ("water-without-boat.iou=0.1", "estimate", False),
    ],
)
def test_a_gate_is_held_against_the_estimate_or_the_bound(text, on, passed):
    assert check_gate(parse_gate(text), SPLIT, on).passed is passed


def test_the_line_says_what_was_found_and_asked():
    line = check_gate(parse_gate("water-without-boat.accuracy=0.8"), SPLIT).line
    assert line == (
        "FAIL  water-without-boat.accuracy = 0.520 [0.385, 0.652] "
        "(at least 0.8, held against the estimate)"
    )
    assert "not measured" in check_gate(parse_gate("water-without-boat.iou=0.1"), SPLIT).line


def test_an_unknown_group_names_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'boat-without-water'"):
        check_gate(parse_gate("boat-with-water.accuracy=0.8"), SPLIT)


def test_a_group_has_no_auroc():
    with pytest.raises(ConfigError, match=r"write overall\.auroc=0\.8"):
        check_gate(parse_gate("boat-without-water.auroc=0.8"), SPLIT)


@pytest.mark.parametrize(
    ("gap", "interval", "on", "passed"),
    [
        (0.08, (0.01, 0.15), "estimate", True),
        (0.08, (0.01, 0.15), "lower", False),
        (-0.3, (-0.4, -0.2), "estimate", False),
        (-0.02, (-0.06, 0.02), "lower", True),
        (None, None, "estimate", False),
        (0.0, None, "lower", False),
    ],
)
def test_a_gap_counts_in_either_direction(gap, interval, on, passed):
    assert check_max_gap(gap, interval, 0.1, on).passed is passed


def test_junit_counts_and_names_the_failures():
    results = [GateResult("overall.accuracy", True, "pass"), GateResult("gap", False, "FAIL <&>")]
    text = junit_xml(results, "gain-9-s0 on biased-boat")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
    root = ElementTree.fromstring(text)
    suite = root.find("testsuite")
    assert (root.get("tests"), suite.get("failures")) == ("2", "1")
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["overall.accuracy", "gap"]
    assert cases[0].find("failure") is None
    assert cases[1].find("failure").get("message") == "FAIL <&>"
