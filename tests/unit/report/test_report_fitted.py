"""The accuracies at the fitted threshold, as the report shows them."""

import csv
import io

import pytest
from report_factory import DEMO, write_runs

from biasaudit.report.build import audits_of, render_html
from biasaudit.report.export import render_csv
from biasaudit.report.sections.operating_point import operating_point
from biasaudit.results import OperatingPointRecord, load_audits, read_results

ON_VAL = {"fitted_in": "training", "subset": "val", "n": 400, "positives": 200}
POINT = OperatingPointRecord(**ON_VAL, threshold=1.25, temperature=0.5)
NO_POINT = OperatingPointRecord(**ON_VAL, note="all <b> are alike")


@pytest.fixture
def views(tmp_path):
    """Two runs, the first with an operating point, the second without."""
    paths = write_runs(tmp_path, DEMO[:2])
    for path, point in zip(paths, (POINT, NO_POINT), strict=True):
        results = read_results(path)
        run = results.runs[0]
        run.operating_point = point
        if point is POINT:
            split = run.splits["biased-boat"]
            split.overall.accuracy_at_operating_point = 0.625
            split.overall.accuracy_at_operating_point_ci = (0.58, 0.67)
            split.groups["boat-without-water"].accuracy_at_operating_point = 0.75
            run.splits["val"].overall.accuracy_at_operating_point = 0.9925
        (path / "results.json").write_text(results.to_json(), encoding="utf-8")
    return load_audits(paths)


def test_rows_and_points(views):
    (audit,) = audits_of(views)
    found = operating_point(audit)
    assert [(p.threshold, p.temperature, p.note) for p in found.points] == [
        (1.25, 0.5, ""),
        (None, None, "all <b> are alike"),
    ]
    rows = {row.key: [entry.value for entry in row.entries] for row in found.rows}
    assert rows == {
        "val": [0.9925, None],
        "boat-without-water": [0.75, None],
        "overall": [0.625, None],
    }


def test_the_page(views):
    html = render_html(views)
    shown = html.partition("Accuracy at the threshold fitted on val")[2].partition("</details>")[0]
    assert "<b>1.25</b>" in shown
    assert "(0.50)" in shown
    assert "[58, 67]" in shown
    assert "all &lt;b&gt; are alike" in shown


def test_the_csv(views):
    lines = csv.DictReader(io.StringIO(render_csv(views)))
    told = [
        (line["group"], line["value"], line["low"], line["high"])
        for line in lines
        if line["metric"] == "accuracy_at_operating_point" and line["split"] == "biased-boat"
    ]
    assert told == [("", "0.625", "0.58", "0.67"), ("boat-without-water", "0.75", "", "")]


def test_without_any_fitted_accuracy_the_page_says_nothing_of_it(tmp_path):
    views = load_audits(write_runs(tmp_path, DEMO[:1]))
    (audit,) = audits_of(views)
    assert operating_point(audit) is None
    assert "fitted" not in render_html(views).partition("<body")[2].partition("<script")[0]
