"""``biasaudit localize`` of runs."""

import json

import pytest

from biasaudit.localization.metrics import Localization
from biasaudit.statistics import mean_interval


@pytest.fixture
def run(trained):
    return trained("run")


def test_figures_as_a_table_and_as_json(biasaudit, run):
    said = json.loads(biasaudit("localize", "--run", "run", "--json").out)
    (found,) = said["runs"]
    assert (found["name"], found["n"], said["subset"]) == ("run", 40, "test")
    assert list(found["by_level"]) == ["0.3", "0.5", "0.7"]
    mean = sum(found["by_level"].values()) / 3
    assert found["max_box_acc_v2"] == pytest.approx(mean)
    table = biasaudit("localize", "--run", "run", "--run", "run").out.splitlines()
    assert "localization on test, thresholds from val" in table[0]
    assert table[-1].split() == table[-2].split()
    low, high = found["max_box_acc_ci"]
    assert low < found["max_box_acc"] < high
    said = f"{found['max_box_acc']:.2f} [{low:.2f}, {high:.2f}]"
    assert " ".join(table[-1].split()).startswith(f"run 40 {said} ")
    for name in ("max_box_acc_v2", "top_1"):
        assert found[f"{name}_ci"][0] <= found[name] <= found[f"{name}_ci"][1]


def test_the_file_and_the_screen_share_their_intervals(biasaudit, run, monkeypatch):
    drawn = []

    def counted(values):
        drawn.append(len(values))
        return mean_interval(values)

    monkeypatch.setattr("biasaudit.localization.metrics.mean_interval", counted)
    (found,) = json.loads(biasaudit("localize", "--run", "run", "--json").out)["runs"]
    assert drawn == [40]
    (kept,) = json.loads((run / "localization.json").read_text())["figures"]
    for name in ("max_box_acc_ci", "max_box_acc_v2_ci", "top_1_ci"):
        assert kept[name] == found[name]


def test_boxes_all_alike_have_no_interval(biasaudit, run, monkeypatch):
    levels = {0.3: 0.0, 0.5: 0.0, 0.7: 0.0}
    none_right = Localization(3, 5, 0.0, 0.0, levels, 0.2, 0.2, float("nan"), 0.0)
    monkeypatch.setattr("biasaudit.localize", lambda *given, **named: none_right)
    (found,) = json.loads(biasaudit("localize", "--run", "run", "--json").out)["runs"]
    assert (found["max_box_acc_v2"], found["max_box_acc_v2_ci"], found["px_ap"]) == (0, None, None)
    row = biasaudit("localize", "--run", "run").out.splitlines()[-1]
    assert row.split() == [
        "run",
        "3",
        "0.00",
        "[0.00,",
        "0.56]",
        "0.00",
        "–",
        "0.00",
        "[0.00,",
        "0.56]",
    ]


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(biasaudit, run, monkeypatch):
    def refused(*given, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    answer = biasaudit("localize", "--run", "run")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "error: --run run: cannot be written to (Permission denied); the figures are left in it; "
        "copy it to where that can be\n"
    )


def test_figures_of_a_newer_version_are_refused_before_the_work(
    biasaudit, run, tmp_path, monkeypatch
):
    newer = '{"format_version": 2, "others": []}'
    (run / "localization.json").write_text(newer)
    monkeypatch.setattr("biasaudit.localization.api.measure_localization", None)
    answer = biasaudit("localize", "--run", "run")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "error: run/localization.json: format_version 2 is newer than 1; update biasaudit\n"
    )
    assert (run / "localization.json").read_text() == newer
    assert "format_version 2 is newer" in biasaudit("report", "run").err


def test_the_report_shows_what_was_measured(biasaudit, run, tmp_path):
    said = json.loads(biasaudit("localize", "--run", "run", "--json").out)["runs"][0]
    assert biasaudit("report", "run", "--out", "alone.csv").code == 0  # not audited yet
    assert f"max_box_acc,40,{said['max_box_acc']:.10g}," in (tmp_path / "alone.csv").read_text()
    assert biasaudit("evaluate", "--run", "run", "--split", "val", "--quiet").code == 0
    assert biasaudit("report", "run", "--out", "r.html").out == "r.html\n"
    html = (tmp_path / "r.html").read_text()
    assert 'id="localization"' in html
    assert 'id="verdict"' in html

    file = tmp_path / "run" / "localization.json"
    sound = file.read_text()
    for broken, words in (
        ("{", "not a localization file"),
        (sound.replace('weights_sha256": "', 'weights_sha256": "0')[:-1], "weights_sha256"),
        (sound.replace(json.loads(sound)["weights_sha256"], "0" * 64), "measured with other"),
    ):
        file.write_text(broken)
        answer = biasaudit("report", "run", "--out", "r.html")
        assert (answer.code, len(answer.err.splitlines())) == (2, 1)
        assert "localization.json" in answer.err
        assert words in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--run", "none"], ["--run none", "no such folder"]),
        (["--run", "run", "--subset", "val"], ["--subset val", "thresholds are chosen on it"]),
        (["--run", "run", "--subset", "none"], ["no subset 'none'"]),
        (["--run", "run", "--object", "ship"], ["no category is called 'ship'", "--object"]),
        ([], ["no run in runs/"]),
    ],
)
def test_bad_input_is_one_line(biasaudit, run, arguments, words):
    answer = biasaudit("localize", *arguments)
    assert (answer.code, answer.out) == (2, "")
    lines = answer.err.splitlines()
    assert len(lines) == 1, answer.err
    for word in ("error: ", *words):
        assert word in lines[0]
