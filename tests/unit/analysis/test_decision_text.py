"""The verdict in plain words, and what to do next."""

import pytest

from biasaudit.analysis.decision_text import advice, badge, headline, lacking, phrase
from biasaudit.results import Answered, Group, Overall, PairEvidence, Run, Split, Verdict

NAMES = ("boat-with-water", "boat-without-water", "water-without-boat", "neither")


def verdict(kind, sizes=(200, 16, 16, 200), **fields):
    values = {
        "headline": "",
        "reason": "",
        "evidence": "same-subset groups",
        "effect": 0.3,
        "effect_ci": (0.2, 0.4),
        "accuracy_ci": (0.7, 0.8),
        "margin": 0.05,
        "level": 0.95,
        **fields,
    }
    groups = {name: Answered(right=n // 2, n=n) for name, n in zip(NAMES, sizes, strict=True)}
    return Verdict(kind=kind, groups=groups, **values)


def told(found, settings=None, missed=0.5, called=0.5, costs=(), **fields):
    groups = {
        NAMES[1]: Group(n=16, accuracy=1 - missed, answer=True, alignment="conflicting"),
        NAMES[2]: Group(n=16, accuracy=1 - called, answer=False, alignment="conflicting"),
        NAMES[0]: Group(n=16, accuracy=0.1, answer=True, alignment="aligned"),
    }
    split = Split(overall=Overall(n=32), groups=groups, verdict=found, context="water")
    given = {"name": "r", "mode": "m", "object": "boat", "context": "water", "backbone": "n"}
    run = Run(dataset="d", settings=settings or {}, **given, **fields)
    return advice(run, split, costs)


def test_badges_and_headline():
    kinds = ["biased", "no_bias_shown", "biased", "cannot_tell"]
    assert [badge(verdict(kind), "water") for kind in kinds[:2]] == [
        "Biased by water",
        "No bias shown",
    ]
    assert headline([verdict(kind) for kind in kinds], "water") == (
        "Biased by water: 2 of 4 models; no bias shown: 1; cannot tell: 1"
    )
    assert headline([verdict("biased")], "sand") == "This model is biased by sand."
    assert headline([None, None], "water") == ""


def test_a_biased_model_is_not_deployed_where_it_fails():
    found = told(verdict("biased"))
    assert found.first == "do not deploy it where boat and water part; repair it"
    assert found.more[:2] == (
        "It misses the boat in 8 of 16 images of boat without water.",
        "It sees a boat in 8 of 16 images of water without boat.",
    )
    one = told(verdict("biased"), called=0.05)
    assert one.first == "do not deploy it on boat without water; repair it"


def test_what_was_done_already_is_not_advised_again():
    repaired = told(verdict("biased"), settings={"repair": {}}, pixel_labels=9)
    assert repaired.first.endswith("repair it with more labels")
    assert "The repair with 9 labels did not suffice." in repaired.more
    over = told(
        verdict("biased", effect=-0.2, effect_ci=(-0.3, -0.1)), {"repair": {}}, pixel_labels=9
    )
    assert over.first.endswith("repair it with fewer labels")
    assert "It answers against water. The repair with 9 labels went too far." in over.more
    assert "Training with 9 labels did not suffice." in told(verdict("biased"), pixel_labels=9).more


def test_images_to_annotate_are_those_that_the_power_analysis_lacks():
    """35 images a group decide: 16 are there, so 19 more are wanted; 200 are enough."""
    found = verdict("cannot_tell", images_needed=35)
    assert lacking(found) == {"boat-without-water": 19, "water-without-boat": 19}
    assert told(found).first == "annotate 19 more boat without water and 19 more water without boat"
    one = verdict("cannot_tell", sizes=(200, 16, 40, 200), images_needed=35)
    assert told(one).first == "annotate 19 more boat without water"
    many = told(verdict("cannot_tell", images_needed=210))
    assert many.first == "annotate 10 to 194 more images of each of 4 groups"
    assert "10 more neither boat nor water" in many.more[0]


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({}, "judge it by its effect"),
        ({"accuracy_ci": (0.4, 0.6)}, "train it longer or on more images"),
        (
            {"evidence": "edited pairs", "pairs": PairEvidence(n=7)},
            "outline more images of boat, to make more edited pairs",
        ),
        (
            {"evidence": "none", "effect": None, "effect_ci": None, "sizes": (9, 9, 9, 0)},
            "collect images of neither boat nor water",
        ),
        (
            {"evidence": "none", "effect": None, "effect_ci": None},
            "collect comparable images, or audit edited pairs of boat",
        ),
    ],
)
def test_why_nothing_can_be_told_says_what_to_do(fields, first):
    assert told(verdict("cannot_tell", **fields)).first == first


def test_no_bias_is_no_licence():
    free = verdict("no_bias_shown")
    assert told(free, missed=0.02, called=0.0).first == (
        "audit other suspected contexts, then deploy it"
    )
    assert told(free, missed=0.2, called=0.0).first == "look at its errors on boat without water"
    cost = "It is worse on val by 3.0 points."
    assert told(free, missed=0.0, called=0.0, costs=[cost]).more == (cost,)


def test_phrases():
    assert phrase("neither", "boat", "water") == "neither boat nor water"
    assert phrase("boat-on-other-ground", "boat", "water") == "boat on other ground"
    assert phrase("malignant-with-ruler", "malignant", "ruler") == "malignant with ruler"
