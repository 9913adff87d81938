import pytest
from report_factory import Recipe, World, write_runs

from biasaudit.report import sentences as words
from biasaudit.report.build import render_html
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.limits import limits
from biasaudit.report.sections.seeds import over_seeds
from biasaudit.results import load_audits


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    recipes = [Recipe("baseline", 0, 0.3, 0.3, 0.2, seed) for seed in (0, 1, 2)]
    recipes += [Recipe("gain_ext", 78, 0.7, 0.8, 0.6, seed) for seed in (0, 1)]
    recipes += [Recipe("gain_ext", 9, 0.5, 0.5, 0.6)]
    folder = tmp_path_factory.mktemp("seeds")
    return load_audits(write_runs(folder, recipes, World(n=(40, 40), side=8)))


def test_means_and_ends_by_hand(views):
    (audit,) = build_audits(views)
    first, second, third = over_seeds(audit)
    assert [(row.label, row.seeds) for row in (first, second, third)] == [
        ("baseline", 3),
        ("gain_ext · 78 labels", 2),
        ("gain_ext · 9 labels", 1),
    ]
    values = [entry.value for entry in audit.overall()[:3]]
    spread = first.spreads[[row.key for row in audit.table()].index("overall")]
    assert spread.mean == pytest.approx(sum(values) / 3)
    assert (spread.lowest, spread.highest) == (min(values), max(values))


def test_the_sentence_gives_means_where_there_are_seeds(views):
    (audit,) = build_audits(views)
    sentence = words.followup(audit, [None] * 6)[0]
    assert sentence.startswith("Over the seeds, baseline averages ")
    assert "of the 2 other settings, gain_ext · 78 labels averages " in sentence
    assert sentence.endswith("the highest.")
    assert not any("one seed" in limit for limit in limits(audit))


def test_one_seed_has_no_spread(views):
    (audit,) = build_audits([views[0], views[5]])
    assert over_seeds(audit) == []
    assert 'id="seeds"' not in render_html([views[0], views[5]], gallery_size=0)


def test_the_page_shows_the_spread(views):
    html = render_html(views, gallery_size=0)
    assert 'id="seeds"' in html
    assert "baseline (seed 2)" in html
