"""The embedded device: what is known at once, what gives the class away, and that it repeats."""

import hashlib
import pickle

import numpy as np
import pytest

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.splits.resolve import usual_splits
from biasaudit.data.synthetic.camera import CameraSettings, camera
from biasaudit.data.synthetic.camera.style import ELSEWHERE, OWN
from biasaudit.errors import ConfigError

SMALL = CameraSettings(seed=3, train=12, val=6, test1=6, test2=10)


@pytest.fixture(scope="module")
def device():
    return camera(SMALL)


def all_samples(dataset):
    return [sample for subset in dataset.subsets.values() for sample in subset]


def shot_of(sample):
    return sample.load_image.__self__


def region_of(sample):
    (label,) = sample.labels
    return sample.regions[label].load()


def digest(sample):
    return hashlib.sha256(sample.load_image().tobytes() + region_of(sample).tobytes()).hexdigest()


def test_has_the_numbers_of_the_experiment():
    dataset = load_dataset("camera")
    assert {name: len(subset) for name, subset in dataset.subsets.items()} == {
        "train": 700, "val": 100, "test1": 100, "test2": 100,
    }  # fmt: skip
    assert (dataset.name, dataset.object, dataset.context) == ("camera", "forward", None)
    assert dataset.classes == dataset.guided == ("forward", "reverse")


def test_is_measured_on_both_test_sets_where_no_split_is_named(device):
    assert usual_splits(device, "forward") == ("test1", "test2")
    assert usual_splits(load_dataset("harbour"), "boat") == ("biased-boat",)
    assert usual_splits(load_dataset("harbour"), "car", "road") == ("biased-car",)


def test_every_image_shows_one_orientation_half_of_them_each(device):
    for subset in device.subsets.values():
        assert all(len(sample.labels) == 1 for sample in subset)
        assert 2 * sum("forward" in sample.labels for sample in subset) == len(subset)


def test_every_image_lends_a_box_of_its_own_orientation(device):
    for sample in all_samples(device):
        assert set(sample.regions) == sample.labels
        (region,) = sample.regions.values()
        assert region.form == "box"
        mask = region.load()
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 0.03 < region.area_fraction < 0.15


def test_same_seed_gives_same_pixels_in_any_order():
    first, second = all_samples(camera(SMALL)), all_samples(camera(SMALL))
    backwards = [digest(sample) for sample in reversed(second)]
    assert [digest(sample) for sample in first] == backwards[::-1]


def test_no_two_images_are_alike(device):
    other = camera(CameraSettings(seed=4, train=12, val=6, test1=6, test2=10))
    digests = {digest(s) for s in all_samples(device) + all_samples(other)}
    assert len(digests) == 2 * 2 * (12 + 6 + 6 + 10)


@pytest.mark.parametrize("subset", ["train", "val", "test1"])
def test_surroundings_follow_the_orientation(device, subset):
    for sample in device.subset(subset):
        assert shot_of(sample).style == OWN[shot_of(sample).orientation]


@pytest.mark.parametrize(("bias", "own"), [(1.0, 12), (0.75, 9), (0.5, 6), (0.0, 0)])
def test_bias_is_the_share_of_own_surroundings(bias, own):
    train = camera(CameraSettings(train=12, val=1, test1=1, test2=1, bias=bias)).subset("train")
    for orientation, style in OWN.items():
        styles = [shot_of(s).style for s in train if orientation in s.labels]
        assert styles.count(style) == own
        assert len(styles) == 12


def test_the_second_test_set_has_grounds_of_its_own():
    seen = {ground for style in OWN.values() for ground in style.grounds}
    assert not seen & set(ELSEWHERE.grounds)
    assert OWN["forward"].grounds[0] != OWN["reverse"].grounds[0]


def test_each_scene_of_the_second_test_set_is_photographed_in_either_orientation(device):
    forward, reverse = device.subset("test2")[0::2], device.subset("test2")[1::2]
    for one, other in zip(forward, reverse, strict=True):
        assert (one.labels, other.labels) == ({"forward"}, {"reverse"})
        change = np.any(one.load_image() != other.load_image(), axis=2)
        assert change.any()
        assert not change[~(region_of(one) | region_of(other))].any()


def test_the_gap_is_dark_and_within_the_box(device):
    for one, other in zip(device.subset("test2")[0::2], device.subset("test2")[1::2], strict=True):
        difference = one.load_image().astype(int).sum(axis=2) - other.load_image().sum(axis=2)
        assert difference[region_of(one)].min() < -100
        assert difference[region_of(other)].max() > 100


@pytest.mark.parametrize("size", [32, 64, 101, 256])
def test_images_have_the_asked_size(size):
    dataset = camera(CameraSettings(size=size, train=2, val=1, test1=1, test2=3))
    for sample in all_samples(dataset):
        image = sample.load_image()
        assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
        assert region_of(sample).shape == (size, size)
        assert 0.02 < region_of(sample).mean() < 0.2


def test_a_mirrored_image_keeps_its_class(device):
    """Training mirrors images: the gap must stay above, or below, the device's middle."""
    for sample in all_samples(device):
        rows = np.flatnonzero(region_of(sample).any(axis=1))
        middle = (rows[0] + rows[-1] + 1) / 2 / 64
        assert (middle < shot_of(sample).surroundings.view.y) == ("forward" in sample.labels)


def test_samples_travel_to_other_processes(device):
    sample = device.subset("test1")[2]
    assert digest(pickle.loads(pickle.dumps(sample))) == digest(sample)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("size", 31),
        ("size", 64.0),
        ("train", 0),
        ("test2", True),
        ("seed", -1),
        ("bias", 1.01),
        ("bias", "much"),
        ("bias", float("nan")),
    ],
)
def test_a_setting_out_of_range_is_named(setting, value):
    with pytest.raises(ConfigError, match=f"camera: {setting} is"):
        CameraSettings(**{setting: value})


def test_an_unknown_setting_is_named():
    with pytest.raises(ConfigError, match=r"data\.options\.biass: 'camera' has no such setting"):
        load_dataset("camera", {"biass": 0.5})
