"""Tables of which only the columns that somebody needs stay in memory."""

import pytest

from biasaudit.analysis import compare_audits
from biasaudit.analysis.harm import HARM_COLUMNS
from biasaudit.analysis.paired_tables import COMPARED_COLUMNS
from biasaudit.errors import RunError
from biasaudit.report.build import render_html
from biasaudit.results import PER_IMAGE_COLUMNS, Columns, load_audits, read_per_image

LEAN = Columns(COMPARED_COLUMNS, COMPARED_COLUMNS, HARM_COLUMNS)


def test_a_comparison_needs_no_other_column(demo_runs):
    two = [demo_runs[0], demo_runs[4]]
    whole, lean = load_audits(two), load_audits(two, LEAN)
    kept = ["split", "group", "id", "label", "score", "decision", "correct"]
    assert list(lean[0].per_image) == [*kept, "energy_pointing_game", "pair", "alignment"]
    split = ["biased-boat"]
    assert compare_audits(*lean, split) == compare_audits(*whole, split)


def test_a_report_needs_no_other_column(demo_runs):
    columns = Columns(PER_IMAGE_COLUMNS, COMPARED_COLUMNS, HARM_COLUMNS)
    assert render_html(load_audits(demo_runs, columns)) == render_html(load_audits(demo_runs))


def test_a_column_that_is_not_kept_is_checked(demo_runs, tmp_path):
    file = tmp_path / "per_image.csv"
    table = read_per_image(demo_runs[0] / "per_image.csv")
    table["iou"] = table["iou"].astype(object)
    table.loc[3, "iou"] = "much"
    table.to_csv(file, index=False)
    with pytest.raises(RunError, match="row 5: iou is 'much', not a number"):
        read_per_image(file, COMPARED_COLUMNS)


def test_a_text_stands_in_memory_once(demo_runs):
    first, second = load_audits([demo_runs[0], demo_runs[4]])
    texts = ["split", "group", "id", "pair", "quadrant"]
    mine, theirs = (audit.per_image[texts].to_numpy().ravel().tolist() for audit in (first, second))
    assert len({id(text) for text in (*mine, *theirs)}) == len({*mine, *theirs})
