"""The first page of a report, and the appendix below it, on a screen, a telephone and paper."""

from __future__ import annotations

import re

import pytest
from browser_page import open_page, violations
from report_factory import Recipe, World, add_decision, audited, write_runs

from biasaudit.report.build import render_html
from biasaudit.results import load_audits

pytestmark = pytest.mark.browser

MODELS = (
    Recipe("baseline", 0, 0.36, 0.27, 0.21),
    Recipe("baseline+repair", 78, 0.97, 0.98, 0.6),
    Recipe("gain", 0, 0.33, 0.38, 0.27),
    Recipe("gain_ext", 78, 0.58, 0.81, 0.68),
    Recipe("evidence", 78, 0.9, 0.8, 0.5),
    Recipe("counterfactual", 9, 0.93, 0.94, 0.5),
    Recipe("counterfactual", 23, 0.96, 0.95, 0.5),
    Recipe("counterfactual", 78, 0.99, 0.99, 0.5),
)
"""One more than the demo shows."""
REPAIR = {"repair": {"repaired": "runs/baseline-0-s0", "settings": {}}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    paths = write_runs(tmp_path_factory.mktemp("runs"), MODELS, World(val=200))
    for place, path in enumerate(paths):
        audited(path, **({"settings": REPAIR} if place == 1 else {}))
        add_decision(path, 0.3)
    return paths


@pytest.fixture(scope="module")
def audit_report(runs, tmp_path_factory):
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render_html(load_audits(runs)), encoding="utf-8")
    return file


def opened(browser, file, width=1440, height=900, **options):
    viewport = {"width": width, "height": height}
    return open_page(browser.new_context(offline=True, viewport=viewport, **options), file)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_first_screen_answers_three_questions_for_each_model(
    browser, audit_report, width, height
):
    page = opened(browser, audit_report, width, height)
    for part in (".model h2", ".model > p:nth-of-type(1)", ".model > p:nth-of-type(2)"):
        boxes = [one.bounding_box() for one in page.locator(part).all()]
        assert len(boxes) == len(MODELS)
        assert max(box["y"] + box["height"] for box in boxes) <= height
    texts = page.locator(".model").all_inner_texts()
    for text, recipe in zip(texts, MODELS, strict=True):
        assert text.startswith(recipe.mode)
        assert re.search(r"Biased by water|No bias shown|Cannot tell", text)
        assert re.search(r"Effect [+−]?\d+ points \[[+−]?\d+, [+−]?\d+\]", text)
        assert "Next:" in text
    page.context.close()


def test_the_verdict_is_colour_and_words(browser, audit_report):
    page = opened(browser, audit_report)
    colours = page.eval_on_selector_all(
        ".model", "nodes => nodes.map(n => [n.classList[1], getComputedStyle(n).borderLeftColor])"
    )
    assert len({colour for _, colour in colours}) == len({kind for kind, _ in colours}) >= 2
    badges = page.locator(".model .badge").all_inner_texts()
    marks = {"biased": "✗", "no_bias_shown": "✓", "cannot_tell": "?"}
    assert [badge[0] for badge in badges] == [marks[kind] for kind, _ in colours]
    page.context.close()


def test_a_card_of_the_telephone_opens(browser, audit_report):
    page = opened(browser, audit_report, 390, 844)
    more = page.locator(".model details").nth(1)
    assert not more.locator("dl").is_visible()
    more.locator("summary").click()
    assert more.locator("dl").is_visible()
    page.context.close()
    wide = opened(browser, audit_report)
    assert wide.locator(".model dl").last.is_visible()
    assert not wide.locator(".model summary").first.is_visible()
    wide.context.close()


def test_two_pictures_and_four_groups(browser, audit_report):
    page = opened(browser, audit_report)
    captions = page.locator(".telling figcaption").all_inner_texts()
    assert [text.split("\n")[0] for text in captions] == [
        "baseline",
        "baseline+repair · 78 labels",
    ] * 2
    assert page.locator(".groups td.against").count() == 2
    assert "bias-conflicting · 200 images" in page.locator(".groups").inner_text()
    page.context.close()


def test_sections_fold_and_a_link_opens_one(browser, audit_report):
    page = opened(browser, audit_report)
    gallery = page.locator("details.fold", has=page.locator("#gallery"))
    assert gallery.get_attribute("open") is None
    page.get_by_role("link", name="Gallery").click()
    page.wait_for_function("document.querySelector('#gallery').closest('details').open")
    assert page.locator(".card").first.is_visible()
    page.locator("#gallery").click()
    assert not page.locator(".card").first.is_visible()
    page.context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_is_of_sensible_height(browser, audit_report, width):
    page = opened(browser, audit_report, width)
    assert page.evaluate("document.documentElement.scrollHeight") < 12_000
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_a_wide_table_keeps_its_first_column_and_says_that_it_scrolls(browser, audit_report):
    page = opened(browser, audit_report, 390, 844)
    box = page.locator(".scroll", has=page.locator("table[data-copy=accuracy]"))
    assert box.get_attribute("data-wide") is not None
    hint = box.evaluate("node => getComputedStyle(node, '::before').content")
    assert "scroll sideways" in hint
    head = box.locator("tbody th").first
    before = head.bounding_box()["x"]
    box.evaluate("node => { node.scrollLeft = 300; }")
    assert head.bounding_box()["x"] == pytest.approx(before, abs=1)
    assert box.locator("tbody td").first.bounding_box()["x"] < before
    page.context.close()
    wide = opened(browser, audit_report)
    narrow = wide.locator(".scroll", has=wide.locator("table.groups"))
    assert narrow.get_attribute("data-wide") is None
    wide.context.close()


def test_it_prints_on_six_pages_at_most_and_the_decision_on_the_first(browser, audit_report):
    page = opened(browser, audit_report)
    document = page.pdf(prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", document)) <= 6
    page.emulate_media(media="print")
    assert not page.locator(".card").first.is_visible()
    assert not page.locator("#gallery").is_visible()
    assert page.locator(".model dl").last.is_visible()
    assert page.locator("table[data-copy=accuracy]").is_visible()
    page.evaluate("document.querySelector('.appendix').remove()")
    page.evaluate("document.querySelector('section:has(#glossary)').remove()")
    first = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", first)) == 1
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing(browser, audit_report, scheme, width):
    page = opened(browser, audit_report, width, color_scheme=scheme)
    faults = violations(page)
    page.context.close()
    assert [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in faults] == []


def test_without_javascript_and_network_the_decision_is_there(browser, audit_report):
    page = opened(browser, audit_report, java_script_enabled=False)
    assert page.faults == []
    assert page.locator(".model").count() == len(MODELS)
    assert page.locator(".model dl").first.is_visible()
    page.locator("#quadrants").click()
    assert page.locator("table[data-copy=quadrants]").is_visible()
    page.context.close()
