import re
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.figure import Figure
from report_factory import Recipe, World, write_runs

from biasaudit.report.drawing import charts
from biasaudit.report.drawing.axes import finish, short
from biasaudit.report.drawing.svg import INK, SERIES, inline
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.localization import localization
from biasaudit.results import load_audits


@pytest.fixture(scope="module")
def audit(demo_runs):
    return build_audits(load_audits(demo_runs))[0]


@pytest.fixture(scope="module")
def drawn(audit):
    labels = [column.label for column in audit.columns]
    return {
        "curve": charts.label_curve(audit, "c1"),
        "gaps": charts.gap_chart(audit, "c2"),
        "overlap": charts.localization_chart(localization(audit), labels, "c3"),
    }


@pytest.mark.parametrize("name", ["curve", "gaps", "overlap"])
def test_a_chart_is_well_formed_and_follows_the_page(drawn, name):
    svg = str(drawn[name])
    root = ElementTree.fromstring(
        svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    )
    assert root.get("role") == "img"
    assert "baseline" in root.get("aria-label")
    assert "[" in root.get("aria-label")
    assert not re.findall(r"#0000\d\d", svg)
    assert "currentColor" in svg
    assert "var(--s1)" in svg
    assert "font-family" not in svg
    assert "<text" in svg


def test_ids_of_charts_never_collide(drawn):
    ids = [i for svg in drawn.values() for i in re.findall(r'\sid="([^"]+)"', str(svg))]
    assert ids
    assert len(ids) == len(set(ids))
    for name, prefix in (("curve", "c1"), ("gaps", "c2"), ("overlap", "c3")):
        svg = str(drawn[name])
        own = set(re.findall(r'\sid="([^"]+)"', svg))
        used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
        assert own == used
        assert all(i.startswith(prefix) for i in own)


def test_a_chart_is_the_same_twice(audit, drawn):
    assert charts.gap_chart(audit, "c2") == drawn["gaps"]


def test_one_budget_is_no_curve(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs[:2]))
    assert charts.label_curve(audit, "c") is None


def test_every_seed_is_marked(tmp_path):
    recipes = [Recipe("gain_ext", n, 0.5, 0.6, 0.4, seed) for n in (9, 78) for seed in (0, 1)]
    (audit,) = build_audits(load_audits(write_runs(tmp_path, recipes, World(n=(9, 9), side=8))))
    svg = str(charts.label_curve(audit, "c"))
    label = re.search(r'aria-label="([^"]+)"', svg)[1]
    assert re.search(r"9 labels \S+ \[[^]]+\] and \S+ \[", label)


@pytest.mark.parametrize("name", ["$\\frac{1}{2", "<b>&'\"", "\u202eabc", "船" * 300, "a\nb", "%"])
def test_hostile_labels_are_plain_text(name):
    figure = Figure(figsize=(2, 1))
    axes = figure.add_subplot()
    with charts.mpl.rc_context(charts.STYLE):
        axes.set_xlabel(short(name), color=INK)
        axes.plot([0, 1], [0, 1], color=SERIES[0])
        svg = str(finish(figure, "x", name))
    ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    assert "<b>" not in svg


def test_a_description_is_escaped():
    assert 'aria-label="&#34;&gt;&lt;x"' in inline(Figure(figsize=(1, 1)), "x", '"><x')
