"""``evaluate``: its figures can be recomputed, its verdict is told, its files can be read."""

import hashlib
import html
import json
import re
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from biasaudit.results import read_per_image, read_results
from biasaudit.statistics import (
    fit_operating_point,
    mean_of_rates_interval,
    wilson_interval,
)


@pytest.fixture
def run(trained):
    return trained("run")


@pytest.fixture
def evaluated(audited):
    """The run, evaluated: the command's answer and the run's folder."""
    return audited()


def mean(values):
    return None if values.empty else pytest.approx(values.mean(), rel=1e-6)


def test_every_figure_can_be_recomputed_from_the_table(evaluated):
    _, folder = evaluated
    table = read_per_image(folder / "per_image.csv")
    run = read_results(folder).runs[0]
    assert ((table["score"] > 0) == (table["decision"] == 1)).all()
    assert ((table["label"] == table["decision"]) == (table["correct"] == 1)).all()
    for name, split in run.splits.items():
        whole = table[table["split"] == name]
        rows = whole[whole["alignment"] == "conflicting"] if split.groups else whole
        assert split.overall.n == len(rows)
        scores, there = rows["score"].to_numpy(), rows["label"].to_numpy() == 1
        above = (scores[there][:, None] > scores[~there]).mean()
        assert split.overall.auroc == pytest.approx(above, abs=1e-4)
        parts = [rows[rows["group"] == group] for group in list(split.groups)[:2]] or [rows]
        counts = [(int(part["correct"].sum()), len(part)) for part in parts]
        assert split.overall.accuracy == pytest.approx(np.mean([k / n for k, n in counts]))
        interval = mean_of_rates_interval(counts) if split.groups else wilson_interval(*counts[0])
        assert split.overall.accuracy_ci == pytest.approx(interval)
        share = max(there.mean(), 1 - there.mean()) if not split.groups else 0.5
        assert split.overall.constant_baseline == pytest.approx(share)
        for group, figures in split.groups.items():
            part = whole[whole["group"] == group]
            assert figures.accuracy == pytest.approx(part["correct"].mean())
            assert figures.accuracy_ci == pytest.approx(
                wilson_interval(int(part["correct"].sum()), len(part))
            )
            assert_overlap(figures.attention, part)
        assert_overlap(split.overall.attention, rows)


def test_the_fitted_figures_can_be_recomputed_from_point_and_table(evaluated):
    answer, folder = evaluated
    recorded = json.loads((folder / "operating_points.json").read_text())
    run = read_results(folder).runs[0]
    point = run.operating_point
    assert recorded["subset"] == "val"
    assert set(recorded["classes"]) == {"boat", "car", "house", "tree"}
    recorded_point = {"fitted_in": "training", "subset": "val", **recorded["classes"]["boat"]}
    assert point.model_dump() == recorded_point
    assert (point.n, point.nll_fitted < point.nll_raw) == (40, True)
    table = read_per_image(folder / "per_image.csv")
    right = (table["score"] > point.threshold) == (table["label"] == 1)
    assert (table["decision_at_operating_point"] == (table["score"] > point.threshold)).all()
    for name, split in run.splits.items():
        rows = table["split"] == name
        parts = [rows & (table["group"] == group) for group in split.groups] or [rows]
        counts = [(int(right[part].sum()), int(part.sum())) for part in parts]
        conflicting = counts[:2]
        assert split.overall.accuracy_at_operating_point == pytest.approx(
            np.mean([k / n for k, n in conflicting])
        )
        interval = (
            mean_of_rates_interval(conflicting) if split.groups else wilson_interval(*counts[0])
        )
        assert split.overall.accuracy_at_operating_point_ci == pytest.approx(interval)
        for group, count in zip(split.groups.values(), counts, strict=False):
            assert group.accuracy_at_operating_point == pytest.approx(count[0] / count[1])
            assert group.accuracy_at_operating_point_ci == pytest.approx(wilson_interval(*count))
    assert answer.out.count("  fitted ") == 6


def test_a_run_of_an_older_version_is_fitted_when_it_is_evaluated(biasaudit, evaluated):
    """Both fit on the scores of the same val, which one batch size or another hardly changes."""
    _, folder = evaluated
    before = read_results(folder).runs[0].operating_point
    (folder / "operating_points.json").unlink()
    answer = biasaudit(
        "evaluate", "--run", folder, "--fail-under", "val.accuracy_at_operating_point=0.01"
    )
    assert answer.code == 0, answer.err
    point = read_results(folder).runs[0].operating_point
    assert point.fitted_in == "evaluation"
    assert point.threshold == pytest.approx(before.threshold, rel=1e-3)
    assert point.temperature == pytest.approx(before.temperature, rel=1e-3)
    (folder / "operating_points.json").write_text('{"classes": {"boat": {"n": 3}}}')
    broken = biasaudit("evaluate", "--run", folder)
    assert broken.code == 2
    assert "its records cannot be read" in broken.err


