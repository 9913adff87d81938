"""``biasaudit reproduce``: every table, on a small tree of drawn pictures in VOC's form."""

import csv
import json
import shutil

import pytest
from four_formats import write_voc

from biasaudit.data.download import download_of
from biasaudit.errors import RunInterruptedError
from biasaudit.reproduce import work

CLASSIFIERS = (
    *("--backbone", "harbournet", "--weights", "none", "--epochs", "1", "--batch-size", "3"),
    *("--set", "data.image_size=32"),
)
SEGMENTERS = ("--set", "segment.iterations=1", "--set", "segment.image_size=32")
TINY = (*CLASSIFIERS, *SEGMENTERS)
WEIGHTS = "weights.safetensors"
NETWORK = "segmenter.safetensors"


@pytest.fixture
def tree(tmp_path):
    return write_voc(tmp_path / "voc")


@pytest.fixture
def fetched(tree, monkeypatch):
    """The tree as 'biasaudit data fetch' leaves it: lists of Main, no context."""
    sets = tree / "VOCdevkit" / "VOC2012" / "ImageSets"
    (sets / "Main").mkdir()
    for name in ("train", "val"):
        shutil.copy(sets / "Segmentation" / f"{name}.txt", sets / "Main")
    (tree / "dataset.toml").write_text(download_of("voc2012").description)
    place = tree.rename(tree.with_name("voc2012"))
    monkeypatch.setenv("BIASAUDIT_DATA", str(place.parent))
    return place


def augmented(place):
    """Add the list of training images that VOC's archive lacks: all but one have a label map."""
    devkit = place / "VOCdevkit" / "VOC2012"
    names = (devkit / "ImageSets" / "Segmentation" / "train.txt").read_text()
    (devkit / "ImageSets" / "Segmentation" / "train_aug.txt").write_text(
        "".join(
            f"/JPEGImages/{n}.jpg /SegmentationClassAug/{n}.png\n" for n in [*names.split(), "sea"]
        )
    )
    (devkit / "SegmentationClass" / "cowfield.png").unlink()


