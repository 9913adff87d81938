"""``--cache DIR``: what training decoded, evaluation and later runs do not decode again."""

from four_formats import write_coco

TINY = ("--backbone", "harbournet", "--weights", "none", "--batch-size", "3", "--image-size", "32")


def test_training_fills_it_and_later_runs_use_it(biasaudit, tmp_path, decoded):
    root = write_coco(tmp_path / "own")
    train = ("train", "--data", root, *TINY, "--epochs", "2", "--cache", "decoded")
    first = biasaudit(*train, "--out", "first")
    assert first.code == 0, first.err
    assert len(decoded) == len(set(decoded)) == 10  # of train and val, in the first epoch
    decoded.clear()
    assert biasaudit(*train, "--out", "second").code == 0
    assert decoded == []
    weights = [(tmp_path / run / "weights.safetensors").read_bytes() for run in ("first", "second")]
    assert weights[0] == weights[1]
    evaluated = biasaudit("evaluate", "--run", "second", "--split", "edited-boat", "--json")
    assert evaluated.code == 0, evaluated.err
    decoded.clear()
    again = biasaudit("evaluate", "--run", "second", "--split", "edited-boat", "--json")
    assert decoded == []
    assert again.out == evaluated.out
    off = biasaudit(
        "evaluate", "--run", "second", "--split", "edited-boat", "--json", "--cache", "off"
    )
    assert len(decoded) > 0
    assert off.out == evaluated.out


def test_a_cache_that_cannot_be_made_is_one_line(biasaudit, tmp_path):
    root = write_coco(tmp_path / "own")
    answer = biasaudit("train", "--data", root, *TINY, "--cache", root / "dataset.toml")
    assert answer.code == 2
    (line,) = answer.err.splitlines()
    assert "dataset.toml: the cache cannot be written" in line
    assert "--cache off" in line


def test_loading_processes_want_a_folder(biasaudit, tmp_path):
    root = write_coco(tmp_path / "own")
    train = ("train", "--data", root, *TINY, "--epochs", "1", "--workers", "1")
    note = "keep no image in memory from epoch to epoch: a cache folder does"
    assert note in biasaudit(*train, "--out", "a").err
    assert note not in biasaudit(*train, "--out", "b", "--cache", "decoded").err
