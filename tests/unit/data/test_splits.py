from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coco_tree import draw

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import Dataset, Sample, SplitRule
from biasaudit.data.splits.resolve import biased_split, resolve_split, split_names
from biasaudit.errors import DataError

PHOTOS = Path(__file__).parents[4] / "shared" / "photos"


def sample(id: str, labels: str = "", contexts: str = "") -> Sample:
    return Sample(
        id,
        frozenset(labels.split()),
        frozenset(contexts.split()),
        lambda: np.zeros((2, 2, 3), dtype=np.uint8),
    )


VAL = (
    sample("sea boat", "boat", "water"),
    sample("quay boat", "boat", "road"),
    sample("bare boat", "boat"),
    sample("sea", "", "water"),
    sample("cow by the sea", "cow", "water grass"),
    sample("cow on a boat", "cow boat", "water"),
    sample("meadow", "", "grass"),
)


def dataset(**changes: object) -> Dataset:
    given = {
        "name": "shore",
        "classes": ("boat", "cow"),
        "contexts": ("water", "grass", "road"),
        "subsets": {"train": VAL[:1], "val": VAL},
        "object": "boat",
        "context": "water",
    }
    return Dataset(**(given | changes))  # type: ignore[arg-type]


def ids(samples: tuple[Sample, ...]) -> list[str]:
    return [one.id for one in samples]


def test_the_four_groups() -> None:
    split = resolve_split(dataset(), "biased-boat")
    assert {name: ids(group) for name, group in split.groups.items()} == {
        "boat-without-water": ["quay boat"],
        "water-without-boat": ["sea", "cow by the sea"],
        "boat-with-water": ["sea boat", "cow on a boat"],
        "neither": ["meadow"],
    }
    assert split.answers == {
        "boat-without-water": True,
        "water-without-boat": False,
        "boat-with-water": True,
        "neither": False,
    }
    assert [split.alignment(name) for name in split.groups] == ["conflicting"] * 2 + ["aligned"] * 2
    assert list(split.conflicting) == ["boat-without-water", "water-without-boat"]
    assert len(split.samples) == 6
    assert split.image_sets is split.groups


def test_from_val_the_note_says_so_and_counts_what_nobody_annotated() -> None:
    split = resolve_split(dataset(), "biased-boat")
    assert split.subset == "val"
    assert split.note == (
        "groups are drawn from 'val', as there is no subset 'test'; 1 images of 'val' are in no "
        "group, as nobody said whether they show 'water'"
    )


def test_test_goes_before_val() -> None:
    own = dataset(subsets={"train": VAL, "val": VAL, "test": VAL[2:4]})
    split = resolve_split(own, "biased-boat")
    assert split.subset == "test"
    assert ids(split.samples) == ["bare boat", "sea"]
    assert split.note == (
        "of none of the 1 images in 'boat-without-water' did anybody say whether they show "
        "'water': 'test' is taken to be chosen by hand"
    )


def test_an_explicit_no_is_no_and_nothing_said_is_unknown() -> None:
    no, unknown = (
        replace(sample(name, "boat"), annotated=frozenset(known))
        for name, known in (("no", ["water"]), ("unknown", []))
    )
    own = dataset(subsets={"train": VAL, "val": (*VAL, no, unknown), "test": (*VAL, no, unknown)})
    split = resolve_split(own, "biased-boat")
    assert ids(split.groups["boat-without-water"]) == ["quay boat", "no"]
    assert "unknown" not in ids(split.samples)
    assert "2 images of 'test' are in no group" in split.note


def test_the_context_may_be_another_object() -> None:
    split = biased_split(dataset(), "cow", "boat")
    assert ids(split.groups["cow-without-boat"]) == ["cow by the sea"]
    assert ids(split.groups["boat-without-cow"]) == ["sea boat", "quay boat", "bare boat"]
    assert split.name == "biased-cow"


def test_the_name_of_the_split_names_the_object() -> None:
    split = resolve_split(dataset(), "biased-cow", object="boat", context="grass")
    assert (split.object, split.context) == ("cow", "grass")


def test_another_object_has_no_context_of_its_own() -> None:
    with pytest.raises(DataError, match="shore: names no context of its own; give context"):
        resolve_split(dataset(), "biased-cow")


def test_a_subset_is_one_pool() -> None:
    split = resolve_split(dataset(), "val")
    assert split.samples == VAL
    assert (split.object, split.context, split.groups) == ("boat", None, {})
    assert split.image_sets == {"": VAL}


def test_a_declared_split() -> None:
    own = dataset(splits={"cattle": SplitRule("cow", "grass", "val")})
    split = resolve_split(own, "cattle", object="boat", context="water")
    assert (split.name, split.subset, split.object, split.context) == (
        "cattle",
        "val",
        "cow",
        "grass",
    )
    assert ids(split.groups["grass-without-cow"]) == ["meadow"]
    assert "1 images of 'val' are in no group" in split.note
    assert split_names(own) == ["biased-boat", "cattle", "train", "val"]


def test_declared_in_a_file(tmp_path: Path) -> None:
    tree = draw(tmp_path / "own")
    with (tree / "dataset.toml").open("a") as file:
        file.write('[splits.shore]\nobject = "boat"\ncontext = "water"\nsubset = "train"\n')
    split = resolve_split(load_dataset(str(tree)), "biased-boat")
    assert ids(split.samples) == ["test/ashore.png", "test/sea.png"]
    with pytest.raises(DataError, match=r"'boat-without-water' .* of 6 nobody said"):
        resolve_split(load_dataset(str(tree)), "shore")


def test_an_empty_group_says_what_there_is() -> None:
    with pytest.raises(DataError) as caught:
        biased_split(dataset(), "cow", "water")
    assert str(caught.value) == (
        "shore: no image of subset 'val' is in group 'cow-without-water' (2 of 7 show 'cow', "
        "4 show 'water', 2 show both, of 1 nobody said whether they show 'water'); name another "
        "context, or add such images to 'val'"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("biased-bot", "biased-boat"), ("biased-coww", "biased-cow"), ("vall", "val")],
)
def test_an_unknown_split_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(DataError, match=rf"no split '{name}' .*did you mean '{nearest}'\?"):
        resolve_split(dataset(), name)


def test_without_an_object_one_must_be_named() -> None:
    with pytest.raises(DataError, match="give object"):
        resolve_split(dataset(object=None), "val")


@pytest.mark.parametrize(
    ("object_", "context", "message"),
    [
        ("water", "boat", r"'water' \(object\)"),
        ("boat", "wter", r"'wter' \(context\); did you mean 'water'"),
        ("boat", "boat", "object and context are both 'boat'"),
    ],
)
def test_names_are_checked(object_: str, context: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        biased_split(dataset(), object_, context)


@pytest.mark.photos
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not there")
def test_groups_of_the_photographs() -> None:
    split = resolve_split(load_dataset(str(PHOTOS)), "biased-boat")
    assert {name: len(group) for name, group in split.groups.items()} == {
        "boat-without-water": 16,
        "water-without-boat": 47,
    }
    assert split.subset == "test"