def lines_of(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def interrupted(*_, **__):
    raise KeyboardInterrupt


def stamps(folder, name):
    return {file.parent.name: file.stat().st_mtime_ns for file in sorted(folder.rglob(name))}


def test_memory_that_runs_out_names_settings_that_a_protocol_takes(
    biasaudit, fetched, tmp_path, monkeypatch
):
    def run_out(*_, **__):
        raise MemoryError

    augmented(fetched)
    monkeypatch.setattr(work, "train_into", run_out)
    answer = biasaudit("reproduce", "voc2012-table1", *TINY, "--out", tmp_path / "out")
    assert answer.code == 3
    assert answer.err.splitlines()[-1] == (
        "error: this machine is out of memory; lower --batch-size or --set data.image_size"
    )


def test_tables_of_segmentation_share_what_is_trained(biasaudit, fetched, tmp_path):
    augmented(fetched)
    out = tmp_path / "out"
    first = biasaudit("reproduce", "voc2012-table1", *TINY, "--out", out)
    assert first.code == 0, first.err
    for said in (
        "7 training images, not 10,582: these are not the paper's images",
        "4 images of val, not 1,449",
        "1,464 pixel labels asked for, 4 there and spent",
        "val alone",
        "the backbone is harbournet",
    ):
        assert said in first.err
    runs = stamps(out / "segmentation", WEIGHTS)
    assert list(runs) == ["baseline-seed0", "gain-seed0", "gain_ext-4-seed0"]
    drawers = stamps(out / "segmentation", NETWORK)
    assert list(drawers) == [f"{name}-segmenter" for name in runs]
    labels = json.loads((out / "segmentation" / "gain_ext-4-seed0" / "labels.json").read_text())
    assert {entry["form"] for entry in labels["entries"]} == {"mask"}
    assert len({entry["id"] for entry in labels["entries"]}) == 4

    rows = lines_of(out / "voc2012-table1.csv")
    assert [row["paper"] for row in rows] == ["50.7", "55.3", "60.5"]
    for row, folder in zip(rows, drawers, strict=True):
        evaluated = biasaudit(
            "segment", "evaluate", "--run", out / "segmentation" / folder, "--json"
        )
        with_crf = json.loads(evaluated.out)["with_crf"]
        mean, limits = with_crf["mean_iou"], with_crf["mean_iou_ci"]
        assert float(row["ours"]) == pytest.approx(100 * mean)
        assert [float(row["low"]), float(row["high"])] == pytest.approx([100 * x for x in limits])
        low, high = (f"{float(row[end]):.0f}" for end in ("low", "high"))
        assert f"{row['paper']}  {100 * mean:.1f} [{low}, {high}]\n" in first.out

    again = biasaudit("reproduce", "voc2012-table2", *TINY, "--out", out, "--json")
    assert again.code == 0, again.err
    said = json.loads(again.out)
    assert said == json.loads((out / "voc2012-table2.json").read_text())
    assert [line["paper"] for line in said["lines"]] == [None] * 3
    assert all(line["ours"] is not None for line in said["lines"])
    assert again.err.count("finished already") == 6
    third = biasaudit("reproduce", "voc2012-table3", *TINY, "--out", out, "--quiet")
    assert third.code == 0, third.err
    assert [r["spent"] for r in lines_of(out / "voc2012-table3.csv")] == ["4"] * 4
    assert "4 of 200" in third.out
    assert stamps(out / "segmentation", WEIGHTS) == runs
    assert stamps(out / "segmentation", NETWORK) == drawers


def test_it_goes_on_where_it_stopped(biasaudit, tree, tmp_path, monkeypatch):
    out = tmp_path / "out"
    command = ("reproduce", "voc2012-table2", *TINY, "--data", tree, "--out", out)
    train_into = work.train_into

    def stopping(plan, *more):
        if plan.settings.training.mode == "gain":
            raise RunInterruptedError("stopped after step 1, and kept", "go on")
        return train_into(plan, *more)

    monkeypatch.setattr(work, "train_into", stopping)
    stopped = biasaudit(*command)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == (
        "gain-seed0: stopped after step 1, and kept; give the same command again to go on"
    )
    rows = lines_of(out / "voc2012-table2.csv")
    assert [bool(row["ours"]) for row in rows] == [True, False, False]
    monkeypatch.undo()
    monkeypatch.setattr(work, "evaluate_segmenter", interrupted)
    shutil.rmtree(out / "segmentation" / "baseline-seed0-segmenter")
    stopped = biasaudit(*command)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == "stopped; run the same command again to go on"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    before = stamps(out, WEIGHTS)
    shutil.rmtree(out / "segmentation" / "baseline-seed0-segmenter")
    planned = json.loads(biasaudit(*command, "--plan", "--json").out)["trainings"]
    assert [row["state"] for row in planned] == ["run trained", "to do", "to do"]
    done = biasaudit(*command)
    assert done.code == 0, done.err
    assert all(row["ours"] for row in lines_of(out / "voc2012-table2.csv"))
    assert stamps(out, WEIGHTS)["baseline-seed0"] == before["baseline-seed0"]

    for changed, words in (
        (("--epochs", "2"), ["--epochs 1", "--epochs 2"]),
        (("--set", "segment.iterations=2"), ["segment.iterations=1", "segment.iterations=2"]),
    ):
        refused = biasaudit(*command, *changed)
        assert refused.code == 2
        assert all(word in refused.err.splitlines()[-1] for word in ("was", *words))
        planned = biasaudit(*command, *changed, "--plan")
        assert (planned.code, planned.out) == (2, "")
        assert planned.err.splitlines()[-1] == refused.err.splitlines()[-1]
    drawer = out / "segmentation" / "baseline-seed0-segmenter"
    figures = (drawer / "evaluation.json").read_text()
    (drawer / "evaluation.json").write_text('{"figures": "many"}')
    assert "not the figures of a segmenter" in biasaudit(*command).err
    (drawer / "evaluation.json").write_text(figures)
    other = drawer / "segmenter.json"
    record = json.loads(other.read_text())
    other.write_text(json.dumps({**record, "run": {**record["run"], "weights": "0" * 64}}))
    assert "attention of another run than baseline-seed0" in biasaudit(*command).err
    other.write_text(json.dumps(record))
    (guided,) = (out / "segmentation").glob("gain_ext-*-seed0")
    for weights in (drawer / NETWORK, guided / WEIGHTS):
        kept = weights.rename(tmp_path / "kept")
        planned = json.loads(biasaudit(*command, "--plan", "--json").out)["trainings"]
        assert [row["state"] for row in planned].count("weights lost") == 1
        lost = biasaudit(*command)
        assert lost.code == 2
        assert f"{weights.name}: is not there, though" in lost.err.splitlines()[-1]
        assert f"; remove {weights.parent}: " in lost.err.splitlines()[-1]
        kept.rename(weights)
    shutil.rmtree(out / "segmentation" / f"{guided.name}-segmenter")
    for weights in (drawer / NETWORK, guided / WEIGHTS):
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-9])
        told = biasaudit(*command).err.splitlines()[-1]
        assert f"error: {weights}: not a file of weights (" in told
        assert told.endswith(f"; remove {weights.parent} and give the same command again: it is "
                             "trained anew")  # fmt: skip
        weights.write_bytes(whole)
    images = out / "segmentation" / "images.json"
    images.write_text(images.read_text()[:9])
    told = biasaudit(*command).err.splitlines()[-1]
    assert f"{images}: not JSON" in told
    assert f"; remove {images} if " in told
    images.unlink()
    assert biasaudit(*command).code == 0
    assert images.exists()
    listed = tree / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "train.txt"
    listed.write_text(listed.read_text().replace("plain\n", ""))
    for plan in ([], ["--plan"]):
        assert "was begun on other images or labels" in biasaudit(*command, *plan).err


