"""Edited pairs as samples and as splits; splits that a dataset declares."""

import pickle

import numpy as np
import PIL.Image
import pytest
from four_formats import HEIGHT, WIDTH, put, write_coco

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import context_shown, shows
from biasaudit.data.splits.edited import edit_sources, grounds
from biasaudit.data.splits.edited_samples import EDITS, edited
from biasaudit.data.splits.resolve import named_object, resolve_split, split_names
from biasaudit.data.synthetic.harbour import HarbourSettings, harbour
from biasaudit.errors import BiasAuditError, ConfigError, DataError


@pytest.fixture
def root(tmp_path):
    return write_coco(tmp_path / "own")


@pytest.fixture
def dataset(root):
    return load_dataset(str(root))


def held_out(dataset):
    return {s.id: s for name in ("val", "test") for s in dataset.subset(name)}


def declare(root, text):
    with (root / "dataset.toml").open("a") as file:
        file.write(text)
    return load_dataset(str(root))


def test_the_built_in_split(dataset):
    """Of the held-out boats one lies on water; what shows neither is the ground."""
    assert [s.id for s in edit_sources(dataset, "boat", "water")] == ["alpha.png"]
    assert [s.id for s in grounds(dataset, "cow", "grass")] == ["alpha.png", "sea.jpg"]
    split = resolve_split(dataset, "edited-boat")
    assert (split.object, split.context, split.subset) == ("boat", "water", "val+test")
    assert split.answers == {"boat-removed": False, "boat-on-other-ground": True}
    ((removed,), (moved,)) = split.groups.values()
    assert removed.id == "alpha.png#boat-removed"
    assert removed.pair == moved.pair == "alpha.png"
    assert "edited" in split.note
    assert "edited-boat" in split_names(dataset)


def test_labels_contexts_and_regions_follow_the_edit(dataset):
    source = held_out(dataset)["alpha.png"]
    ground = [held_out(dataset)["cmyk.jpg"]]
    made = {kind: edited(source, kind, "boat", "water", ground) for kind in EDITS}
    assert {kind: (set(s.labels), set(s.contexts), set(s.regions)) for kind, s in made.items()} == {
        "removed": (set(), {"water"}, {"water"}),
        "on-other-ground": ({"boat", "cow"}, set(), {"boat"}),
        "on-context-ground": ({"boat", "cow"}, set(), {"boat"}),
        "patch-on-other-ground": ({"cow"}, set(), set()),
        "patch-on-context-ground": ({"cow"}, set(), set()),
        "context-replaced": ({"boat", "cow"}, set(), {"boat"}),
        "alone": ({"boat"}, set(), {"boat"}),
        "blackened": (set(), {"water"}, {"water"}),
    }
    for kind, sample in made.items():
        assert ("boat" in sample.labels) == EDITS[kind].keeps_object


def test_pixels(dataset):
    source, ground = held_out(dataset)["alpha.png"], held_out(dataset)["cmyk.jpg"]
    image, boat = source.load_image(), source.regions["boat"].load()
    water = source.regions["water"].load()
    made = {k: edited(source, k, "boat", "water", [ground]).load_image() for k in EDITS}
    np.testing.assert_array_equal(made["removed"][~boat], image[~boat])
    assert (made["removed"][boat] != image[boat]).any()
    np.testing.assert_array_equal(made["on-other-ground"][boat], image[boat])
    np.testing.assert_array_equal(made["on-other-ground"][~boat], ground.load_image()[~boat])
    np.testing.assert_array_equal(made["context-replaced"][~water], image[~water])
    np.testing.assert_array_equal(made["alone"], image * boat[..., None])
    np.testing.assert_array_equal(made["blackened"], image * ~boat[..., None])


