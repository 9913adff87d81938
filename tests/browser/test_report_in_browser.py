"""The report as its reader meets it: a file, opened without network."""

from __future__ import annotations

import csv
import io

import pytest
from browser_page import open_details, open_page, serious
from report_factory import Recipe, World, write_runs

from biasaudit.analysis import compare
from biasaudit.report.build import render_html
from biasaudit.report.comparison import render_comparison
from biasaudit.results import load_audits

pytestmark = pytest.mark.browser


def shown(page):
    """Return the ids of the gallery's visible images, in order."""
    return page.eval_on_selector_all(
        ".card:not([hidden]) .id", "nodes => nodes.map(n => n.textContent)"
    )


def data(page, name):
    """Return one data attribute of the visible cards, in order."""
    return page.eval_on_selector_all(
        ".card:not([hidden])", f"nodes => nodes.map(n => n.dataset.{name})"
    )


def catch_copies(page):
    page.evaluate(
        "() => { navigator.clipboard.writeText = async text => { window.copied = text; }; }"
    )


def test_it_opens_without_network_and_without_a_word(page):
    page.wait_for_load_state("load")
    assert page.faults == []
    assert page.title() == "Bias audit: boat and water"
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    heights = page.eval_on_selector_all(
        ".tile svg", "nodes => nodes.map(n => n.getBoundingClientRect().height)"
    )
    assert len(heights) == 12 * 6
    assert min(heights) > 50


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser, report, scheme):
    context = browser.new_context(offline=True, color_scheme=scheme)
    page = open_page(context, report)
    open_details(page)
    faults = serious(page)
    context.close()
    assert faults == []


@pytest.mark.parametrize("width", [1440, 800, 390])
def test_the_page_never_scrolls_sideways(browser, report, width):
    context = browser.new_context(offline=True, viewport={"width": width, "height": 800})
    page = open_page(context, report)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_gallery_sorts_by_score(page):
    page.select_option(".by-run", "0")
    page.select_option(".sort-by", "score")
    scores = [float(text.split(" ")[0]) for text in data(page, "score")]
    assert len(scores) == 12
    assert scores == sorted(scores)
    page.select_option(".sort-by", "-score")
    scores = [float(text.split(" ")[0]) for text in data(page, "score")]
    assert scores == sorted(scores, reverse=True)


def test_gallery_sorts_by_overlap_and_puts_images_without_region_last(page):
    page.select_option(".sort-by", "overlap")
    means = []
    for text in data(page, "overlap"):
        values = [float(value) for value in text.split(",") if value]
        means.append(sum(values) / len(values) if values else None)
    known = [mean for mean in means if mean is not None]
    assert known == sorted(known)
    assert means == known + [None] * (12 - len(known))
    assert 0 < len(known) < 12


def test_gallery_sorts_by_disagreement(page):
    before = shown(page)
    page.select_option(".sort-by", "-range")
    spans = []
    for text in data(page, "p"):
        values = [float(value) for value in text.split()]
        spans.append(max(values) - min(values))
    assert spans == sorted(spans, reverse=True)
    page.select_option(".sort-by", "worst")
    assert shown(page) == before


def test_gallery_filters_by_group_and_quadrant(page):
    page.select_option(".by-group", "1")
    assert len(shown(page)) == 6
    assert all(name.startswith("test/water-without-boat") for name in shown(page))
    assert page.inner_text(".count") == "6 of 12 images"
    page.select_option(".by-group", "")
    page.select_option(".by-quadrant", "wrong-off")
    page.select_option(".by-run", "0")
    assert shown(page)
    assert {text.split(",")[0] for text in data(page, "quadrant")} == {"wrong-off"}


def test_layers_toggle_by_mouse(page):
    heat = page.locator(".card .heat").first
    button = page.get_by_role("button", name="Attention A")
    assert heat.is_visible()
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not heat.is_visible()
    button.click()
    assert heat.is_visible()


