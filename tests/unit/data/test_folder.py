"""ImageFolder: one folder a class, masks beside it."""

import numpy as np
import PIL.Image
import pytest
from coco_tree import rectangle
from four_formats import HEIGHT, WIDTH, described, put_map, write_folder

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.checks.faults import Notebook
from biasaudit.errors import BiasAuditError


@pytest.fixture
def tree(tmp_path):
    return write_folder(tmp_path / "own")


def train(tree):
    return {s.id: s for s in load_dataset(str(tree)).subset("train")}


def test_ids_are_paths_below_images(tree):
    assert list(train(tree))[:3] == [
        "train/boat/plain.jpg",
        "train/boat/two.jpg",
        "train/boat/void.jpg",
    ]


def test_masks_are_binary_where_no_value_is_named(tree):
    text = (tree / "dataset.toml").read_text().partition("[mask_values]")[0]
    (tree / "dataset.toml").write_text(text.replace('context = "water"\n', ""))
    put_map(tree / "masks", "train/boat/two.png", rectangle(1, 1, 9, 9).astype(np.uint8) * 255)
    samples = train(tree)
    assert set(samples["train/boat/two.jpg"].regions) == {"boat"}
    np.testing.assert_array_equal(
        samples["train/boat/two.jpg"].regions["boat"].load(), rectangle(1, 1, 9, 9)
    )
    assert load_dataset(str(tree)).contexts == ()


def test_without_masks_there_are_labels_alone(tree):
    described(tree, 'format = "folder"\nbackground = ["none"]\n')
    text = (tree / "dataset.toml").read_text()
    (tree / "dataset.toml").write_text(text.replace('context = "water"\n', ""))
    samples = train(tree)
    assert samples["train/boat/two.jpg"].labels == {"boat"}
    assert samples["train/none/nothing.jpg"].labels == frozenset()
    assert not any(s.regions for s in samples.values())


def test_folders_of_other_names(tree):
    (tree / "images" / "val").rename(tree / "images" / "valid")
    (tree / "masks" / "val").rename(tree / "masks" / "valid")
    with pytest.raises(BiasAuditError, match=r"no subset 'val'; write val = 0\.15 into"):
        load_dataset(str(tree)).subset("val")
    text = (tree / "dataset.toml").read_text()
    (tree / "dataset.toml").write_text(
        text.replace("[mask_values]", '[subsets]\nval = "valid"\n[mask_values]')
    )
    assert next(s.id for s in load_dataset(str(tree)).subset("val")).startswith("valid/")


def test_other_files_are_no_images(tree):
    (tree / "images" / "train" / "boat" / "notes.txt").write_text("x")
    assert len(train(tree)) == 6


def test_a_mask_of_another_size_is_found_with_the_image(tree):
    put_map(tree / "masks", "train/boat/two.png", np.ones((3, 3), dtype=np.uint8))
    with pytest.raises(BiasAuditError, match=r"two\.jpg: the image is 30x20 pixels, .* 3x3"):
        train(tree)["train/boat/two.jpg"].load_image()


def test_a_mask_of_another_class(tree):
    values = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    values[:4] = 2
    put_map(tree / "masks", "train/boat/two.png", values)
    assert not train(tree)["train/boat/two.jpg"].regions
    notes = Notebook()
    load_dataset(str(tree), complain=notes)
    (fault,) = notes.faults
    assert (fault.kind, fault.file.rpartition("/")[2]) == ("mask without its class", "two.png")


def test_a_class_that_train_lacks(tree):
    PIL.Image.new("RGB", (4, 4)).save(tree / "images" / "val" / "boat" / "new.png")
    (tree / "images" / "val" / "boot").mkdir()
    with pytest.raises(BiasAuditError, match=r"boot: no such class in train; did you mean 'boat'"):
        load_dataset(str(tree))
    notes = Notebook()
    assert len(load_dataset(str(tree), complain=notes).subset("val")) == 5
    assert [fault.kind for fault in notes.faults] == ["class without a name"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('masks = "masks"', 'masks = "mask"', "masks: no such folder"),
        ('background = ["none"]', 'background = ["nine"]', "no folder 'nine' in"),
        ('format = "folder"', 'format = "folder"\nimages = "img"', "images: no such folder"),
        ("boat = 1", "boat = 0", "mask_values.boat: input should be greater than"),
        ("[mask_values]", '[subsets]\ntest = "tst"\n[mask_values]', "subsets.test: no such folder"),
    ],
)
def test_a_faulty_description(tree, old, new, message):
    text = (tree / "dataset.toml").read_text()
    assert old in text
    (tree / "dataset.toml").write_text(text.replace(old, new))
    with pytest.raises(BiasAuditError) as caught:
        load_dataset(str(tree))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_class_folder(tmp_path):
    for name in ("train", "val"):
        (tmp_path / "images" / name).mkdir(parents=True)
    (tmp_path / "dataset.toml").write_text('format = "folder"\n')
    with pytest.raises(BiasAuditError, match=r"train: holds no class folder"):
        load_dataset(str(tmp_path))
