import re
from dataclasses import replace

import pytest
from report_factory import Recipe, World, add_pairs, write_runs

from biasaudit.analysis import compare
from biasaudit.errors import RunError
from biasaudit.report.comparison import render_comparison, versus_pages
from biasaudit.results import load_audits

SPLIT = "biased-boat"
RECIPES = [Recipe("baseline", 0, 0.2, 0.3, 0.2), Recipe("gain_ext", 9, 0.9, 0.8, 0.5)]


def compared(views):
    first, second = (view.per_image[view.per_image["split"] == SPLIT] for view in views)
    return {SPLIT: compare(first, second)}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("two"), RECIPES, World(n=(20, 30), val=20, side=8))


@pytest.fixture(scope="module")
def views(paths):
    return load_audits(paths)


def test_the_verdict_and_its_figures(views):
    (page,) = versus_pages(*views, compared(views), 20, 600)
    assert page.verdict.startswith(
        "gain_ext · 9 labels is better than baseline where boat and water part: "
    )
    overall = page.rows[0]
    before, after = (view.run.splits[SPLIT].overall for view in views)
    assert (overall.first.value, overall.first.low) == (before.accuracy, before.accuracy_ci[0])
    assert overall.difference.value == pytest.approx(after.accuracy - before.accuracy)
    assert [row.name for row in page.rows] == [
        "overall accuracy",
        "boat without water",
        "water without boat",
        "accuracy of the worst group",
        "AUROC",
        "attention inside the region",
    ]
    assert page.rows[3].first.low is None


def test_attention_over_the_shared_images_bears_no_interval_of_other_images(views):
    """The first run has no map of half of the images: its own interval speaks of the others."""
    first, second = views
    table = first.per_image.copy()
    boats = table.index[table["energy_pointing_game"].notna()]
    table.loc[boats[::2], "energy_pointing_game"] = float("nan")
    told = [replace(first, per_image=table), second]
    (page,) = versus_pages(*told, compared(told), 20, 600)
    row = page.rows[-1]
    assert row.name == "attention inside the region"
    kept = table["energy_pointing_game"].dropna()
    assert row.first.value == pytest.approx(kept.mean())
    assert (row.first.low, row.second.low) == (None, None)
    assert row.difference.low is not None


def test_the_images_are_those_that_changed(views):
    found = compared(views)
    (page,) = versus_pages(*views, found, 20, 600)
    changed = {
        name
        for side in (found[SPLIT].mended, found[SPLIT].broken)
        for ids in side.values()
        for name in ids
    }
    assert {item.id for item in page.images.listed} == changed
    assert page.images.gallery
    assert all(item.shots[0].correct != item.shots[1].correct for item in page.images.gallery)
    assert [group.mended for group in page.groups] == [
        len(ids) for ids in found[SPLIT].mended.values()
    ]


def test_turned_round_better_is_worse(views):
    turned = views[::-1]
    (page,) = versus_pages(*turned, compared(turned), 20, 600)
    assert page.verdict.startswith("baseline is worse than gain_ext · 9 labels where")
    assert page.rows[0].difference.value < 0


def test_a_run_against_itself(views):
    twice = [views[0], views[0]]
    html = render_comparison(*twice, compared(twice))
    assert "No difference is shown between baseline-0-s0 (2) and baseline-0-s0" in html
    assert "No image is answered otherwise." in html
    assert 'class="card"' not in html


def test_the_page_is_whole_and_the_same_twice(views):
    html = render_comparison(*views, compared(views))
    assert html == render_comparison(*views, compared(views))
    assert html.count("▲ mended</b>") + html.count("▼ broken</b>") == html.count('class="card"')
    assert re.findall(r'\b(?:src|href)="([^"]{1,12})', html)
    links = re.findall(r'\b(?:src|href)="([^"]+)"', html)
    assert all(link.startswith(("data:image/", "#")) for link in links)
    assert "{{" not in html


def test_other_pairs_are_told(tmp_path):
    paths = write_runs(tmp_path, RECIPES, World(n=(4, 4), val=4, side=8))
    add_pairs(paths[0], {"car/road": 38})
    add_pairs(paths[1], {"car/road": 8})
    views = load_audits(paths)
    html = render_comparison(*views, compared(views))
    assert "Of 1 other pairs, 1 got worse in some run than in <bdi>baseline</bdi>." in html


def test_nothing_in_common_is_refused(views):
    with pytest.raises(RunError, match="share no split"):
        render_comparison(*views, {})
