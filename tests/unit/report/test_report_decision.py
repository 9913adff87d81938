import json

import pytest
from report_factory import Recipe, World, add_decision, write_runs

from biasaudit.errors import RunError
from biasaudit.report.build import render_html
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.decision import erasures, flips
from biasaudit.results import load_audits

RECIPES = [Recipe("baseline", 0, 0.3, 0.4, 0.2), Recipe("gain", 0, 0.5, 0.6, 0.5)]


@pytest.fixture
def paths(tmp_path):
    paths = write_runs(tmp_path, RECIPES, World(n=(4, 4), val=4, side=8))
    add_decision(paths[0], 0.3)
    add_decision(paths[1], 0.08)
    return paths


def test_flips_are_told_by_group_and_run(paths):
    (audit,) = build_audits(load_audits(paths))
    rows = flips(audit)
    assert [(row.group, row.answer, row.label) for row in rows] == [
        ("boat without water", True, "baseline"),
        ("boat without water", True, "gain"),
        ("water without boat", False, "baseline"),
        ("water without boat", False, "gain"),
    ]
    assert (rows[0].yes_to_no.value, rows[0].yes_to_no.low, rows[0].yes_to_no.n) == (0.75, 0.3, 4)
    assert rows[0].no_to_yes.value is None


def test_a_fall_is_told_as_a_change(paths):
    (audit,) = build_audits(load_audits(paths))
    first, second = erasures(audit)
    assert (first.split, first.label, first.n) == ("biased-boat", "baseline", 4)
    assert (first.attention, first.random, first.object) == (-0.3, -0.05, -0.4)
    assert first.context is None
    assert first.excess.value == pytest.approx(0.25)
    assert (first.decides, second.decides) == (True, False)


def test_flips_follow_the_gaps_and_erasures_the_attention(paths):
    html = render_html(load_audits(paths))
    places = [html.index(f' id="{name}"') for name in ("gaps", "flips", "attention", "erasures")]
    assert places == sorted(places)
    assert places[-1] < html.index(' id="quadrants"')


def test_without_them_there_is_no_heading(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs))
    assert flips(audit) == []
    assert erasures(audit) == []
    html = render_html(load_audits(demo_runs[:1]), gallery_size=0)
    assert 'id="flips"' not in html
    assert 'id="erasures"' not in html


@pytest.mark.parametrize("broken", [3, [1], {"boat-without-water": 2}, {"yes_to_no": "<b>"}])
def test_a_field_of_another_shape_is_refused(paths, broken):
    file = paths[0] / "results.json"
    tree = json.loads(file.read_text())
    tree["runs"][0]["splits"]["biased-boat"]["flips"] = broken
    file.write_text(json.dumps(tree))
    with pytest.raises(RunError, match=r"not a results file .*flips"):
        load_audits(paths)
