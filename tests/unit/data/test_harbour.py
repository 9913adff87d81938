"""The embedded scenes as a dataset: what is known at once, what is drawn, and that it repeats."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from biasaudit.data.sample import Region
from biasaudit.data.synthetic.harbour import HarbourSettings, harbour
from biasaudit.errors import ConfigError
from biasaudit.models.harbournet import harbournet
from biasaudit.models.weights import shipped_weights

SMALL = HarbourSettings(seed=3, train=40, val=20, group=10)


@pytest.fixture(scope="module")
def scenes():
    return harbour(SMALL)


def all_samples(dataset):
    return [sample for subset in dataset.subsets.values() for sample in subset]


def digest(sample):
    """A hash of the pixels and of every mask."""
    total = hashlib.sha256(sample.load_image().tobytes())
    for name, region in sorted(sample.regions.items()):
        total.update(name.encode() + region.load().tobytes())
    return total.hexdigest()


def test_names_what_the_audit_needs(scenes):
    assert scenes.name == "harbour"
    assert scenes.classes == ("boat", "car", "house", "tree")
    assert set(scenes.contexts) == {"water", "grass", "sand", "road", "sky"}
    assert (scenes.object, scenes.context) == ("boat", "water")
    assert {name: len(subset) for name, subset in scenes.subsets.items()} == {
        "train": 40, "val": 20, "test": 40,
    }  # fmt: skip


def test_ids_are_unique(scenes):
    ids = [sample.id for sample in all_samples(scenes)]
    assert len(set(ids)) == len(ids)


def test_same_seed_gives_same_pixels_in_any_order():
    first, second = all_samples(harbour(SMALL)), all_samples(harbour(SMALL))
    backwards = [digest(sample) for sample in reversed(second)]
    assert [digest(sample) for sample in first] == backwards[::-1]


def test_no_two_scenes_are_alike(scenes):
    other = harbour(HarbourSettings(seed=4, train=40, val=20, group=10))
    digests = {digest(s) for s in all_samples(scenes) + all_samples(other)}
    assert len(digests) == 200


def test_every_present_class_has_a_region_and_no_absent_one(scenes):
    for sample in all_samples(scenes):
        assert set(sample.regions) == sample.labels | sample.contexts
        assert "sky" in sample.contexts


@pytest.mark.parametrize("size", [32, 64, 101, 256])
def test_regions_are_visible_and_disjoint_at_every_size(size):
    dataset = harbour(HarbourSettings(seed=1, size=size, train=12, val=1, group=2))
    for sample in all_samples(dataset):
        image = sample.load_image()
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8
        masks = np.stack([region.load() for region in sample.regions.values()])
        assert masks.dtype == bool
        assert masks.shape[1:] == (size, size)
        assert masks.any(axis=(1, 2)).all(), sample.id
        assert masks.sum(axis=0).max() == 1


def test_boats_are_large_enough_to_be_seen():
    dataset = harbour(HarbourSettings(seed=2, train=2, val=2, group=100))
    areas = [s.regions["boat"].area_fraction for s in dataset.subset("test") if "boat" in s.labels]
    assert min(areas) > 0.015
    assert 0.04 < np.median(areas) < 0.12
    assert max(areas) < 0.30


def test_area_is_counted_where_it_is_not_known(scenes):
    region = scenes.subset("val")[0].regions["sky"]
    assert region.area_fraction == region.load().sum() / 64**2


def test_known_area_does_not_load_the_mask():
    def load():
        raise AssertionError("the mask was decoded")

    assert Region("mask", load, 0.25).area_fraction == 0.25


def test_a_changed_image_does_not_change_the_dataset(scenes):
    sample = scenes.subset("val")[1]
    before = sample.load_image()
    sample.load_image()[:] = 0
    np.testing.assert_array_equal(sample.load_image(), before)


def test_samples_travel_to_other_processes(scenes):
    sample = scenes.subset("train")[5]
    assert digest(pickle.loads(pickle.dumps(sample))) == digest(sample)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("size", 31),
        ("size", 257),
        ("size", 64.0),
        ("train", 0),
        ("group", True),
        ("seed", -1),
        ("water_given_boat", 1.01),
        ("water_given_no_boat", -0.01),
        ("water_given_boat", "often"),
        ("water_given_boat", float("nan")),
    ],
)
def test_a_setting_out_of_range_is_named(setting, value):
    with pytest.raises(ConfigError, match=f"harbour: {setting} is"):
        HarbourSettings(**{setting: value})


def test_shipped_weights_are_a_small_body_that_fits():
    file = shipped_weights("harbournet")
    assert Path(file).stat().st_size < 1_000_000
    body = {k: v.shape for k, v in harbournet(4).state_dict().items() if k.startswith("body.")}
    with safe_open(file, framework="pt") as weights:
        assert {key: weights.get_tensor(key).shape for key in weights.keys()} == body  # noqa: SIM118