def test_biased_boats_of_several_seeds(biasaudit, tree, tmp_path):
    out = tmp_path / "out"
    command = ("reproduce", "voc2012-table4", *CLASSIFIERS, "--data", tree, "--out", out)
    answer = biasaudit(*command, "--seeds", "0,1")
    assert answer.code == 0, answer.err
    assert "3 there and spent" in answer.err
    rows = lines_of(out / "voc2012-table4.csv")
    assert [row["paper"] for row in rows[:4]] == ["", "42.0", "30.0", "36.0"]
    assert {row["seeds"] for row in rows} == {"0 1"}
    bare = [json.loads((out / "classification" / f"baseline-seed{seed}" / "results.json")
            .read_text())["runs"][0]["splits"]["biased-boat"]["groups"]["boat-without-water"]
            for seed in (0, 1)]  # fmt: skip
    assert float(rows[1]["ours"]) == pytest.approx(50 * sum(group["accuracy"] for group in bare))
    assert "mean ± standard deviation of seeds" in answer.out
    report = biasaudit("report", out / "classification" / "baseline-seed0", "--out", "r.html")
    assert report.code == 0, report.err


def test_the_plan_trains_nothing(biasaudit, fetched, tmp_path):
    augmented(fetched)
    answer = biasaudit("reproduce", "voc2012-table3", "--out", tmp_path / "out", "--plan", "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert said["images"] == {"train": 7, "val": 4}
    assert said["settings"]["training.epochs"] == {"value": 35, "source": "the paper"}
    first = said["trainings"][0]
    assert (first["epochs"], first["batch_size"], first["steps"]) == (35, 1, 35 * 7)
    assert first["segmenter_steps"] == 8000
    assert {row["state"] for row in said["trainings"]} == {"to do"}
    table = biasaudit("reproduce", "voc2012-table3", "--out", tmp_path / "out", "--plan").out
    assert "vgg16, 7 training images of voc2012, measured on 4 of val" in table
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["voc2012-table5"], ["unknown protocol", "did you mean"]),
        (["voc2012-table1"], ["trainaug.txt: no such list", "data.options.train=Segmentation"]),
        (["voc2012-table4"], ["which images show 'water'", "context_masks"]),
        (["voc2012-table1", "--data", "none"], ["--data none", "no such folder"]),
        (["voc2012-table1", "--seeds", "0,x"], ["--seeds 0,x", "0,1,2"]),
        (["voc2012-table4", "--seeds", "1,1", "--data", "own"], ["--seeds 1,1", "each once"]),
        (["voc2012-table1", "--split", "val"], ["--split val", "measured on val"]),
        (["voc2012-table4", "--split", "x", "--data", "own"], ["no split 'x'"]),
        (
            ["voc2012-table1", "--set", "training.mode=gain"],
            ["--set training.mode=gain", "decides it"],
        ),
        (["voc2012-table1", "--set", "segment.x=1"], ["--set segment.x=1: unknown"]),
        (["voc2012-table1", "--set", "x"], ["--set x", "key=value"]),
        (["voc2012-table1", "--data", "own", "--out", "own/dataset.toml"], ["dataset.toml"]),
    ],
)
def test_bad_input_is_one_line(biasaudit, fetched, tmp_path, arguments, words):
    write_voc(tmp_path / "own")
    answer = biasaudit("reproduce", "--out", tmp_path / "out", *TINY, *arguments)
    assert (answer.code, answer.out) == (2, "")
    lines = [line for line in answer.err.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, answer.err
    for word in ("error: ", *words):
        assert word in lines[0]


@pytest.mark.parametrize("plan", [[], ["--plan"]])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "segment.stride=3"], ["--set segment.stride=3", "power of two; give 4"]),
        (["--set", "segment.regions=true"], ["baseline-seed0 is trained without pixel labels"]),
        (["--set", "segment.weights=none.pth"], ["none.pth: no such file of weights"]),
        (["--set", "segment.device=mps"], ["--set segment.device=mps: there is none"]),
        (["--set", "segment.threshold=2"], ["--set segment.threshold=2"]),
        (["--set", "training.precision=fp8"], ["--set training.precision=fp8: "]),
        (["--device", "mps"], ["--device mps: there is none"]),
        (["--weights", "none.pth"], ["none.pth: no such file of weights"]),
        (["--weights", "imagenet"], ["--weights imagenet: there are none for harbournet"]),
        (["--out", "voc/dataset.toml"], ["--out voc/dataset.toml: is not an empty folder"]),
    ],
)
def test_everything_is_checked_before_anything_is_trained(
    biasaudit, tree, tmp_path, monkeypatch, arguments, words, plan
):
    monkeypatch.setattr(work, "train_into", None)  # nobody gets as far
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    where = ("--data", tree, "--out", tmp_path / "out")
    answer = biasaudit("reproduce", "voc2012-table1", *TINY, *where, *arguments, *plan)
    assert (answer.code, answer.out) == (2, "")
    for word in ("error: ", *words):
        assert word in answer.err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there_names_the_command(biasaudit, tmp_path, monkeypatch):
    monkeypatch.setenv("BIASAUDIT_DATA", str(tmp_path))
    answer = biasaudit("reproduce", "voc2012-table1", "--out", tmp_path / "out")
    assert (answer.code, answer.out) == (2, "")
    assert "biasaudit data fetch voc2012" in answer.err
    assert not (tmp_path / "out").exists()


def test_masks_are_asked_for_before_anything_is_trained(biasaudit, tree, tmp_path):
    folder = tree / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    for name in ("grey", "cmyk", "alpha", "turned"):
        (folder / f"{name}.png").unlink()
    command = ("reproduce", "voc2012-table1", *TINY, "--data", tree, "--out", tmp_path / "out")
    assert "no image of val has the masks" in biasaudit(*command).err
    shutil.rmtree(folder)
    answer = biasaudit(*(word.replace("table1", "table4") for word in map(str, command)))
    assert "no training image of 'boat' has a mask" in answer.err
    assert not (tmp_path / "out").exists()
