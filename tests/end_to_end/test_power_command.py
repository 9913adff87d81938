"""``power``: what a split could show."""

import json

import pytest

from biasaudit.statistics import power_paired
from biasaudit.statistics.effect_power import Planned, power_effect


def ask(biasaudit, *arguments):
    answer = biasaudit("power", *arguments, "--json")
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def test_of_a_split(biasaudit):
    found = ask(biasaudit, "--split", "biased-boat")
    assert found["groups"] == {
        "boat-without-water": 200,
        "water-without-boat": 200,
        "boat-with-water": 200,
        "neither": 200,
    }
    assert set(found["runs"]) == {"boat-without-water", "water-without-boat", "overall"}
    group = found["runs"]["boat-without-water"]
    assert power_paired(200, group, 0.2) >= 0.8 > power_paired(200, group - 0.002, 0.2)
    assert found["runs"]["overall"] < group
    # Within test 200 and 200 of each answer, within val 196 and 4.
    planned = [Planned(200, 200, 1), Planned(200, 200, 0), Planned(196, 4, 1), Planned(4, 196, 0)]
    effect = found["effect"]
    shown = [power_effect(planned, one, alpha=0.025) for one in (effect, effect - 0.002)]
    assert shown[0] >= 0.8 > shown[1]
    assert power_paired(found["runs_need"], 0.1, 0.2) >= 0.8
    need = found["effect_needs"]
    assert power_effect([Planned(need, need, 1), Planned(need, need, 0)], 0.1, alpha=0.025) >= 0.8
    less = [Planned(need - 1, need - 1, 1), Planned(need - 1, need - 1, 0)]
    assert power_effect(less, 0.1, alpha=0.025) < 0.8


def test_of_numbers(biasaudit):
    small, large = (ask(biasaudit, "--images", n) for n in (20, 500))
    assert small["runs"]["group 1"] > large["runs"]["group 1"]
    assert small["runs_need"] == large["runs_need"]
    wide, narrow = (ask(biasaudit, "--images", 50, "--difference", d) for d in (0.2, 0.1))
    assert wide["runs_need"] < narrow["runs_need"]
    # Five images cannot show anything, whatever happens: 2 * 0.5**5 > 0.05.
    assert ask(biasaudit, "--images", 5)["runs"]["group 1"] is None
    answer = biasaudit("power", "--images", 5, "--images", 60)
    assert "group 1  none, however large" in answer.out
    assert "To show 10 points:" in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "val"], ["--split val", "has no groups"]),
        (["--split", "biased-bota"], ["biased-bota"]),
        (["--images", "50", "--split", "biased-boat"], ["--images"]),
        (["--images", "0"], ["--images"]),
        (["--difference", "10"], ["--difference"]),
    ],
)
def test_bad_input(biasaudit, arguments, words):
    answer = biasaudit("power", *arguments)
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
    for word in words:
        assert word in answer.err
