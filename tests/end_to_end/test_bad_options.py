"""Values of options that no program should take: one line that names the option, exit code 2."""

import os

import pytest


def assert_one_line(answer, *words):
    assert (answer.code, answer.out) == (2, "")
    lines = [line for line in answer.err.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, answer.err
    for word in ("error: ", *words):
        assert word in lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--workers", "-1"], ["--workers"]),
        (["train", "--workers", "1000000"], ["--workers"]),
        (["train", "--batch-size", "0"], ["--batch-size"]),
        (["train", "--set", "training.learning_rate=inf"], ["learning_rate"]),
        (["train", "--set", "training.learning_rate=1e300"], ["learning_rate"]),
        (["train", "--mode", "gain", "--set", "terms.mining.weight=nan"], ["weight"]),
        (["train", "--set", "training.seed=1\ntraining.epochs=1"], ["--set", "more than one line"]),
        (["train", "--set", "training.seed=" + "[" * 20_000], ["--set"]),
        (["train", "--set", "training.seed=" + "9" * 6_000], ["--set"]),
        (["train", "--data", "~nouser"], ["~nouser"]),
        (["train", "--data", "n" * 5_000], ["no such folder"]),
        (["train", "--data", "a\0b"], ["not a path"]),
        (["train", "--cache", "~nouser"], ["~nouser"]),
        (["train", "--config", "/dev/zero"], ["--config /dev/zero", "not a file"]),
        (["train", "--config", "pipe"], ["--config pipe", "not a file"]),
        (["train", "--config", "deep.toml"], ["--config deep.toml", "deep"]),
        (["train", "--config", "deep.json"], ["--config deep.json", "deep"]),
        (["train", "--config", "long.toml"], ["--config long.toml", "not TOML"]),
        (["train", "--weights", "/dev/zero"], ["/dev/zero", "not a file"]),
        (["train", "--weights", "none.pth"], ["none.pth", "not a state dict"]),
        (["report", "deep.json"], ["deep.json"]),
        (["report", "good.json", "--out", "folder.html"], ["folder.html", "folder"]),
        (["report", "good.json", "--out", "."], ["--out ."]),
        (["compare", "good.json", "good.json", "--html", "."], ["--html .", "folder"]),
        (["evaluate", "--max-gap", ".1", "--junit", "."], ["--junit .", "folder"]),
        (["evaluate", "--model", "..:x", "--classes", "a"], ["--model ..:x"]),
        (["evaluate", "--model", ":x", "--classes", "a"], ["--model :x"]),
        (["evaluate", "--model", "a:b:c", "--classes", "a"], ["--model a:b:c"]),
        (["evaluate", "--run", "n" * 5_000], ["no such folder"]),
        (
            ["evaluate", "--model", "resnet18", "--state", "pipe", "--classes", "a,b"],
            ["--state pipe"],
        ),
        (["data", "check", "--data", "."], ["dataset.toml"]),
        (["data", "labels", "--pixel-labels", "1", "--out", "."], ["--out ."]),
    ],
)
def test_options(biasaudit, tmp_path, arguments, words):
    import torch

    os.mkfifo("pipe")
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "deep.toml").write_text("a = " + "[" * 20_000)
    (tmp_path / "deep.json").write_text('{"a":' * 20_000)
    (tmp_path / "long.toml").write_text("a = " + "9" * 6_000)
    (tmp_path / "good.json").write_text('{"format_version": 1, "runs": []}')
    torch.save({"state_dict": None}, tmp_path / "none.pth")
    answer = biasaudit(*arguments)
    assert_one_line(answer, *words)
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "-1"], ["--workers -1"]),
        (["--batch-size", "0"], ["--batch-size 0"]),
        (["--batch-size", "-3"], ["--batch-size -3"]),
        (["--device", "gpu"], ["--device gpu", "'cpu'"]),
        (["--cache", "~nouser"], ["~nouser"]),
        (["--cache", ""], ["cache"]),
    ],
)
def test_options_of_evaluate(biasaudit, trained, arguments, words):
    trained()
    assert_one_line(biasaudit("evaluate", *arguments), *words)
