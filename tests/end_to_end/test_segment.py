"""``biasaudit segment`` from a run to masks that a training reads."""

import json

import pytest


@pytest.fixture
def run(trained):
    return trained("run")


def test_from_a_run_to_masks_and_back(biasaudit, trained, tmp_path):
    trained("run", "--set=data.options.val=12")
    made = biasaudit(
        "segment", "train", "--run", "run", "--out", "drawer", "--set", "segment.iterations=5"
    )
    assert (made.code, made.out) == (0, "drawer\n")
    assert "next: biasaudit segment evaluate --run drawer" in made.err

    found = biasaudit("segment", "evaluate", "--run", "drawer", "--json")
    said = json.loads(found.out)
    assert (said["n"], said["n_without_masks"], said["subset"]) == (12, 0, "val")
    assert set(said["with_crf"]["iou"]) == {"background", "boat", "car", "house", "tree"}
    assert biasaudit("report", "drawer", "--out", "r.html").out == "r.html\n"
    html = (tmp_path / "r.html").read_text()
    assert f"<b>{said['with_crf']['mean_iou']:.2f}</b>" in html
    assert html.count('<article class="card"') == 6
    without = biasaudit("segment", "evaluate", "--run", "drawer", "--no-crf")
    assert "IoU on val (12 images)" in without.out
    assert f"{said['without_crf']['mean_iou']:.3f}" in without.out.splitlines()[-1]
    replaced = "note: replaced: the earlier figures of val with the CRF"
    assert without.err.count(replaced) == 1
    again = biasaudit("segment", "evaluate", "--run", "drawer", "--no-crf")
    assert replaced not in found.err + again.err

    for subset in ("train", "val"):
        command = ("segment", "cues", "--run", "run", "--out", "cues", "--subset", subset)
        assert biasaudit(*command).out == f"cues/{subset}.json\n"
    (tmp_path / "cues" / "dataset.toml").write_text(
        'format = "coco"\nimages = "images"\nobject = "boat"\ncontext = "water"\n'
        '[subsets]\ntrain = "train.json"\nval = "val.json"\n'
    )
    guided = biasaudit(
        *("train", "--mode", "gain_ext", "--pixel-labels", "3", "--data", "cues"),
        *("--backbone", "harbournet", "--weights", "scenes", "--epochs", "1", "--out", "guided"),
    )
    assert guided.code == 0, guided.err
    labels = json.loads((tmp_path / "guided" / "labels.json").read_text())
    assert [entry["form"] for entry in labels["entries"]] == ["mask"] * 3

    drawn = biasaudit("segment", "export", "--run", "drawer", "--out", "masks", "--subset", "val")
    assert drawn.out == "masks/val.json\n"
    assert len(list((tmp_path / "masks" / "masks" / "val").glob("*.png"))) == 12

    (tmp_path / "drawer" / "segmenter.safetensors").write_bytes(b"others")
    stale = biasaudit("report", "drawer", "--out", "r.html")
    assert (stale.code, len(stale.err.splitlines())) == (2, 1)
    assert "evaluation.json: was measured with other weights" in stale.err


def test_the_newest_is_taken_where_none_is_named(biasaudit, trained, tmp_path):
    trained()
    made = biasaudit("segment", "train", "--set", "segment.iterations=2", "--quiet")
    assert (made.code, made.out) == (0, "runs/baseline-seed0-segmenter\n")
    other = ("--set", "segment.seed=7", "--threshold", "0.3", "--set", "segment.iterations=1")
    assert biasaudit("segment", "train", *other, "--out", "other", "--quiet").code == 0
    kept = json.loads((tmp_path / "other" / "segmenter.json").read_text())["settings"]
    assert (kept["seed"], kept["threshold"], kept["background"]) == (7, 0.3, 0.1)
    assert biasaudit("segment", "evaluate", "--no-crf").code == 0
    again = biasaudit("evaluate", "--split", "val", "--quiet")  # the segmenter is no run
    assert again.code == 0, again.err


