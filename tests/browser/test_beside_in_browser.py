"""The sections on localization and segmentation, opened without network."""

import pytest
from browser_page import open_details, open_page, serious
from report_factory import boxes, localized, write_segmenter

import biasaudit as ba

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Write a report of two localized runs and two segmenters, and return its file."""
    root = tmp_path_factory.mktemp("measured")
    ious = {"background": 0.9, "boat": 0.5, "car": None}
    paths = [localized(root / name, boxes(40, 10, (12, 10, 2))) for name in ("plain", "guided")]
    paths += [write_segmenter(root / name, ious) for name in ("first", "second")]
    file = root / "report.html"
    ba.report(paths, file)
    return file


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_sections_are_accessible_and_fit(browser, measured, scheme, width):
    context = browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    page = open_page(context, measured)
    open_details(page)
    assert page.faults == []
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.eval_on_selector_all(
        ".tile svg", "nodes => nodes.map(n => n.getBoundingClientRect().height)"
    )
    assert len(heights) == 4 * 4
    assert min(heights) > 50
    context.close()


def test_the_table_sorts_by_figures(browser, measured):
    context = browser.new_context(offline=True)
    page = open_page(context, measured)
    page.click("table[data-copy=segmentation] th:nth-child(2) button")
    names = page.eval_on_selector_all(
        "table[data-copy=segmentation] tbody th", "nodes => nodes.map(n => n.textContent)"
    )
    assert names == ["boat", "mean", "background", "car"]
    context.close()
