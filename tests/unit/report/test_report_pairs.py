import shutil

import pytest
from report_factory import Recipe, World, add_pairs, write_runs

from biasaudit.report.build import render_html
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.pairs import MOST, pair_guard
from biasaudit.results import load_audits

RECIPES = [Recipe("baseline", 0, 0.3, 0.4, 0.2), Recipe("gain", 0, 0.5, 0.6, 0.5)]


@pytest.fixture
def paths(tmp_path):
    return write_runs(tmp_path, RECIPES, World(n=(3, 3), val=4, side=8))


def guard(paths):
    (audit,) = build_audits(load_audits(paths))
    return pair_guard(audit, 0)


def test_the_pair_that_got_worse_stands_first(paths):
    add_pairs(paths[0], {"car/road": 30, "tree/grass": 30, "boat/sand": 10})
    add_pairs(paths[1], {"car/road": 29, "tree/grass": 5, "boat/sand": 39})
    found = guard(paths)
    assert [row.name for row in found.rows] == ["tree / grass", "boat / sand", "car / road"]
    assert found.rows[0].accuracies == (30 / 40, 5 / 40)
    assert found.rows[0].n == 80
    assert [row.worse for row in found.rows] == [(False, True), (False, False), (False, False)]
    assert (found.worse, found.total, found.compared) == (1, 3, (False, True))
    html = render_html(load_audits(paths))
    assert "Of 3 other pairs, 1 got worse in some run than in <bdi>baseline</bdi>." in html
    assert html.count('class="outcome worse">▼ worse') == 1


def test_other_images_are_not_compared(paths):
    add_pairs(paths[0], {"car/road": 30})
    add_pairs(paths[1], {"car/road": 5}, n=30)
    found = guard(paths)
    assert found.compared == (False, False)
    assert found.worse == 0
    assert "answered the same images as" in render_html(load_audits(paths))


def test_many_pairs_are_cut_short(paths):
    right = {f"object{number:03}/road": 20 for number in range(MOST + 5)}
    add_pairs(paths[0], right)
    add_pairs(paths[1], {**right, f"object{MOST + 4:03}/road": 4})
    found = guard(paths)
    assert (len(found.rows), found.total) == (MOST, MOST + 5)
    assert found.rows[0].name == f"object{MOST + 4:03} / road"
    assert f"The {MOST} pairs that got worse" in render_html(load_audits(paths))


def test_runs_without_pairs_have_no_section(paths):
    assert guard(paths) is None
    assert 'id="pairs"' not in render_html(load_audits(paths))


def test_one_run_alone_compares_nothing(paths):
    add_pairs(paths[0], {"car/road": 30})
    shutil.rmtree(paths[1])
    assert "One run alone cannot tell" in render_html(load_audits(paths[:1]))