def assert_overlap(attention, rows):
    valid = rows[rows["energy_pointing_game"].notna()]
    assert attention.n_valid == len(valid)
    for name in (
        "energy_pointing_game",
        "iou",
        "area_fraction",
        "pointing_game",
        "pixel_average_precision",
    ):
        assert getattr(attention, name) == mean(valid[name]), name
    seen = rows[rows["context_energy"].notna()]
    assert attention.context_n == len(seen)
    assert attention.context_energy == mean(seen["context_energy"])
    assert attention.context_area == mean(seen["context_area"])


def test_the_verdict_can_be_recomputed_from_the_table(evaluated):
    answer, folder = evaluated
    table = read_per_image(folder / "per_image.csv")
    split = read_results(folder).runs[0].splits["biased-boat"]
    verdict, quadrants = split.verdict, split.quadrants
    table = table[table["context"].notna() & (table["pair"] == "")]
    for answered, label in (("yes", 1), ("no", 0)):
        total, weights = 0.0, 0.0
        for _, rows in table[table["label"] == label].groupby("subset"):
            with_it, without = (rows[rows["context"] == shown]["decision"] for shown in (1, 0))
            weight = len(with_it) * len(without) / len(rows)
            total += weight * (with_it.mean() - without.mean()) if weight else 0.0
            weights += weight
        assert verdict.by_answer[answered].effect == pytest.approx(total / weights)
    singles = [one.effect for one in verdict.by_answer.values()]
    assert verdict.effect == pytest.approx(np.mean(singles))
    assert verdict.evidence == "same-subset groups"
    ashore, afloat = (table[table["group"] == group] for group in list(split.groups)[:2])
    excess = (ashore["energy_pointing_game"] - ashore["area_fraction"]).mean()
    assert verdict.object_excess == pytest.approx(excess, rel=1e-5)
    excess = (afloat["context_energy"] - afloat["context_area"]).mean()
    assert verdict.context_excess == pytest.approx(excess, rel=1e-5)
    assert sum(quadrants["boat-without-water"].model_dump().values()) == 20
    assert sum(quadrants["water-without-boat"].model_dump().values()) == 20
    assert verdict.headline in answer.out
    assert verdict.reason in answer.out
    assert "with the attention on the boat" in answer.out


def assert_same_figures(first, second, **tolerance):
    """Compare all but the figures that go by rank or threshold, where a last digit decides."""
    by_rank = ("pointing_game", "pixel_average_precision", "iou", "context_iou")
    shown = [column for column in first if column not in by_rank]
    pd.testing.assert_frame_equal(first[shown], second[shown], **tolerance)


def test_the_batch_size_changes_nothing(biasaudit, evaluated, tmp_path):
    _, folder = evaluated
    assert biasaudit("evaluate", "--run", folder, "--out", "b", "--batch-size", "7").code == 0
    first, second = (read_per_image(f / "per_image.csv") for f in (folder, tmp_path / "b"))
    assert_same_figures(first, second, rtol=1e-4, atol=1e-5)


def test_gates(biasaudit, evaluated, tmp_path):
    _, folder = evaluated
    run = ["evaluate", "--run", folder]
    limits = ["boat-without-water.accuracy=0", "overall.accuracy=0"]
    kept = biasaudit(*run, "--fail-under", limits[0], "--fail-under", limits[1])
    assert kept.code == 0
    assert [line[:4] for line in kept.err.splitlines()[-2:]] == ["pass", "pass"]
    broken = biasaudit(
        *run, "--fail-under", "overall.accuracy=1", "--json", "--junit", "ci/gates.xml"
    )
    assert broken.code == 1
    assert json.loads(broken.out)["format_version"] == 1
    assert broken.err.splitlines()[-1].startswith("FAIL  overall.accuracy = ")
    assert 'failures="1"' in (tmp_path / "ci" / "gates.xml").read_text()
    (recorded,) = read_results(folder).runs[0].gates
    assert (recorded.name, recorded.passed) == ("overall.accuracy", False)
    assert recorded.line == broken.err.splitlines()[-1]
    val = read_results(folder).runs[0].splits["val"].overall
    between = (val.accuracy + val.accuracy_ci[0]) / 2
    gate = f"val.accuracy={between:.4f}"
    assert biasaudit(*run, "--fail-under", gate, "--quiet").code == 0
    lower = biasaudit(*run, "--fail-under", gate, "--gate-on", "lower", "--quiet")
    assert lower.code == 1
    assert len(lower.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fail-under", "boat.accuracy"], ["GROUP.METRIC=X"]),
        (["--fail-under", "overall.acuracy=1"], ["did you mean 'accuracy'"]),
        (["--fail-under", "overall.accuracy=80"], ["from 0 to 1"]),
        (["--max-gap", "much"], ["--max-gap much"]),
        (["--gate-on", "upper"], ["--gate-on upper", "lower"]),
        (["--junit", "x.xml"], ["--junit x.xml", "--fail-under"]),
        (["--fail-under", "boat-wihout-water.accuracy=1"], ["did you mean 'boat-without-water'"]),
    ],
)
def test_gates_written_wrongly(biasaudit, run, arguments, words):
    answer = biasaudit("evaluate", "--run", run, "--out", "x", "--quiet", *arguments)
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
    for word in words:
        assert word in answer.err


