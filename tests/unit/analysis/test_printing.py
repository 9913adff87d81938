"""What ``print`` and a notebook show of an audit, a verdict and a comparison."""

import pandas as pd
import pytest

from biasaudit.analysis import Comparisons, compare
from biasaudit.results import Audit, Group, Overall, Run, Split, Verdict


def verdict(**changes):
    told = {"kind": "biased", "headline": "biased by water", "reason": "", "margin": 0.05}
    return Verdict(**{**told, "level": 0.95, **changes})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"effect_ci": (0.443, 0.797)}, "biased by water (+44.3 to +79.7 points)"),
        (
            {"headline": "cannot tell (n too small)", "effect_ci": (-0.03, 0.2)},
            "cannot tell (n too small; -3.0 to +20.0 points)",
        ),
        ({"headline": "cannot tell", "effect_ci": None}, "cannot tell"),
    ],
)
def test_a_verdict_is_one_line(changes, line):
    assert str(verdict(**changes)) == line


def audit(context="water"):
    split = Split(
        context=context,
        overall=Overall(n=4, accuracy=0.5, accuracy_ci=(0.15, 0.85)),
        groups={"boat-without-water": Group(n=2, accuracy=0.5)},
        verdict=verdict(headline=f"biased by {context}", effect_ci=(0.1, 0.2)),
    )
    run = Run(name="gain-seed0", mode="gain", object="boat", context=context, backbone="x",
              dataset="harbour", splits={"biased-boat": split})  # fmt: skip
    return Audit(run, per_image=pd.DataFrame({"id": ["a"] * 1000}))


def test_an_audit_prints_its_verdict_and_its_groups():
    assert str(audit()).splitlines() == [
        "gain-seed0: biased by water (+10.0 to +20.0 points)",
        "  biased-boat  n 4  accuracy 0.500  [0.150, 0.850]",
        "    boat-without-water  n 2  accuracy 0.500",
    ]
    assert repr(audit()) == "Audit('gain-seed0', 'boat', context='water')"


def test_names_of_the_data_are_escaped_in_a_notebook():
    shown = audit("<script>")._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown


def rows(correct):
    n = len(correct)
    return pd.DataFrame(
        {
            "split": "val",
            "group": "",
            "id": [str(i) for i in range(n)],
            "label": [i % 2 for i in range(n)],
            "score": [(1.0 if i % 2 else -1.0) * (1 if c else -1) for i, c in enumerate(correct)],
            "decision": [i % 2 if c else 1 - i % 2 for i, c in enumerate(correct)],
            "correct": correct,
            "energy_pointing_game": float("nan"),
            "pair": "",
        }
    )


def test_a_comparison_prints_a_line_a_figure():
    found = compare(rows([0] * 12 + [1] * 12), rows([1] * 24))
    both = Comparisons({"val": found}, "base", "<guided>")
    head, split, overall, *_ = str(both).splitlines()
    assert (head, split) == ("<guided>, compared with base:", "val (24 images)")
    assert overall.split() == [
        "overall.accuracy", "0.500", "to", "1.000", "+0.500", *overall.split()[5:7], "better"
    ]  # fmt: skip
    table = both.table
    assert list(table["outcome"]) == [change.outcome for change in found.changes]
    first = table.iloc[0]
    assert (first["first"], first["second"], first["difference"]) == (0.5, 1.0, 0.5)
    assert (first["low"], first["high"]) == found.changes[0].interval
    assert "&lt;guided&gt;" in both._repr_html_()
    assert dict(both) == {"val": found}