def test_layers_toggle_by_key_inside_the_gallery_only(page):
    line = page.locator(".card .line").first
    page.keyboard.press("r")
    assert line.is_visible()
    page.get_by_role("button", name="Region R").focus()
    page.keyboard.press("r")
    assert not line.is_visible()
    page.keyboard.press("R")
    assert line.is_visible()
    page.keyboard.press("Control+a")
    assert page.locator(".card .heat").first.is_visible()


def test_keys_are_left_to_menus(page):
    page.locator(".by-group").focus()
    page.keyboard.press("a")
    assert page.locator(".card .heat").first.is_visible()


def test_one_image_enlarged_by_keyboard(page):
    names = shown(page)
    page.get_by_role("button", name=f"Enlarge {names[0]}").focus()
    page.keyboard.press("Enter")
    title = page.locator("dialog .id")
    assert title.inner_text() == names[0]
    page.keyboard.press("ArrowRight")
    assert title.inner_text() == names[1]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert title.inner_text() == names[0]
    page.keyboard.press("a")
    assert not page.locator("dialog .heat").first.is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == (
        f"Enlarge {names[0]}"
    )


def test_tables_sort_by_keyboard(page):
    table = page.locator("table[data-copy=quadrants]")
    button = table.get_by_role("button", name="right, on", exact=False).first
    button.focus()
    page.keyboard.press("Enter")
    column = table.locator("tbody tr td:nth-of-type(1)")
    values = [int(v) for v in column.evaluate_all("nodes => nodes.map(n => n.dataset.v)")]
    assert values == sorted(values)
    assert table.locator("th").nth(1).get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    values = [int(v) for v in column.evaluate_all("nodes => nodes.map(n => n.dataset.v)")]
    assert values == sorted(values, reverse=True)
    assert table.locator("th").nth(1).get_attribute("aria-sort") == "descending"


def test_a_third_press_brings_the_first_order_back(page):
    table = page.locator("table[data-copy=accuracy]")
    names = table.locator("tbody th")
    before = names.all_inner_texts()
    button = table.get_by_role("button", name="baseline")
    for way in ("ascending", "descending", "none"):
        button.press("Enter")
        assert table.locator("th").nth(2).get_attribute("aria-sort") == way
        values = [float(v) for v in table.locator("tbody td:nth-of-type(2)").evaluate_all(
            "nodes => nodes.map(n => n.dataset.v)"
        )]  # fmt: skip
        if way != "none":
            assert values == sorted(values, reverse=way == "descending")
    assert names.all_inner_texts() == before


def test_every_table_sorts_and_is_copied(page):
    open_details(page)
    tables = page.evaluate("""() => [...document.querySelectorAll("table")].map(table => [
        table.dataset.copy,
        [...table.tHead.rows[0].cells].every(
            head => head.scope === "col" && head.querySelector("button.sort")
        ),
        [...table.tBodies[0].rows].every(row => row.querySelector("th[scope=row]")),
        table.closest(".scroll").nextElementSibling.querySelectorAll("button").length,
    ])""")
    assert len(tables) > 7
    assert {tuple(found[1:]) for found in tables} == {(True, True, 2)}
    assert len({found[0] for found in tables}) == len(tables)


def test_a_table_is_copied_as_csv_and_markdown(page):
    catch_copies(page)
    page.get_by_role("button", name="Copy the table “accuracy” as CSV").click()
    rows = list(csv.reader(io.StringIO(page.evaluate("window.copied"))))
    assert rows[0][:3] == ["images", "n", "baseline"]
    assert len(rows) == 6
    assert {len(row) for row in rows} == {7}
    assert rows[1][0] == "val"
    page.get_by_role("button", name="Copy the table “accuracy” as Markdown").click()
    lines = page.evaluate("window.copied").splitlines()
    assert lines[0].startswith("| images | n | baseline |")
    assert lines[1].startswith("| --- | ---")
    assert page.locator(".toast").inner_text() == "Copied as Markdown"


