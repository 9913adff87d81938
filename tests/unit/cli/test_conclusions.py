"""What an audit concludes, in words: held to the counts and falls that it is given."""

from biasaudit.cli.conclusions import conclusion_lines, conclusion_notes
from biasaudit.results import OperatingPointRecord, Overall, Quadrants, Run, Split

VERDICT = {
    "kind": "biased",
    "headline": "biased by water",
    "reason": "The gap between aligned and conflicting images is +30 to +54 points.",
    "images_needed": None,
    "note": "neither: 22 images left out",
    "margin": 0.05,
    "level": 0.95,
}
FALLS = {
    "fall_attention": 0.05,
    "fall_random": 0.19,
    "fall_region": -0.084,
    "fall_context": 0.3,
    "decides": False,
    "n": 64,
}


def run_with(**extra):
    splits = {"biased-boat": Split(overall=Overall(n=10), **extra)}
    return Run(
        name="r", mode="m", object="boat", context="water", backbone="b", dataset="d", splits=splits
    )


def test_a_verdict():
    run = run_with(verdict=VERDICT)
    assert conclusion_lines(run) == [f"r: boat biased by water. {VERDICT['reason']}"]
    assert conclusion_notes([run, run]) == ["neither: 22 images left out"]
    open_ = {
        **VERDICT,
        "kind": "cannot_tell",
        "headline": "cannot tell (n too small)",
        "images_needed": 210,
        "note": "",
    }
    (line,) = conclusion_lines(run_with(verdict=open_))
    assert line.startswith("r: boat: cannot tell (n too small). ")
    assert line.endswith("210 images a group would settle it at these rates.")
    assert conclusion_notes([run_with(verdict=open_), run_with()]) == []


def test_a_missing_operating_point_is_told():
    run = run_with()
    point = OperatingPointRecord(fitted_in="evaluation", subset="val", n=9, positives=0)
    run.operating_point = point.model_copy(update={"note": "no image has the object"})
    assert conclusion_notes([run]) == ["r: no operating point, as on val no image has the object"]
    run.operating_point = point
    assert conclusion_notes([run]) == []


def test_quadrants():
    """Sixteen boats: six right, ten wrong, wherever their attention is."""
    boats = Quadrants(
        right_on=1, right_off=3, wrong_off=2, right_no_map=2, wrong_no_map=7, wrong_no_region=1
    )
    empty = Quadrants(right_no_region=5)
    found = Quadrants(wrong_on=7)
    lines = conclusion_lines(run_with(quadrants={"a": boats, "b": empty, "c": found}))
    assert lines == [
        "  a: 6 right, 1 with the attention on the boat, 3 off it (right for the wrong reason), "
        "2 with an attention map of zeros; 10 wrong, 0 with the attention on the boat, 2 off it, "
        "7 with an attention map of zeros, 1 without a region of the boat.",
        "  c: 0 right; 7 wrong, 7 with the attention on the boat, 0 off it.",
    ]


def test_faithfulness():
    (line,) = conclusion_lines(run_with(faithfulness=FALLS))
    assert line.startswith(
        "  biased-boat: erasing what the attention marks changes the probability of 'boat' by -5 "
        "points, as many random pixels by -19, the boat itself by +8, the water itself by -30 "
        "(64 images). The decision is not shown to hang on what the attention marks"
    )
    (line,) = conclusion_lines(run_with(faithfulness={**FALLS, "decides": True}))
    assert line.endswith("It hangs on the water more than on the boat.")
    (line,) = conclusion_lines(run_with(faithfulness={**FALLS, "fall_attention": None}))
    assert line == "  biased-boat: no image with 'boat' has an attention map to erase."


def test_flips():
    way = {"turned": 1, "n": 4, "rate": 0.25, "rate_ci": [0.05, 0.7]}
    none = {"turned": 0, "n": 0, "rate": None, "rate_ci": None}
    flips = {"boat-removed": {"yes_to_no": way, "no_to_yes": none, "without": 0}}
    assert conclusion_lines(run_with(flips=flips)) == [
        "  boat-removed: the edit turns 25.0 [5, 70]% of 4 answers from yes to no."
    ]


def test_two_verdicts_name_their_splits():
    run = run_with(verdict=VERDICT)
    run.splits = {**run.splits, "boat-web": run.splits["biased-boat"]}
    told = conclusion_lines(run)
    assert [line.partition(":")[0] for line in told] == ["r by biased-boat", "r by boat-web"]


def test_flips_whose_original_was_not_audited():
    one = {"turned": 3, "n": 4, "rate": 0.75, "rate_ci": [0.3, 0.954]}
    none = {"turned": 0, "n": 0, "rate": None, "rate_ci": None}
    flips = {"boat-removed": {"yes_to_no": one, "no_to_yes": none, "without": 2}}
    assert conclusion_lines(run_with(flips=flips)) == [
        "  boat-removed: the edit turns 75.0 [30, 95]% of 4 answers from yes to no. 2 more have no "
        "original among the images audited."
    ]
