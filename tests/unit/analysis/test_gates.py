"""Gates: what is read, what passes, what is said, and the JUnit file."""

from xml.etree import ElementTree

import pandas as pd
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
from biasaudit.analysis.verdict import judge
from biasaudit.errors import ConfigError
from biasaudit.results import AnswerEffect, Group, Localization, Overall, Split, Verdict

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


def verdict(there, absent, knows=(0.8, 0.9)):
    """A verdict on two answers' effects, each known to 4 points either way."""
    by_answer = {
        name: AnswerEffect(
            effect=effect,
            effect_ci=(effect - 0.04, effect + 0.04),
            p_value=0.5,
            n_with=100,
            n_without=100,
        )
        for name, effect in (("yes", there), ("no", absent))
        if effect is not None
    }
    return Verdict(
        kind="cannot_tell",
        headline="cannot tell: why not",
        reason="",
        margin=0.05,
        level=0.95,
        by_answer=by_answer,
        accuracy_ci=knows,
    )


@pytest.mark.parametrize(
    ("effects", "on", "passed"),
    [
        ((0.08, 0.02), "estimate", True),
        ((0.08, 0.02), "lower", False),
        ((0.05, -0.05), "lower", True),
        ((-0.3, -0.3), "estimate", False),
        # Two opposite effects have a mean of zero, and pass nothing.
        ((0.25, -0.25), "estimate", False),
        ((0.0, None), "estimate", False),
        ((None, None), "estimate", False),
    ],
)
def test_the_larger_effect_of_the_two_answers_is_held(effects, on, passed):
    assert check_max_gap(verdict(*effects), 0.1, on).passed is passed


def test_a_constant_classifier_passes_no_limit():
    rows = pd.DataFrame(
        {
            "subset": "test",
            "label": [1, 1, 0, 0] * 500,
            "context": [1.0, 0.0] * 1000,
            "decision": 1,
        }
    )
    told = check_max_gap(judge(rows, "boat", "water"), 1.0)
    assert not told.passed
    assert told.line.startswith("FAIL  effect = 0.000")
    assert told.line.endswith("not shown to know the object")
    assert not check_max_gap(verdict(0.0, 0.0, knows=None), 1.0).passed


def test_what_was_not_measured_says_why():
    assert check_max_gap(verdict(None, None), 1.0).line == (
        "FAIL  effect = not measured (at most 1 either way, held against the estimate): "
        "cannot tell: why not"
    )


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
