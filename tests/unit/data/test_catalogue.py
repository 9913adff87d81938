from pathlib import Path

import numpy as np
import pytest
from coco_tree import draw

from biasaudit.data.catalogue import DATASETS, load_dataset
from biasaudit.errors import BiasAuditError, ConfigError, DataError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return draw(tmp_path / "own")


def edit(tree: Path, old: str, new: str) -> None:
    file = tree / "dataset.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_built_in_dataset_takes_settings() -> None:
    dataset = load_dataset("harbour", {"train": 6, "val": 4, "group": 2, "seed": 3})
    assert {name: len(s) for name, s in dataset.subsets.items()} == {
        "train": 6,
        "val": 4,
        "test": 8,
    }
    again = load_dataset("harbour", {"train": 6, "val": 4, "group": 2, "seed": 3})
    np.testing.assert_array_equal(
        dataset.subset("train")[5].load_image(), again.subset("train")[5].load_image()
    )


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"data\.options\.water_given_bot: .*'water_given_boat'"):
        load_dataset("harbour", {"water_given_bot": 0.5})


def test_a_folder_and_its_file_are_the_same_dataset(tree: Path) -> None:
    folder, file = load_dataset(str(tree)), load_dataset(str(tree / "dataset.toml"))
    assert folder.name == file.name == "own"
    assert folder.root == file.root == str(tree)


def test_the_folder_where_one_stands_has_its_own_name(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    assert load_dataset(".").name == "own"


def test_a_name_of_its_own(tree: Path) -> None:
    edit(tree, 'format = "coco"', 'format = "coco"\nname = "quay"')
    assert load_dataset(str(tree)).name == "quay"


def test_a_dataset_on_disk_takes_no_settings(tree: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"data\.options\.size: a dataset on disk takes no settings"
    ):
        load_dataset(str(tree), {"size": 64})


def test_no_such_dataset() -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("harbor")
    assert str(caught.value) == (
        "name=harbor: no such folder, and no built-in dataset of that name; "
        f"did you mean 'harbour'? known: {', '.join(sorted(DATASETS))}"
    )


def test_a_folder_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the folder holds no dataset\.toml"):
        load_dataset(str(tmp_path))


def test_a_file_of_another_kind(tree: Path) -> None:
    with pytest.raises(DataError, match=r"train\.json: not a dataset\.toml"):
        load_dataset(str(tree / "train.json"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[subsets]", "[subsets", "not TOML"),
        ('format = "coco"', "", "format is missing; known: coco"),
        ('"coco"', '"cocoa"', "unknown format 'cocoa'; did you mean 'coco'?"),
        ("images =", "imags =", "unknown key 'imags'; did you mean 'images'?"),
        ("train =", "trian =", "unknown key 'subsets.trian'; did you mean 'train'?"),
        ("test =", "tset =", "unknown key 'subsets.tset'; did you mean 'test'?"),
        ('"images"', '"pictures"', "images: no such folder"),
        ('"images"', '{ train = "images", val = "images" }', "images.test is missing"),
        ('"images"', "3", "images: input should be a valid dictionary"),
        ('object = "boat"', 'object = "bot"', "object: no category is called 'bot'; did you"),
        ('object = "boat"', 'object = "water"', "object: no category is called 'water'; known"),
        ('context = "water"', 'context = "wat"', "context: no category is called 'wat'; did you"),
        ('context = "water"', 'context = "boat"', "object and context are both 'boat'"),
        ("[subsets]", 'contexts = ["graas"]\n[subsets]', "contexts: no category is called 'graas'"),
        ("[subsets]", 'contexts = ["cow", "boat"]\n[subsets]', "subsets.train has no object class"),
        ("[subsets]", '[splits.val]\nobject="boat"\ncontext="cow"\n[subsets]', "the name is taken"),
        ("[subsets]", '[splits.a]\nobject="boat"\n[subsets]', "splits.a.context: field required"),
        (
            "[subsets]",
            '[splits.a]\nobject="boat"\ncontext="sea"\n[subsets]',
            "splits.a.context: no category is called 'sea'",
        ),
        (
            "[subsets]",
            '[splits.a]\nobject="boat"\ncontext="cow"\nsubset="vall"\n[subsets]',
            "splits.a.subset: no subset is called 'vall'; did you mean 'val'?",
        ),
    ],
)
def test_a_faulty_file_is_one_line_of_error(tree: Path, old: str, new: str, message: str) -> None:
    edit(tree, old, new)
    with pytest.raises(BiasAuditError) as caught:
        load_dataset(str(tree))
    assert message in str(caught.value)
    assert str(tree / "dataset.toml") in str(caught.value)
    assert "\n" not in str(caught.value)
