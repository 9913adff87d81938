"""Messages of the command line that users stumbled over, each with the way out."""

import re

import numpy as np
import pytest
import typer
from PIL import Image

from biasaudit.cli import app, demo
from biasaudit.cli.progress import clock

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@pytest.fixture
def photos(tmp_path):
    """Twelve pictures in two class folders, without masks or contexts."""
    rng = np.random.default_rng(0)
    for subset in ("train", "val"):
        for name in ("cat", "dog"):
            for number in range(3):
                file = tmp_path / "pets" / "images" / subset / name / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(file)
    (tmp_path / "pets" / "dataset.toml").write_text('format = "folder"\nobject = "cat"\n')
    return tmp_path / "pets"


def test_nothing_said_shows_the_help_and_no_error(biasaudit):
    answer = biasaudit()
    assert answer.code == 2
    assert "evaluate" in answer.out
    assert "error" not in answer.err


def test_an_option_that_is_missing(biasaudit):
    answer = biasaudit("reproduce", "voc2012-table1")
    assert (answer.code, answer.err) == (
        2,
        "error: Missing option '--out'; see 'biasaudit --help'\n",
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothere", "nothere: no such folder; give one that 'biasaudit evaluate' wrote"),
        ("nothere.json", "nothere.json: no such file; give one that 'biasaudit evaluate' wrote"),
        ("empty", "empty: no results.json there; run 'biasaudit evaluate' on it"),
    ],
)
def test_a_report_of_nothing(biasaudit, tmp_path, name, told):
    (tmp_path / "empty").mkdir()
    answer = biasaudit("report", name)
    assert (answer.code, answer.err) == (2, f"error: {told}\n")


def test_a_check_of_an_unknown_object_says_so(biasaudit):
    answer = biasaudit("data", "check", "--object", "nosuch")
    assert answer.code == 2
    assert "no category is called 'nosuch' (--object)" in answer.err
    answer = biasaudit("data", "check", "--object", "boat", "--context", "nosuch")
    assert answer.code == 2
    assert "no category is called 'nosuch' (--context)" in answer.err


@pytest.mark.parametrize("flag", ["--pixel-labels", "--box-labels"])
def test_labels_without_any_mask_have_a_way_out(biasaudit, photos, flag):
    answer = biasaudit("train", "--data", photos, "--mode", "gain_ext", flag, 9)
    assert answer.code == 2
    assert f"{flag} 9: no training image of 'cat' has a mask or a box" in answer.err
    assert "biasaudit data labels" in answer.err
    assert "0 at most" not in answer.err


def test_a_wrong_subset_in_every_row_is_one_fault(biasaudit, photos):
    rows = "".join(f"train/cat/{n}.png,cat,training\n" for n in range(3))
    rows += "".join(f"{s}/dog/{n}.png,dog,{s}\n" for s in ("train", "val") for n in range(3))
    (photos / "table.csv").write_text("image,labels,subset\n" + rows)
    (photos / "dataset.toml").write_text(
        'format = "manifest"\nmanifest = "table.csv"\nimages = "images"\nobject = "dog"\n'
    )
    answer = biasaudit("data", "check", "--data", photos)
    assert answer.code == 2
    assert answer.out.count("training") == 1
    assert "no such subset 'training' (3 rows say so); did you mean 'train'?" in answer.out
    assert "\n1 fault\n" in answer.out


def test_an_option_that_takes_one_value_is_not_overridden_in_silence(biasaudit):
    for verb in (["list", "splits"], ["data", "check"]):
        answer = biasaudit(*verb, "--object", "boat", "--object", "car")
        assert answer.code == 2
        assert "--object: given 2 times, and takes one value" in answer.err
    # a number that is set again is corrected, as scripts expect
    again = biasaudit("train", "--seed", 1, "--seed", 2, "--epochs", 0)
    assert "given 2 times" not in again.err


def test_a_split_that_exists_is_suggested(biasaudit, trained):
    trained("run")
    answer = biasaudit("evaluate", "--run", "run", "--split", "edit-boat")
    assert answer.code == 2
    assert "did you mean 'edited-boat'?" in answer.err
    answer = biasaudit("evaluate", "--run", "run", "--split", "nonsense")
    assert "edited-boat" in answer.err


def test_a_gate_on_the_effect_without_a_context_can_be_followed(biasaudit, photos):
    options = ["--image-size", 32, "--weights", "none", "--epochs", 1, "--backbone", "harbournet"]
    train = biasaudit("train", "--data", photos, *options, "--out", "run")
    assert train.code == 0, train.err
    answer = biasaudit("evaluate", "--run", "run", "--split", "val", "--max-gap", 0.1)
    assert answer.code == 2
    assert "--split biased-OBJECT" not in answer.err
    assert "name one (--context)" in answer.err
    assert "biasaudit data contexts" in answer.err


def test_the_help_counts_the_classifiers_of_the_demo():
    word = NUMBERS[len(demo.RUNS)]
    assert f"trains {word} boat classifiers" in typer.main.get_command(app).help


def test_switches_show_no_type(biasaudit):
    for verb in ([], ["train"], ["evaluate"], ["data", "check"]):
        assert "<bool>" not in biasaudit(*verb, "--help").out


def test_times_have_their_names(biasaudit, small):
    answer = biasaudit("train", *small[:-1], 2, "--out", "run")
    first, second = [line for line in answer.err.splitlines() if line.startswith("epoch")]
    pattern = r"elapsed (\d+:\d\d:\d\d)  remaining (\d+:\d\d:\d\d)$"
    assert re.search(pattern, first)
    assert re.search(pattern, second)[2] == "0:00:00"
    assert clock(3725.4) == "1:02:05"


def test_a_log_of_the_steps_lies_in_the_run(biasaudit, small, tmp_path):
    answer = biasaudit("train", *small, "--log", "csv", "--out", "run")
    assert answer.code == 0, answer.err
    lines = (tmp_path / "run" / "steps.csv").read_text().splitlines()
    assert lines[0] == "epoch,step,loss_total"
    assert len(lines) > 1
    assert biasaudit("evaluate", "--run", "run").code == 0
