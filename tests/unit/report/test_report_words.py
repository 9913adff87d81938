import pytest
from report_factory import Recipe, World, write_runs

from biasaudit.report import sentences as words
from biasaudit.report.format import Estimate
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.changes import Change
from biasaudit.report.sections.limits import limits
from biasaudit.results import Audit, Group, Overall, Run, Split, Verdict, load_audits


def audit_of(*runs, val=(0.98, (0.97, 0.99))):
    """Build an audit from (mode, accuracy, interval) triples."""
    views = []
    for mode, accuracy, interval in runs:
        groups = {
            "boat-without-water": Group(n=200, accuracy=accuracy, answer=True),
            "water-without-boat": Group(n=200, accuracy=accuracy, answer=False),
        }
        overall = Overall(n=400, accuracy=accuracy, accuracy_ci=interval, constant_baseline=0.5)
        splits = {"biased-boat": Split(overall=overall, groups=groups)}
        if val:
            splits["val"] = Split(overall=Overall(n=400, accuracy=val[0], accuracy_ci=val[1]))
        run = Run(
            name=mode,
            mode=mode,
            object="boat",
            context="water",
            backbone="net",
            dataset="d",
            splits=splits,
        )
        views.append(Audit(run, source="here"))
    return build_audits(views)[0]


def test_a_low_baseline():
    assert words.verdict(audit_of(("baseline", 0.31, (0.27, 0.36)))) == (
        "Where boat and water part, baseline gets 31% [27, 36] of the 400 counterfactual images "
        "right, less than a constant answer (50%), against 98% [97, 99] on val."
    )


@pytest.mark.parametrize(
    ("interval", "phrase"),
    [
        ((0.40, 0.60), "which a constant answer (50%) might score too"),
        ((0.51, 0.60), "more than a constant answer (50%)"),
        ((0.30, 0.49), "less than a constant answer (50%)"),
        (None, "which a constant answer (50%) might score too"),
    ],
)
def test_the_constant_baseline_is_compared_by_the_interval(interval, phrase):
    assert phrase in words.verdict(audit_of(("baseline", 0.5, interval)))


def test_overlap_with_val_is_no_fall():
    sentence = words.verdict(audit_of(("baseline", 0.97, (0.95, 0.99))))
    assert sentence.endswith("; on val it scores 98% [97, 99], and the intervals overlap.")
    assert "on val" not in words.verdict(audit_of(("baseline", 0.97, (0.95, 0.99)), val=None))


def test_the_baseline_leads_wherever_it_stands():
    audit = audit_of(("gain", 0.6, (0.5, 0.7)), ("baseline", 0.3, (0.2, 0.4)))
    assert words.lead_place(audit) == 1
    assert "baseline gets 30%" in words.verdict(audit)
    assert words.lead_place(audit_of(("gain", 0.6, None))) == 0


@pytest.mark.parametrize(
    ("interval", "phrase"),
    [
        ((0.5, 0.7), "with an interval wholly above that of baseline."),
        ((0.35, 0.7), "with an interval that overlaps that of baseline: no difference shown."),
        ((0.1, 0.15), "with an interval wholly below that of baseline."),
    ],
)
def test_the_best_other_run_is_compared_by_intervals(interval, phrase):
    runs = [("baseline", 0.3, (0.2, 0.4)), ("gain", 0.05, (0.0, 0.1))]
    best = ("gain_ext", sum(interval) / 2, interval)
    (sentence, *_) = words.followup(audit_of(*runs, best), [None] * 3)
    assert sentence.startswith("Of the 2 other runs, gain_ext scores highest")
    assert phrase in sentence


@pytest.mark.parametrize(
    ("interval", "outcome", "phrase"),
    [
        (
            (0.1, 0.3),
            "better",
            ": 60% [50, 70], +20 points [+10, +30] against baseline on the same images.",
        ),
        (
            (-0.02, 0.3),
            "no difference shown",
            "+20 points [−2, +30] against baseline on the same images: no difference",
        ),
    ],
)
def test_paired_images_decide_where_there_are_some(interval, outcome, phrase):
    audit = audit_of(
        ("baseline", 0.4, (0.3, 0.5)), ("gain", 0.1, (0, 0.2)), ("gain_ext", 0.6, (0.5, 0.7))
    )
    change = Change("gain_ext", (50, 50), (10, 10), Estimate(0.2, *interval, 400), outcome)
    assert phrase in words.followup(audit, [None, None, change])[0]


def test_a_recorded_verdict_leads():
    audit = audit_of(("baseline", 0.31, (0.27, 0.36)))
    audit.splits()[0].verdict = Verdict(
        kind="no_bias_shown",
        headline="no bias shown",
        reason="A gap of 1 point.",
        margin=0.05,
        level=0.95,
    )
    assert words.verdict(audit).startswith("boat: no bias shown. Where boat and water part")
    assert words.followup(audit, [None]) == ["A gap of 1 point."]
    audit.splits()[0].verdict = None
    assert words.verdict(audit).startswith("Where boat and water part")


def test_no_groups_no_verdict():
    run = Run(name="a", mode="baseline", object="boat", context=None, backbone="n", dataset="d")
    (audit,) = build_audits([Audit(run, source="here")])
    assert words.verdict(audit).startswith("No verdict on boat")
    assert words.followup(audit, [None]) == []


def test_unequal_groups_are_called_a_mean(tmp_path):
    world = World(n=(16, 110), side=8)
    paths = write_runs(tmp_path, [Recipe("baseline", 0, 0.3, 0.6, 0.2)], world)
    (audit,) = build_audits(load_audits(paths))
    assert "on the 126 counterfactual images (mean of the groups)" in words.verdict(audit)
    assert any("boat without water (16)" in sentence for sentence in limits(audit))


def test_limits_speak_of_seeds_only_where_there_is_one():
    one = audit_of(("baseline", 0.3, None), ("gain", 0.3, None))
    assert any("one seed" in sentence for sentence in limits(one))
    two = audit_of(("baseline", 0.3, None), ("baseline", 0.3, None))
    assert not any("one seed" in sentence for sentence in limits(two))


def test_missing_files_are_named(demo_runs):
    (audit,) = build_audits([Audit(load_audits(demo_runs[:1])[0].run, source="here")])
    (note,) = words.run_notes(audit.columns)
    assert note.startswith("baseline: no per_image.csv lies beside its results")


def test_group_descriptions(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs))
    assert words.group_description(audit, "boat-without-water") == (
        "Images that show boat and no water. The right answer is yes."
    )
    assert words.group_description(audit, "odd") == "Images of the group “odd”."
