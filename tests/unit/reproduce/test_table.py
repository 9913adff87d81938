"""A protocol's lines from figures by seed, worked out by hand."""

import csv
import io
import json
from pathlib import Path

import pytest

from biasaudit.reproduce.paper import BARE, CRF, OVERALL, PROTOCOLS, VGG16
from biasaudit.reproduce.plan import settings_of
from biasaudit.reproduce.table import Reproduction, lines_of
from biasaudit.reproduce.work import Measured

NAMES = [f"voc2012-table{number}" for number in (1, 2, 3, 4)]


def table(name, by_seed):
    protocol = PROTOCOLS[name]
    lines = lines_of(protocol, [(row, row.pixel_labels, by_seed) for row in protocol.rows])
    return Reproduction(name, protocol, lines, settings_of(protocol, "vgg16"), {}, (), "voc2012")


def test_several_seeds_are_a_mean_and_a_deviation():
    by_seed = {3: {CRF: Measured(0.50, 10)}, 5: {CRF: Measured(0.54, 10)}}
    line = table("voc2012-table1", by_seed).lines[0]
    assert (line.row, line.metric, line.paper, line.n) == ("SEC (baseline)", CRF, 50.7, 10)
    assert line.ours == pytest.approx(52.0)
    assert line.sd == pytest.approx(8**0.5)  # 50 and 54: squares of 2 and 2 over one degree
    assert (line.low, line.high) == (None, None)
    assert line.by_seed == {3: pytest.approx(50.0), 5: pytest.approx(54.0)}


def test_one_seed_has_the_interval_of_its_images():
    found = table("voc2012-table4", {0: {BARE: Measured(0.4, 50, (0.25, 0.75))}})
    bare = next(line for line in found.lines if line.metric == BARE)
    assert (bare.paper, bare.ours, bare.low, bare.high, bare.sd) == (42.0, 40.0, 25.0, 75.0, None)
    other = next(line for line in found.lines if line.metric != BARE)
    assert (other.ours, other.low, other.n, dict(other.by_seed)) == (None, None, None, {})


def test_a_figure_that_does_not_exist_is_no_nought():
    line = table("voc2012-table1", {0: {CRF: Measured(None, 10)}}).lines[0]
    assert (line.ours, line.n, dict(line.by_seed)) == (None, None, {})


def test_csv_and_json_say_the_same():
    found = table("voc2012-table3", {0: {CRF: Measured(0.5, 10)}, 1: {CRF: Measured(0.5, 10)}})
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    lines = json.loads(json.dumps(found.to_dict()))["lines"]
    assert [row["pixel_labels"] for row in rows] == ["200", "400", "900", "1464"]
    for row, line in zip(rows, lines, strict=True):
        assert row["seeds"] == "0 1"
        for name in ("row", "mode", "metric", "paper", "ours", "low", "sd", "n"):
            assert row[name] == ("" if line[name] is None else str(line[name]))


@pytest.mark.parametrize("name", NAMES)
def test_the_paper_s_figures_belong_to_the_table_s_metrics(name):
    protocol = PROTOCOLS[name]
    for row in protocol.rows:
        assert set(row.paper) <= set(protocol.metrics)
        assert all(0 < value < 100 for value in row.paper.values())
        assert bool(row.pixel_labels) == (row.mode == "gain_ext")
    assert bool(protocol.source) == any(row.paper for row in protocol.rows)


def test_gains_over_sec_are_those_that_the_paper_states():
    sec, gain, extended = (row.paper[CRF] for row in PROTOCOLS["voc2012-table1"].rows)
    assert (round(gain - sec, 1), round(extended - sec, 1)) == (4.6, 9.8)


def test_the_paper_s_recipe_is_the_paper_s_network_s_alone():
    protocol = PROTOCOLS["voc2012-table1"]
    assert set(VGG16) <= set(settings_of(protocol, "vgg16"))
    assert [s.key for s in settings_of(protocol, "resnet18")] == ["data.labels_by"]
    assert settings_of(PROTOCOLS["voc2012-table4"], "resnet18") == ()


def test_the_page_names_every_table_setting_and_figure():
    page = (Path(__file__).parents[3] / "docs" / "reproduce.md").read_text(encoding="utf-8")
    for setting in VGG16:
        assert f"| `{setting.key}` |" in page
    for name in NAMES:
        (line,) = (line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        told = {f"{v:.1f}".removesuffix(".0") for r in PROTOCOLS[name].rows for v in
                [value for metric, value in r.paper.items() if metric != OVERALL]}  # fmt: skip
        shown = line.split("|")[4].replace(",", " ").split("(")[0].split()
        assert {word for word in shown if word[0].isdigit()} - {"78", "1464"} == told
