"""What the scenes hold: exact shares, and nothing but the ground that goes with boats."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from biasaudit.data.synthetic.harbour.composition import compose, spread
from biasaudit.data.synthetic.harbour.settings import HarbourSettings


def is_boat(scene):
    return "boat" in scene.things


def is_wet(scene):
    return "water" in scene.contexts


def counts(scenes):
    return Counter((is_boat(s), is_wet(s)) for s in scenes)


def test_default_bias_is_exact():
    settings = HarbourSettings()
    assert counts(compose(settings, "train")) == {
        (True, True): 490, (True, False): 10, (False, True): 10, (False, False): 490,
    }  # fmt: skip
    assert counts(compose(settings, "val")) == {
        (True, True): 196, (True, False): 4, (False, True): 4, (False, False): 196,
    }  # fmt: skip


def test_test_subset_is_the_four_groups():
    scenes = compose(HarbourSettings(group=30), "test")
    assert counts(scenes[:60]) == {(True, False): 30, (False, True): 30}
    assert counts(scenes[60:]) == {(True, True): 30, (False, False): 30}


@pytest.mark.parametrize(
    ("subset", "digest"),
    [("train", "37009a1538432dce"), ("val", "12020800139faed3"), ("test", "16054f2f57d6ef5a")],
)
def test_the_aligned_scenes_changed_none_of_those_before(subset, digest):
    """Digests of the scenes as they were before `test` had aligned ones."""
    bias = {"water_given_boat": 0.95, "water_given_no_boat": 0.05}
    scenes = compose(HarbourSettings(seed=3, train=40, val=20, group=10, **bias), subset)
    told = [(c.things, c.ground, c.bank, c.bank_place, c.rocks) for c in scenes]
    kept = told[:20] if subset == "test" else told
    assert hashlib.sha256(repr(kept).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize(("given_boat", "given_none"), [(0.5, 0.5), (1.0, 0.0), (0.0, 1.0)])
def test_bias_is_a_setting(given_boat, given_none):
    settings = HarbourSettings(
        train=200, water_given_boat=given_boat, water_given_no_boat=given_none
    )
    found = counts(compose(settings, "train"))
    assert found[True, True] == 100 * given_boat
    assert found[False, True] == 100 * given_none
    assert found.total() == 200


def test_an_odd_number_of_images_is_kept():
    scenes = compose(HarbourSettings(train=7), "train")
    assert len(scenes) == 7
    assert sum(map(is_boat, scenes)) == 3


def test_order_does_not_tell_the_label():
    boats = np.array([is_boat(s) for s in compose(HarbourSettings(), "train")])
    assert 0.45 < boats[:1000].mean() < 0.55


@pytest.mark.parametrize(
    "quality",
    [
        lambda s: len(s.things),
        lambda s: "car" in s.things,
        lambda s: "house" in s.things,
        lambda s: "tree" in s.things,
        lambda s: s.rocks,
        lambda s: s.bank_place,
        lambda s: (len(s.things), s.rocks > 1),
    ],
)
def test_nothing_but_the_ground_goes_with_boats(quality):
    """In each of the four groups every quality has the same share, up to sampling of pairs."""
    settings = HarbourSettings(train=8000, water_given_boat=0.5, water_given_no_boat=0.5)
    scenes = compose(settings, "train")
    for wet in (True, False):
        with_boat, without = (
            Counter(quality(s) for s in scenes if is_boat(s) == boat and is_wet(s) == wet)
            for boat in (True, False)
        )
        for value in with_boat | without:
            share = with_boat[value] / with_boat.total(), without[value] / without.total()
            assert share[0] == pytest.approx(share[1], abs=0.03), (wet, value)


def test_land_grounds_come_equally_often_in_the_group():
    scenes = compose(HarbourSettings(group=90), "test")[:90]
    assert Counter(s.ground for s in scenes) == {"grass": 30, "sand": 30, "road": 30}


def test_water_has_a_bank_and_no_bank_repeats_the_ground():
    scenes = compose(HarbourSettings(), "train")
    assert all(s.bank is not None for s in scenes if s.ground == "water")
    assert all(s.bank not in (s.ground, "water") for s in scenes)


@pytest.mark.parametrize(
    ("number", "weights", "expected"),
    [
        (10, (1, 1), {"a": 5, "b": 5}),
        (10, (0.9, 0.1), {"a": 9, "b": 1}),
        (3, (2, 1), {"a": 2, "b": 1}),
        (5, (1, 0), {"a": 5}),
        (0, (1, 1), {}),
    ],
)
def test_spread_by_hand(number, weights, expected):
    for seed in range(20):
        found = Counter(spread(number, "ab", weights, np.random.default_rng(seed)))
        assert found == expected


def test_spread_gives_the_odd_one_out_at_random():
    winners = {
        Counter(spread(4, "abc", (1, 1, 1), np.random.default_rng(seed))).most_common(1)[0][0]
        for seed in range(60)
    }
    assert winners == set("abc")
