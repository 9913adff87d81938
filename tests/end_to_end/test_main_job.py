"""The whole way: train, evaluate, report, and the demo."""

import json
import math

import pandas as pd
import pytest

from biasaudit.results import PER_IMAGE_COLUMNS, read_results


def test_train_evaluate_report(biasaudit, small, tmp_path):
    trained = biasaudit("train", "--mode", "gain_ext", "--pixel-labels", "9", *small)
    assert trained.code == 0, trained.err
    run = tmp_path / "runs" / "gain_ext-9-seed0"
    assert trained.out.strip() == "runs/gain_ext-9-seed0"
    assert {file.name for file in run.iterdir()} == {
        "config.json",
        "run.json",
        "environment.json",
        "labels.json",
        "metrics.csv",
        "operating_points.json",
        "weights.safetensors",
    }
    config = json.loads((run / "config.json").read_text())
    assert config["training"]["epochs"] == 1
    assert config["model"]["weights"] == "scenes"
    labels = json.loads((run / "labels.json").read_text())
    assert len(labels["entries"]) == 9
    metrics = pd.read_csv(run / "metrics.csv")
    assert len(metrics) == 1
    assert {"loss_classification", "loss_external", "val_accuracy"} <= set(metrics)

    evaluated = biasaudit("evaluate", "--split", "biased-boat")
    assert evaluated.code == 0, evaluated.err
    for word in ("boat-without-water (n=20)", "water-without-boat (n=20)", "overall", "AUROC"):
        assert word in evaluated.out
    found = read_results(run).runs[0]
    split = found.splits["biased-boat"]
    assert (found.mode, found.pixel_labels, found.object, found.context) == (
        "gain_ext",
        9,
        "boat",
        "water",
    )
    assert split.overall.constant_baseline == 0.5
    table = pd.read_csv(run / "per_image.csv", keep_default_na=False)
    assert tuple(table.columns) == PER_IMAGE_COLUMNS
    for name, group in split.groups.items():
        rows = table[table["group"] == name]
        assert group.n == len(rows) == 20
        assert group.accuracy == rows["correct"].astype(int).mean()
    conflicting = [g.accuracy for g in split.groups.values() if g.alignment == "conflicting"]
    assert split.overall.accuracy == pytest.approx(sum(conflicting) / 2)
    assert split.groups["water-without-boat"].attention.n_valid == 0
    assert split.groups["water-without-boat"].attention.energy_pointing_game is None

    reported = biasaudit("report")
    assert reported.code == 0, reported.err
    html = (tmp_path / "report.html").read_text()
    assert html.startswith(("<!DOCTYPE html>", "<!doctype html>"))
    for name, start in (("a.md", ""), ("a.csv", "")):
        assert biasaudit("report", "--out", name).code == 0
        assert (tmp_path / name).read_text().startswith(start)
    assert "boat" in (tmp_path / "a.md").read_text()


def test_json_is_json_alone_and_has_no_nan(biasaudit, small, trained):
    trained()
    answer = biasaudit("evaluate", "--json")
    data = json.loads(answer.out)
    assert data["format_version"] == 1
    assert set(data["runs"][0]["splits"]) == {"val", "biased-boat"}

    def numbers(node):
        if isinstance(node, dict):
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                yield from numbers(child)
        elif isinstance(node, float):
            yield node

    assert all(math.isfinite(value) for value in numbers(data))
    told = biasaudit("train", "--json", *small)
    assert json.loads(told.out)["name"] == "baseline-seed0"


def test_quiet_prints_results_alone(biasaudit, small):
    assert biasaudit("train", "--quiet", *small).err == ""
    assert biasaudit("evaluate", "--quiet").err == ""


def test_the_same_seed_gives_the_same_bytes(biasaudit, small, tmp_path):
    texts = []
    for name in ("a/run", "b/run"):  # the folder names the run
        options = ["--mode", "counterfactual", "--pixel-labels", "6", "--seed", "4"]
        assert biasaudit("train", *options, *small, "--out", name).code == 0
        assert biasaudit("evaluate", "--run", name).code == 0
        texts.append((tmp_path / name / "results.json").read_bytes())
    assert texts[0] == texts[1]
    assert biasaudit("train", "--seed", "5", *small, "--out", "c").code == 0
    assert (tmp_path / "c" / "weights.safetensors").read_bytes() != (
        tmp_path / "a" / "run" / "weights.safetensors"
    ).read_bytes()


def test_several_runs_give_one_table(biasaudit, trained, tmp_path):
    for seed in ("0", "1"):
        trained(f"r{seed}", "--seed", seed)
    answer = biasaudit("evaluate", "--run", "r0", "--run", "r1", "--out", "both")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[1].split() == ["r0", "r1"]
    assert len(read_results(tmp_path / "both").runs) == 2
    assert read_results(tmp_path / "both" / "r1").runs[0].seed == 1


def test_config_of_a_run_trains_it_again(biasaudit, trained, tmp_path):
    trained("a", "--seed", "2")
    assert biasaudit("train", "--config", "a/config.json", "--out", "b").code == 0
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() == (
        tmp_path / "b" / "weights.safetensors"
    ).read_bytes()


def test_a_run_is_never_overwritten(biasaudit, small, trained, tmp_path):
    trained()
    assert biasaudit("train", *small).out.strip() == "runs/baseline-seed0-2"
    before = (tmp_path / "runs" / "baseline-seed0" / "weights.safetensors").read_bytes()
    refused = biasaudit("train", *small, "--out", "runs/baseline-seed0")
    assert refused.code == 2
    assert "not an empty folder" in refused.err
    after = (tmp_path / "runs" / "baseline-seed0" / "weights.safetensors").read_bytes()
    assert before == after


@pytest.mark.slow
def test_demo(biasaudit, small, tmp_path):
    answer = biasaudit("demo", *small)
    assert answer.code == 0, answer.err
    folder = tmp_path / "biasaudit-demo"
    assert (folder / "report.html").stat().st_size > 10_000
    runs = read_results(folder).runs
    assert [(run.mode, run.pixel_labels) for run in runs] == [
        ("baseline", 0),
        ("baseline+repair", 9),
        ("baseline+repair", 23),
        ("baseline+repair", 78),
        ("gain", 0),
        ("gain_ext", 78),
        ("counterfactual", 78),
    ]
    for row in ("val", "boat-without-water", "water-without-boat", "overall"):
        assert row in answer.out
    assert "five seeds" in answer.err


@pytest.mark.parametrize("kind", ["modes", "terms", "backbones", "datasets", "splits", "metrics"])
def test_list(biasaudit, kind):
    answer = biasaudit("list", kind)
    assert answer.code == 0
    assert len(answer.out.splitlines()) >= 1


def test_doctor_and_version(biasaudit):
    assert "torch" in biasaudit("doctor").out
    assert biasaudit("--version").out.startswith("biasaudit 0.")