@pytest.mark.parametrize("verb", [["evaluate"], ["localize"], ["segment", "cues", "--out", "x"]])
def test_a_segmenter_is_told_from_a_run(biasaudit, tmp_path, verb):
    (tmp_path / "drawer").mkdir()
    for name in ("segmenter.json", "segmenter.safetensors"):
        (tmp_path / "drawer" / name).write_text("{}")
    answer = biasaudit(*verb, "--run", "drawer")
    assert (answer.code, answer.err) == (
        2,
        "error: --run drawer: holds a segmenter, not a run; 'biasaudit segment evaluate', 'segment "
        "export' and 'report' take it\n",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--run", "none"], ["--run none", "no such folder"]),
        (["train", "--run", "run", "--set", "segment.threshold=2"], ["--threshold 2"]),
        (["train", "--run", "run", "--background", "-1"], ["--background -1"]),
        (["train", "--run", "run", "--set", "training.epochs=2"], ["--set training.epochs=2"]),
        (["train", "--run", "run", "--set", "segment.x=2"], ["--set segment.x=2: unknown"]),
        (["train", "--run", "run", "--regions"], ["--regions", "without pixel labels"]),
        (["train", "--run", "run", "--seed", "-1"], ["--seed -1"]),
        (["train", "--run", "run", "--device", "gpu"], ["--device gpu"]),
        (["train", "--run", "run", "--weights", "none.pth"], ["none.pth"]),
        (["train", "--run", "run", "--out", "run"], ["--out run", "not an empty folder"]),
        (["evaluate", "--run", "run"], ["--run run", "holds no segmenter"]),
        (["evaluate"], ["no segmenter in runs/", "biasaudit segment train"]),
        (["cues", "--run", "run", "--out", "x", "--threshold", "1"], ["--threshold 1"]),
        (["cues", "--run", "run", "--out", "x", "--subset", "none"], ["no subset 'none'"]),
        (["cues", "--run", "run", "--out", "run/run.json"], ["--out run/run.json"]),
        (["cues", "--run", "run", "--out", "x", "--device", "gpu"], ["--device gpu", "cpu, cuda"]),
    ],
)
def test_bad_input_is_one_line(biasaudit, run, arguments, words):
    answer = biasaudit("segment", *arguments)
    assert (answer.code, answer.out) == (2, "")
    lines = [line for line in answer.err.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, answer.err
    for word in ("error: ", *words):
        assert word in lines[0]


def test_off_a_terminal_each_tenth_is_a_line(biasaudit, run, monkeypatch):
    from biasaudit.cli import progress

    ten = ("--set", "segment.iterations=20", "--set", "segment.constrain_weight=0")
    train = ("segment", "train", "--run", "run", *ten)
    monkeypatch.setattr(progress, "APART", 3600.0)  # all of it takes less
    told = biasaudit(*train, "--out", "first").err
    assert told == "next: biasaudit segment evaluate --run first\n"
    monkeypatch.setattr(progress, "APART", 0.0)
    assert biasaudit(*train, "--out", "second", "--quiet").err == ""
    lines = biasaudit(*train, "--out", "third").err.splitlines()
    assert [line.split("  ")[:2] for line in lines[:-1]] == [
        ["run: steps", f"{2 * tenth}/20"] for tenth in range(1, 11)
    ]
    assert lines[0].split("  ")[2].startswith("elapsed 0:00:")
    assert lines[-2].endswith("remaining 0:00:00")
    for what in ("evaluate", "export"):
        more = ("--out", "masks") * (what == "export")
        answer = biasaudit("segment", what, "--run", "third", "--subset", "val", "--no-crf", *more)
        counted = [line for line in answer.err.splitlines() if line.startswith("third  ")]
        assert len(counted) == 10
        assert counted[-1].startswith("third  40/40  elapsed ")


def test_an_interrupted_training_leaves_nothing(biasaudit, run, tmp_path, monkeypatch):
    from biasaudit.segmentation import training

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "constrain_loss", interrupted)
    answer = biasaudit("segment", "train", "--run", "run", "--out", "drawer", "--quiet")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == "stopped; nothing was written\n"
    assert not (tmp_path / "drawer").exists()


def test_an_interrupted_evaluation_or_export_says_what_is_left(
    biasaudit, run, tmp_path, monkeypatch
):
    from biasaudit.segmentation import segmenter

    train = ("segment", "train", "--run", "run", "--out", "drawer", "--quiet")
    assert biasaudit(*train, "--set", "segment.iterations=1").code == 0

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(segmenter.Segmenter, "mask", interrupted)
    monkeypatch.setattr(segmenter.Segmenter, "probabilities", interrupted)
    for arguments, line in (
        (("evaluate",), "stopped; nothing was written\n"),
        (
            ("export", "--out", "masks"),
            "stopped; masks are missing; run the same command again\n",
        ),
    ):
        answer = biasaudit("segment", *arguments, "--run", "drawer", "--quiet")
        assert (answer.code, answer.out, answer.err) == (130, "", line)
    assert not (tmp_path / "drawer" / "evaluation.json").exists()
