"""Gates held against a run of several splits, written by hand."""

import math

import pytest

from biasaudit.cli.gating import check_gates, parse_gates
from biasaudit.errors import ConfigError
from biasaudit.results import AnswerEffect, Group, Overall, Results, Run, Split, Verdict


def effects(gap):
    """The effect of both answers; none where it is not a number."""
    if math.isnan(gap):
        return {}
    one = AnswerEffect(
        effect=gap, effect_ci=(gap - 0.1, gap + 0.1), p_value=0.5, n_with=50, n_without=50
    )
    return {"yes": one, "no": one}


def split(accuracy, gap=None, *, groups=True):
    group = Group(n=50, accuracy=accuracy, accuracy_ci=(accuracy - 0.1, accuracy + 0.1))
    verdict = None
    if gap is not None:
        verdict = Verdict(
            kind="cannot_tell",
            headline="",
            reason="",
            margin=0.05,
            level=0.95,
            by_answer=effects(gap),
            accuracy_ci=(0.8, 0.9),
        )
    return Split(
        overall=Overall(n=50, accuracy=accuracy),
        groups={"boat-without-water": group} if groups else {},
        verdict=verdict,
    )


def checked(splits, fail_under=(), max_gap=None, on="estimate"):
    run = Run(name="r", mode="m", object="boat", context="water", backbone="b", dataset="d")
    run.splits = splits
    return check_gates(parse_gates(fail_under, max_gap, on, None), Results(runs=[run]))


VAL = split(0.9, groups=False)
ONE = {"val": VAL, "biased-boat": split(0.8, 0.1)}
TWO = {**ONE, "boat-web": split(0.5, -0.4)}


def test_one_split_with_groups():
    told = checked(ONE, ["overall.accuracy=0.8", "val.accuracy=0.91"], "0.1")
    assert [(one.name, one.passed) for one in told] == [
        ("overall.accuracy", True),
        ("val.accuracy", False),
        ("effect", True),
    ]
    assert not checked(ONE, max_gap="0.1", on="lower")[0].passed


@pytest.mark.parametrize("gate", ["boat-without-water.accuracy=0.7", "overall.accuracy=0.7"])
def test_a_group_is_held_in_every_split_that_has_it(gate):
    told = checked(TWO, [gate])
    name = gate.partition("=")[0]
    assert [(one.name, one.passed) for one in told] == [
        (f"biased-boat: {name}", True),
        (f"boat-web: {name}", False),
    ]
    assert told[1].line.endswith("boat-web")


def test_the_effect_is_held_in_every_split_that_has_one():
    told = checked(TWO, max_gap="0.2")
    assert [one.passed for one in told] == [True, False]


def test_an_effect_that_nobody_measured_passes_nothing():
    empty = {"val": VAL, "biased-boat": split(0.8, float("nan"))}
    [told] = checked(empty, max_gap="1")
    assert not told.passed
    assert "not measured" in told.line
    with pytest.raises(ConfigError, match=r"--max-gap 1: no split with a context.*--split"):
        checked({"val": VAL}, max_gap="1")


def test_without_groups_overall_is_that_of_the_tests():
    told = checked({"val": VAL, "test": split(0.5, groups=False)}, ["overall.accuracy=0.7"])
    assert [one.passed for one in told] == [False]
    assert checked({"val": VAL}, ["overall.accuracy=0.7"])[0].passed