def test_a_second_run_gives_the_same_bytes(root):
    first, second = (
        [s.load_image() for s in resolve_split(load_dataset(str(root)), "edited-boat").samples]
        for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_ground_depends_on_sample_and_seed_alone(dataset):
    """Not on the order of the grounds nor on what else is edited."""
    source = held_out(dataset)["alpha.png"]
    others = [s for s in dataset.subset("train") if "boat" not in s.labels]

    def chosen(seed, choice):
        return edited(source, "on-other-ground", "boat", None, choice, seed).load_image().tobytes()

    assert chosen(3, others) == chosen(3, others[::-1])
    assert len({chosen(seed, others) for seed in range(20)}) == len(others)


def test_edited_samples_travel_to_other_processes(dataset):
    for sample in resolve_split(dataset, "edited-boat").samples:
        again = pickle.loads(pickle.dumps(sample))
        np.testing.assert_array_equal(again.load_image(), sample.load_image())


def test_an_unknown_edit(dataset):
    with pytest.raises(ConfigError, match="unknown edit 'remved'; did you mean 'removed'"):
        edited(held_out(dataset)["alpha.png"], "remved", "boat")


def test_what_cannot_be_edited(dataset):
    with pytest.raises(DataError) as caught:
        resolve_split(dataset, "edited-cow", context="grass")
    assert "(0 show 'cow' with 'grass', 0 of them with a pixel mask of 'cow')" in str(caught.value)
    with pytest.raises(DataError, match="are both 'boat'"):
        resolve_split(dataset, "edited-boat", context="boat")
    with pytest.raises(DataError, match="did you mean 'edited-boat'"):
        resolve_split(dataset, "edited-baot")


def test_no_ground(root):
    dataset = load_dataset(str(root))
    val = [s for s in dataset.subset("val") if shows(s, "boat")]
    from dataclasses import replace

    bare = replace(dataset, subsets={"train": dataset.subset("train"), "val": val})
    with pytest.raises(DataError, match="none can be the ground of an edited one"):
        resolve_split(bare, "edited-boat")


def test_names_of_objects(dataset):
    assert named_object(dataset, "biased-cow") == "cow"
    assert named_object(dataset, "edited-boat") == "boat"
    for name in ("val", "edited-", "edited-sea", "boat"):
        assert named_object(dataset, name) is None


def test_declared_edits(root):
    dataset = declare(
        root,
        '[splits.strict]\nobject = "boat"\ncontext = "water"\n'
        'edits = ["blackened", "context-replaced", "alone"]\n',
    )
    split = resolve_split(dataset, "strict")
    assert split.answers == {
        "boat-blackened": False,
        "boat-context-replaced": True,
        "boat-alone": True,
    }
    assert {name: len(group) for name, group in split.groups.items()} == dict.fromkeys(
        split.answers, 1
    )


def test_folders_of_images(root):
    for number in range(3):
        PIL.Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(root / f"{number}.png")
        put(root / "web/ashore", f"{number}.png", (root / f"{number}.png").read_bytes())
    put(root / "web/empty/deep", "sea.PNG", (root / "0.png").read_bytes())
    put(root / "web/empty", "notes.txt", b"x")
    dataset = declare(
        root,
        '[splits.web]\nobject = "boat"\ncontext = "water"\nyes = "web/ashore"\nno = "web/empty"\n',
    )
    split = resolve_split(dataset, "web")
    assert {name: [s.id for s in group] for name, group in split.groups.items()} == {
        "boat-without-water": [f"web/ashore/{n}.png" for n in range(3)],
        "water-without-boat": ["web/empty/deep/sea.PNG"],
    }
    assert split.answers == {"boat-without-water": True, "water-without-boat": False}
    assert [set(s.labels | s.contexts) for s in split.samples] == [{"boat"}] * 3 + [{"water"}]
    assert split.samples[2].load_image()[0, 0].tolist() == [2, 0, 0]


def test_areas_below_a_threshold_do_not_count(root):
    """In 'edge' a quadrant of one pixel is grass."""
    text = '[splits.{}]\nobject = "boat"\ncontext = "grass"\ncontext_area = {}\nsubset = "test"\n'
    dataset = declare(root, text.format("some", 0.01))
    edge = dataset.subset("test")[1]
    assert edge.regions["grass"].area_fraction == 1 / 600
    assert shows(edge, "grass")
    assert shows(edge, "grass", 1 / 600)
    assert not shows(edge, "grass", 0.01)
    with pytest.raises(DataError, match="is in group 'grass-without-boat'"):
        resolve_split(dataset, "some")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('yes = "a"', "yes and no belong together"),
        ('yes = "a"\nno = "b"', "splits.x.yes: no such folder"),
        ('yes = "images"\nno = "empty"', "splits.x.no: no image in"),
        ('edits = ["remoed"]', "no edit is called 'remoed'; did you mean 'removed'"),
        ('edits = ["removed"]\nsubset = "val"', "images come from one of"),
        ('edits = ["removed"]', "the right answer is the same in every group"),
        ("context_area = 2", "splits.x.context_area: input should be less than or equal to 1"),
    ],
)
def test_faulty_declarations(root, keys, message):
    (root / "empty").mkdir()
    text = f'[splits.x]\nobject = "boat"\ncontext = "water"\n{keys}\n'
    with pytest.raises(BiasAuditError) as caught:
        resolve_split(declare(root, text), "x")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_controls_differ_in_the_context_alone():
    """Versions that are made in one way: the same object or patch, two grounds, the same trace."""
    dataset = harbour(HarbourSettings(seed=5, train=4, val=20, group=6))
    split = resolve_split(dataset, "edited-boat")
    assert {name: (split.answers[name], split.shown[name]) for name in split.groups} == {
        "boat-removed": (False, True),
        "boat-on-other-ground": (True, False),
        "boat-on-context-ground": (True, True),
        "boat-patch-on-other-ground": (False, False),
        "boat-patch-on-context-ground": (False, True),
    }
    # What an accuracy is measured on is what it was before there were controls.
    assert list(split.conflicting) == ["boat-removed", "boat-on-other-ground"]
    found = {name: {s.pair: s for s in group} for name, group in split.groups.items()}
    for pair, pasted in found["boat-on-other-ground"].items():
        wet = found["boat-on-context-ground"][pair]
        boat = pasted.regions["boat"].load()
        first, second = pasted.load_image(), wet.load_image()
        np.testing.assert_array_equal(first[boat], second[boat])
        patched = found["boat-patch-on-context-ground"][pair]
        np.testing.assert_array_equal(patched.load_image()[~boat], second[~boat])
        assert pasted.edit == wet.edit == "pasted"
        assert patched.edit == found["boat-patch-on-other-ground"][pair].edit == "patched"
        assert [context_shown(s, "water", ()) for s in (pasted, wet, patched)] == [0, 1, 1]


def test_grounds_of_which_nobody_said_make_no_controls(dataset):
    assert set(resolve_split(dataset, "edited-boat").groups) == {
        "boat-removed",
        "boat-on-other-ground",
    }