def test_faithfulness_and_other_pairs(biasaudit, run, tmp_path):
    shutil.copytree(run, tmp_path / "other")
    answer = biasaudit(
        *("evaluate", "--run", run, "--run", "other", "--out", "both"),
        *("--faithfulness", "--all-pairs"),
    )
    assert answer.code == 0, answer.err
    told = read_results(tmp_path / "both").runs[1].splits["val"].faithfulness
    assert told.n == 20
    assert -1 <= told.fall_attention <= 1
    assert len(told.insertion_curve) == 11
    assert "val: erasing what the attention marks changes" in answer.out
    pairs = read_per_image(tmp_path / "both" / "other" / "pairs.csv")
    assert "boat/water" not in set(pairs["split"])
    assert pairs.groupby(["split", "group"]).size().min() >= 8
    assert f"{pairs['split'].nunique()} other object-context pairs audited" in answer.err
    assert "no other object-context pair" not in answer.out
    assert "images of other objects: no harm shown: as many wrong" in answer.out


OWN = """
from torch import nn

from biasaudit.models.harbournet import harbournet


class Logits(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = harbournet(4)

    def forward(self, images):
        return self.net(images).scores
"""


@pytest.mark.slow
def test_an_external_model_is_audited_like_the_run_that_it_is(biasaudit, run, tmp_path):
    (tmp_path / "own_logits.py").write_text(OWN)
    weights = load_file(run / "weights.safetensors")
    save_file({f"net.{key}": value for key, value in weights.items()}, tmp_path / "m.safetensors")
    given = biasaudit(
        *("evaluate", "--model", "own_logits:Logits", "--state", "m.safetensors"),
        *("--classes", "boat,car,house,tree", "--layer", "net.body", "--image-size", "64"),
        *("--normalise", "none", "--data", "harbour", "--name", "harbour-v7", "--out", "runs/m"),
    )
    assert given.code == 0, given.err
    assert biasaudit("evaluate", "--run", run, "--data", "harbour", "--out", "r").code == 0
    found = read_results(tmp_path / "runs" / "m").runs[0]
    assert (found.name, found.mode, found.backbone) == (
        "harbour-v7",
        "external",
        "own_logits:Logits",
    )
    digest = hashlib.sha256((tmp_path / "m.safetensors").read_bytes()).hexdigest()
    assert (found.weights_sha256, found.data) == (digest, "harbour")
    assert found.settings["external"]["layer"] == "net.body"
    first, second = (
        read_per_image(folder / "per_image.csv")
        for folder in (tmp_path / "runs" / "m", tmp_path / "r")
    )
    # The run's threshold is training's, of another val; the given model's is fitted here.
    point = found.operating_point
    assert (point.fitted_in, point.subset, point.n) == ("evaluation", "val", 400)
    val = first[first["split"] == "val"]
    fitted = fit_operating_point(val["score"], val["label"])
    assert (point.threshold, point.temperature) == pytest.approx(
        (fitted.threshold, fitted.temperature), rel=1e-5
    )
    assert found.splits["val"].overall.accuracy_at_operating_point is not None
    first, second = (table.drop(columns="decision_at_operating_point") for table in (first, second))
    assert_same_figures(first, second, rtol=1e-3, atol=1e-4)
    assert biasaudit("report", "runs/m", "--out", "m.html").code == 0
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    (line,) = re.findall(r"biasaudit evaluate --model .*", html.unescape(page))
    assert "biasaudit train" not in page
    assert biasaudit(*shlex.split(line)[1:], "--out", "again").code == 0
    again = read_results(tmp_path / "again").runs[0]
    assert (again.name, again.splits) == (found.name, found.splits)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "resnet18"], ["--classes a,b,c"]),
        (["--model", "resnet18", "--classes", "car"], ["add --state FILE"]),
        (["--model", "resnet18", "--run", "x"], ["--model and --run"]),
        (["--layer", "body"], ["--layer", "--model"]),
        (["--state", "x.pth"], ["--state", "--model"]),
        (["--name", "x"], ["--name", "--model"]),
        (["--model", "resnet18", "--classes", "car", "--name", "a/b"], ["--name a/b", "slash"]),
    ],
)
def test_models_given_wrongly(biasaudit, arguments, words):
    answer = biasaudit("evaluate", *arguments)
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
    for word in words:
        assert word in answer.err
