"""Several objects and contexts in one audit: a split each, the level corrected for their number."""

import pytest
from PIL import Image

from biasaudit.data.formats.toml_file import read_dataset_file
from biasaudit.errors import DataError
from biasaudit.results import read_per_image, read_results


def test_one_object_and_two_contexts(biasaudit, trained, tmp_path):
    trained("run")
    answer = biasaudit(
        *("evaluate", "--run", "run", "--context", "water", "--context", "grass"),
        *("--object", "boat"),
    )
    assert answer.code == 0, answer.err
    (run,) = read_results(tmp_path / "run").runs
    assert list(run.splits) == ["val", "biased-boat@water", "biased-boat@grass"]
    assert [split.context for split in run.splits.values()] == [None, "water", "grass"]
    verdicts = [split.verdict for split in run.splits.values() if split.verdict is not None]
    assert [verdict.level for verdict in verdicts] == pytest.approx([0.975, 0.975])
    assert "boat-without-grass" in run.splits["biased-boat@grass"].groups
    assert "2 pairs of object and context" in answer.err
    for context in ("water", "grass"):
        assert f"biased-boat@{context}" in answer.out
    assert biasaudit("report", "run", "--out", "r.html").code == 0
    page = (tmp_path / "r.html").read_text()
    assert "boat without grass" in page
    assert "boat without water" in page


def test_two_objects(biasaudit, trained, tmp_path):
    trained("run")
    answer = biasaudit("evaluate", "--run", "run", "--object", "boat", "--object", "tree")
    assert answer.code == 0, answer.err
    (run,) = read_results(tmp_path / "run").runs
    assert list(run.splits) == ["val", "biased-boat", "biased-tree"]
    assert [split.object for split in run.splits.values()] == ["boat", "boat", "tree"]
    table = read_per_image(tmp_path / "run" / "per_image.csv")
    trees = table[table["group"] == "tree-without-water"]
    assert (trees["label"] == 1).all()
    # Training's operating point is the boat's.
    assert trees["decision_at_operating_point"].isna().all()
    assert table.loc[table["split"] == "val", "decision_at_operating_point"].notna().all()
    assert "tree: " in answer.out
    assert "boat" in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--object", "boat", "--object", "boat"], "--object boat: named twice"),
        (["--object", "boat", "--object", "bot"], "did you mean 'boat'"),
        (
            ["--object", "boat", "--object", "car", "--split", "biased-boat"],
            "name a subset, or leave --split out",
        ),
    ],
)
def test_pairs_that_are_refused(biasaudit, trained, arguments, words):
    trained("run")
    answer = biasaudit("evaluate", "--run", "run", *arguments)
    assert answer.code == 2
    assert words in answer.err


def test_a_training_has_one_object(biasaudit):
    answer = biasaudit("train", "--object", "boat", "--object", "car")
    assert answer.code == 2
    assert "--object: given 2 times" in answer.err


@pytest.fixture
def folder(tmp_path):
    for subset in ("train", "val"):
        for name in ("boat", "car"):
            (tmp_path / "images" / subset / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / "images" / subset / name / "1.png")
    return tmp_path / "dataset.toml"


def test_lists_in_dataset_toml(folder):
    folder.write_text('format = "folder"\nobject = ["boat", "car"]\ncontext = ["boat", "car"]\n')
    dataset = read_dataset_file(folder)
    assert dataset.pairs == (("boat", "car"), ("car", "boat"))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('object = ["boat", "boat"]', "object: a list names each class once"),
        ("object = []", "object: a list names each class once"),
        ('object = ["boat", "car"]', "none of the other"),
        ('object = ["boat", "cat"]\ncontext = "car"', "no category is called 'cat'"),
    ],
)
def test_lists_that_are_refused(folder, lines, words):
    folder.write_text(f'format = "folder"\n{lines}\n')
    with pytest.raises(DataError, match=words):
        read_dataset_file(folder)
