"""A validation subset held back from train: shares, seeds, sources; data with one subset alone."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.formats.validation import held_back
from biasaudit.data.sample import Sample
from biasaudit.errors import BiasAuditError, DataError


def sample(number, *labels, source=""):
    return Sample(f"{number:04}", frozenset(labels), frozenset(), lambda: None, source=source)


def of_sizes(*sizes, source=None):
    names = "abcdefgh"
    numbers = iter(range(10_000))
    return [
        sample(n := next(numbers), names[place], source="" if source is None else source(n))
        for place, size in enumerate(sizes)
        for _ in range(size)
    ]


def counts(samples):
    return Counter(name for one in samples for name in one.labels)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(10, 60), min_size=1, max_size=6),
    share=st.floats(0.1, 0.6),
    seed=st.integers(0, 1000),
)
def test_every_class_is_held_back_in_about_its_share(sizes, share, seed):
    samples = of_sizes(*sizes)
    train, val = held_back(samples, share, seed)
    assert abs(len(val) - share * len(samples)) < 1
    for name, size in counts(samples).items():
        assert abs(counts(val)[name] - share * size) < 1 + 1e-9
    assert sorted([*train, *val], key=lambda s: s.id) == samples
    again = held_back(list(reversed(samples)), share, seed)
    assert {s.id for s in again[1]} == {s.id for s in val}


def test_seeds_differ():
    samples = of_sizes(40, 40)
    chosen = {frozenset(s.id for s in held_back(samples, 0.2, seed)[1]) for seed in range(5)}
    assert len(chosen) == 5


def test_no_source_stands_on_both_sides():
    samples = of_sizes(60, 60, source=lambda n: f"ward-{n % 12}")
    train, val = held_back(samples, 0.25, 3, by_source=True)
    assert not {s.source for s in train} & {s.source for s in val}
    assert len(val) == 30  # three of twelve wards, ten images each
    assert counts(val) == {"a": 15, "b": 15}


def test_one_source_cannot_be_parted():
    with pytest.raises(DataError, match="leaves no source on one side"):
        held_back(of_sizes(20, source=lambda _: "one"), 0.2, by_source=True)
    with pytest.raises(DataError, match="leaves no image on one side"):
        held_back([sample(1, "a")], 0.2)


@pytest.fixture
def pets(tmp_path):
    """Twenty pictures in two class folders of ``train``, nothing else."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for number in range(10):
            file = tmp_path / "images" / "train" / name / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(file)
    (tmp_path / "dataset.toml").write_text('format = "folder"\nobject = "cat"\nval = 0.2\n')
    return tmp_path


def test_a_train_folder_alone_is_a_dataset(pets):
    data = load_dataset(str(pets))
    assert {name: len(found) for name, found in data.subsets.items()} == {"train": 16, "val": 4}
    assert counts(data.subset("val")) == {"cat": 2, "dog": 2}


def test_a_share_beside_a_subset_is_refused(pets):
    (pets / "images" / "train").rename(pets / "images" / "val")
    with pytest.raises(BiasAuditError, match="has a subset val already; take the key val out"):
        load_dataset(str(pets))


def test_test_images_alone_are_a_dataset(pets):
    (pets / "images" / "train").rename(pets / "images" / "test")
    (pets / "dataset.toml").write_text('format = "folder"\nobject = "cat"\n')
    data = load_dataset(str(pets))
    assert list(data.subsets) == ["test"]
    assert data.classes == ("cat", "dog")
    with pytest.raises(BiasAuditError, match="no subset 'train'"):
        data.subset("train")


def test_class_folders_without_subsets(pets):
    (pets / "dataset.toml").write_text(
        'format = "folder"\nimages = "images/train"\nval = 0.5\n[subsets]\ntrain = "."\n'
    )
    data = load_dataset(str(pets))
    assert len(data.subset("train")) == len(data.subset("val")) == 10


def test_a_manifest_of_training_rows_alone(pets):
    rows = [f"train/{c}/{n}.png,{c},train,w{n % 5}" for c in ("cat", "dog") for n in range(10)]
    (pets / "all.csv").write_text("\n".join(["image,labels,subset,source", *rows, ""]))
    (pets / "dataset.toml").write_text(
        'format = "manifest"\nmanifest = "all.csv"\nimages = "images"\nval = 0.2\nval_by = "source"'
    )
    data = load_dataset(str(pets))
    assert len(data.subset("val")) == 4
    assert len({s.source for s in data.subset("val")}) == 1