def test_copying_works_without_the_clipboard_interface(page):
    page.evaluate("""() => {
        navigator.clipboard.writeText = async () => { throw new Error('refused'); };
        document.addEventListener('copy', () => {
            window.copied = document.activeElement.value;
        });
    }""")
    page.get_by_role("button", name="Copy the commands").click()
    page.wait_for_function("window.copied")
    assert page.evaluate("window.copied").startswith("biasaudit train --data harbour")


def test_every_image_leads_to_the_gallery(page):
    link = page.locator("table.every a").first
    link.click()
    assert page.url.endswith("#img-1")
    assert page.locator("#img-1").is_visible()


def test_without_javascript_the_content_is_there(browser, report):
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = open_page(context, report)
    assert page.faults == []
    assert page.locator(".card").count() == 12
    page.locator("#gallery").click()
    assert page.locator(".card .heat").last.is_visible()
    assert page.locator("h1").inner_text().startswith("Where boat and water part")
    assert not page.locator(".tools").is_visible()
    assert page.locator("main button:visible").count() == 0
    context.close()


def test_the_print_keeps_figures_and_drops_controls(page):
    page.emulate_media(media="print")
    assert not page.locator(".tools").is_visible()
    assert not page.locator(".copy").first.is_visible()
    assert page.locator(".figures").first.is_visible()
    assert page.locator(".card .heat").first.is_visible()
    assert len(page.pdf()) > 20_000


def test_nasty_names_run_nothing(context, tmp_path):
    nasty = "<script>alert(1)</script>\"onmouseover=alert(1) '\u202e../../x" + "n" * 300
    world = World(object=nasty, context=nasty + "2", dataset=nasty, n=(3, 3), val=4, side=8)
    recipes = [Recipe(nasty, 3, 0.5, 0.5, 0.4), Recipe("=1+1|`", 0, 0.5, 0.5, 0.4)]
    file = tmp_path / "report.html"
    file.write_text(render_html(load_audits(write_runs(tmp_path / "runs", recipes, world))))
    dialogs = []
    context.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page = open_page(context, file)
    open_details(page)
    page.locator(".card").first.hover()
    page.locator("h1").hover()
    catch_copies(page)
    page.get_by_role("button", name="Copy the table “accuracy” as CSV").click()
    (head, *_) = csv.reader(io.StringIO(page.evaluate("window.copied")))
    assert head[3].startswith("'=1+1|`")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    assert dialogs == []
    assert page.faults == []


@pytest.fixture
def comparison(demo_runs, tmp_path):
    first, second = load_audits([demo_runs[0], demo_runs[4]])
    rows = [view.per_image.query("split == 'biased-boat'") for view in (first, second)]
    file = tmp_path / "compare.html"
    html = render_comparison(first, second, {"biased-boat": compare(*rows)}, gallery_size=4)
    file.write_text(html, encoding="utf-8")
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_comparison_opens_without_fault(browser, comparison, scheme):
    context = browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": 390, "height": 800}
    )
    page = open_page(context, comparison)
    assert page.locator("h1").inner_text().startswith("gain_ext · 78 labels is better than")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []
    assert page.faults == []
    context.close()


def test_a_comparison_shows_the_images_that_changed(context, comparison):
    page = open_page(context, comparison)
    every = len(shown(page))
    page.select_option(".by-change", "broken")
    assert set(data(page, "change")) == {"broken"}
    assert 0 < len(shown(page)) < every
    catch_copies(page)
    page.get_by_role("button", name="Copy the table “figures” as CSV").click()
    rows = list(csv.reader(io.StringIO(page.evaluate("window.copied"))))
    assert rows[0] == [
        "figure", "baseline", "gain_ext · 78 labels", "difference", "p (Holm)", "shown"
    ]  # fmt: skip
    assert rows[1][-1] == "▲ better"
