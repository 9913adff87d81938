import csv
import io

import pytest
from report_factory import Recipe, World, boxes, localized, write_runs

from biasaudit.errors import RunError
from biasaudit.report.export import (
    CSV_COLUMNS,
    render_csv,
    render_markdown,
    render_model_card,
)
from biasaudit.results import load_all, load_audits


def test_markdown_has_the_verdict_and_the_table(demo_runs):
    text = render_markdown(load_audits(demo_runs))
    assert text.startswith("### boat and water, harbour\n\n**Where boat and water part, baseline")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 7
    assert {line.count("|") for line in table} == {8}


def test_csv_gives_every_figure_back(demo_runs):
    views = load_audits(demo_runs)
    rows = list(csv.DictReader(io.StringIO(render_csv(views))))
    assert tuple(rows[0]) == CSV_COLUMNS
    for view in views:
        group = view.run.splits["biased-boat"].groups["boat-without-water"]
        (row,) = [
            r
            for r in rows
            if (r["run"], r["group"], r["metric"])
            == (view.run.name, "boat-without-water", "accuracy")
        ]
        assert float(row["value"]) == pytest.approx(group.accuracy, rel=1e-9)
        assert float(row["low"]) == pytest.approx(group.accuracy_ci[0], rel=1e-9)
        assert int(row["n"]) == group.n
    assert not [r for r in rows if r["value"] == ""]


def test_csv_does_not_start_formulas(demo_runs):
    views = load_audits(demo_runs[:1])
    views[0].run.name = "=HYPERLINK(1)"
    try:
        (first, *_) = csv.DictReader(io.StringIO(render_csv(views)))
    finally:
        views[0].run.name = "baseline-0-s0"
    assert first["run"] == "'=HYPERLINK(1)"


def test_the_model_card_has_its_sections(demo_runs):
    text = render_model_card(load_audits(demo_runs))
    for section in ("Model details", "Intended use", "Metrics", "Evaluation data", "Results"):
        assert f"\n## {section}\n" in text
    assert "biasaudit train --data harbour --mode gain_ext" in text
    assert "## Caveats" in text


def test_names_stay_text_in_markdown(tmp_path):
    world = World(object="a|b`<i>[x](y)@me*", n=(4, 4), side=8)
    paths = write_runs(tmp_path, [Recipe("```", 0, 0.5, 0.5, 0.4)], world)
    for render in (render_markdown, render_model_card):
        text = render(load_audits(paths))
        assert "a\\|b\\`\\<i\\>[x]\\(y)&#64;me\\*" in text
        outside = text.split("````")[0]
        assert "](y)" not in outside
    assert "````sh\n" in render_model_card(load_audits(paths))


@pytest.mark.parametrize("render", [render_markdown, render_csv])
def test_no_run_is_an_error(render):
    with pytest.raises(RunError, match="no run to report on"):
        render([])


def test_a_model_card_of_what_was_not_audited_says_so(tmp_path):
    localized(tmp_path, boxes(10, 5, (6, 5, 4)))
    audits, _ = load_all([tmp_path])
    with pytest.raises(RunError, match="a model card tells of audited runs") as error:
        render_model_card(audits)
    assert error.value.hint == "run 'biasaudit evaluate' on one"
