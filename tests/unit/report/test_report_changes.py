import pandas as pd
import pytest

from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.changes import changes_against
from biasaudit.results import Audit, Group, Overall, Run, Split, load_audits
from biasaudit.statistics import Paired, mean_paired_interval

GROUPS = ("a", "b")


def view(name, answers):
    """Build a run from a string of 1 and 0 a group, "." where it never saw the image."""
    rows = [
        {
            "split": "biased-boat",
            "group": group,
            "id": f"{place}",
            "label": int(group == "a"),
            "score": 1.0,
            "correct": int(mark),
            "energy_pointing_game": float("nan"),
        }
        for group, marks in zip(GROUPS, answers, strict=True)
        for place, mark in enumerate(marks)
        if mark != "."
    ]
    groups = {group: Group(n=len(marks)) for group, marks in zip(GROUPS, answers, strict=True)}
    run = Run(
        name=name,
        mode=name,
        object="boat",
        context="water",
        backbone="n",
        dataset="d",
        splits={"biased-boat": Split(overall=Overall(n=len(rows)), groups=groups)},
    )
    return Audit(run, pd.DataFrame(rows), source="here")


def changes(*views):
    (audit,) = build_audits(views)
    return changes_against(audit, 0)


def test_counts_and_difference_by_hand():
    lead, run = view("baseline", ("1100", "0000")), view("gain", ("1011", "1110"))
    nothing, change = changes(lead, run)
    assert nothing is None
    assert change.mended == (2, 3)
    assert change.broken == (1, 0)
    assert change.difference.value == pytest.approx((1 / 4 + 3 / 4) / 2)
    assert change.difference.n == 8
    low, high = mean_paired_interval([Paired(1, 2, 1, 0), Paired(0, 3, 0, 1)], 0.95)
    assert (change.difference.low, change.difference.high) == (low, high)


def test_outcomes():
    lead = view("baseline", ("0" * 40, "1" * 40))
    better, worse, same = (
        changes(lead, view("gain", answers))[1].outcome
        for answers in (("1" * 40, "1" * 40), ("0" * 40, "0" * 40), ("01" * 20, "01" * 20))
    )
    assert (better, worse, same) == ("better", "worse", "no difference shown")


def test_other_images_are_no_change():
    lead, run = view("baseline", ("11..", "0000")), view("gain", (".111", "1111"))
    assert changes(lead, run) == [None, None]
    assert changes(Audit(lead.run, source="here"), run) == [None, None]


def test_the_drawn_runs_agree_with_their_tables(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs))
    overall = audit.overall()
    for place, change in enumerate(changes_against(audit, 0)):
        if change is not None:
            assert change.difference.value == pytest.approx(overall[place].value - overall[0].value)
