"""A report of runs without groups, as the camera experiment gives them."""

import pytest
from report_factory import Recipe, World, without_groups, write_runs

from biasaudit.report import sentences as words
from biasaudit.report.build import render_html
from biasaudit.report.export import render_markdown, render_model_card
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.changes import changes_against
from biasaudit.report.sections.images import build_images
from biasaudit.report.sections.localization import localization
from biasaudit.report.sections.quadrants import count_quadrants
from biasaudit.results import load_audits

RECIPES = [Recipe("baseline", 0, 0.9, 0.3, 0.2), Recipe("gain_ext", 9, 0.9, 0.8, 0.5)]


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    paths = write_runs(tmp_path_factory.mktemp("pools"), RECIPES, World(n=(30, 30), val=20, side=8))
    return load_audits([without_groups(path) for path in paths])


@pytest.fixture(scope="module")
def audit(views):
    (audit,) = build_audits(views)
    return audit


def test_the_headline_speaks_of_the_subset_with_most_errors(audit):
    assert (audit.split, audit.pools, audit.target) == (None, ("test1", "test2"), "test2")
    told = words.verdict(audit)
    assert told.startswith("boat: on test2, baseline gets ")
    assert "of the 30 images right" in told
    changes = changes_against(audit, 0)
    assert changes[1].difference.n == 30
    assert any("No groups part boat from a context" in s for s in words.followup(audit, changes))


def test_every_subset_has_its_rows(audit):
    assert [row.name for row in audit.table()] == [
        "val",
        "test1",
        "test2",
        "AUROC, test1",
        "AUROC, test2",
    ]
    assert [row.name for row in audit.gaps()] == ["val minus test1", "val minus test2"]
    assert [row.name for row in localization(audit)] == ["val", "test1"]


def test_quadrants_are_counted_by_subset(audit):
    rows = count_quadrants(audit)
    assert [(row.subset, row.label) for row in rows] == [
        ("test1", "baseline"),
        ("test1", "gain_ext · 9 labels"),
        ("test2", "baseline"),
        ("test2", "gain_ext · 9 labels"),
    ]
    assert all(sum(row.counts.values()) == 30 for row in rows)


def test_there_is_a_gallery(audit, views):
    images = build_images(audit, 4, 100)
    assert [item.group for item in images.gallery].count("test2") == 4
    assert len(images.gallery) == 8
    html = render_html(views, gallery_size=4)
    assert html.count('<article class="card"') == 8
    assert "the worst of each subset first" in html
    assert "counterfactual" not in html


def test_other_forms_name_the_subsets(views):
    assert "mean of the groups" not in render_markdown(views)
    card = render_model_card(views)
    assert "Dataset harbour, subsets test1, test2." in card
    assert "Overall is the mean" not in card
