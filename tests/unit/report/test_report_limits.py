import pytest
from report_factory import Recipe, World, write_runs

from biasaudit.report.build import render_html
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.limits import carry
from biasaudit.results import load_audits
from biasaudit.statistics import power_paired, wilson_interval

ONE = [Recipe("baseline", 0, 0.3, 0.6, 0.2)]


def runs(folder, n):
    return load_audits(write_runs(folder, ONE, World(n=n, val=4, side=8)))


def test_a_small_group_is_told_in_plain_words(tmp_path):
    views = runs(tmp_path, (16, 110))
    small, large, overall = carry(build_audits(views)[0])
    low, high = wilson_interval(8, 16)
    width = f"±{50 * (high - low):.0f} points"
    opening = f"boat without water, 16 images: an accuracy near 50% is known to {width}; "
    assert small.sentence.startswith(opening)
    assert (large.n, overall.n) == (110, 126)
    assert large.width < overall.width < small.width
    assert render_html(views).count('<li class="few">') == 1


@pytest.mark.parametrize("n", [16, 40, 200])
def test_the_difference_told_is_the_smallest_with_the_power(tmp_path, n):
    (found, _) = carry(build_audits(runs(tmp_path, (n, n)))[0])
    d = found.difference
    assert power_paired(n, d, max(d, 0.2)) >= 0.8
    assert power_paired(n, d - 0.01, max(d - 0.01, 0.2)) < 0.8


def test_groups_of_one_size_share_a_line_and_two_count_more_than_one(tmp_path):
    same, overall = carry(build_audits(runs(tmp_path, (20, 20)))[0])
    assert same.name == "boat without water and water without boat each"
    assert overall.n == 40
    assert overall.difference < same.difference


def test_so_few_that_nothing_can_be_shown(tmp_path):
    (same, _) = carry(build_audits(runs(tmp_path, (3, 3)))[0])
    assert same.difference is None
    assert same.sentence.endswith("however large, would surely be shown.")
