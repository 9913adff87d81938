"""The parts of a scene: strokes and their labels, perspective, noise, places."""

import numpy as np
import pytest

from biasaudit.data.synthetic.harbour.canvas import LABEL, NAMES, Canvas, Pen, mix
from biasaudit.data.synthetic.harbour.composition import Composition, compose
from biasaudit.data.synthetic.harbour.grounds import View
from biasaudit.data.synthetic.harbour.placement import place
from biasaudit.data.synthetic.harbour.scene import draw_scene, shrink_labels
from biasaudit.data.synthetic.harbour.settings import HarbourSettings
from biasaudit.data.synthetic.harbour.textures import TILE, noise, ridge, tile


def blank(side=20, light=(1.0, 1.0, 1.0)):
    return Canvas(np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8), light)


def test_mix_by_hand():
    assert mix((0, 100, 200), (100, 100, 0), 0.25) == (25, 100, 150)


def test_light_tints_what_is_drawn():
    assert blank(light=(0.5, 1.0, 2.0)).tint((100, 100, 200)) == (50, 100, 255)


def test_labels_cover_what_the_strokes_cover():
    canvas = blank(40)
    pen = Pen(canvas, LABEL["car"], (20, 30), 16, mirrored=False)
    pen.polygon([(-0.5, 0), (0, 1), (0.5, 0)], (200, 10, 10))
    pen.ellipse((0.3, 0.2), 0.3, 0.2, (10, 200, 10))
    pen.line([(-0.9, 0.1), (0.9, 0.6)], (10, 10, 200), 0.1)
    pen.box(-0.2, -0.3, 0.1, 0.1, (90, 90, 90))
    picture, labels = canvas.arrays()
    np.testing.assert_array_equal(labels == LABEL["car"], picture.any(axis=2))
    assert labels.any()


def test_a_stroke_without_label_leaves_the_labels():
    canvas = blank()
    canvas.line([(2, 2), (12, 2)], (255, 255, 255), 1, None)
    picture, labels = canvas.arrays()
    assert picture.any()
    assert not labels.any()


@pytest.mark.parametrize(("mirrored", "columns"), [(False, (10, 15)), (True, (5, 10))])
def test_pen_measures_from_the_foot_upwards(mirrored, columns):
    canvas = blank()
    pen = Pen(canvas, 1, (10, 15), 10, mirrored)
    pen.box(0.0, 0.0, 0.5, 0.4, (255, 255, 255))
    rows, found = np.nonzero(canvas.arrays()[1])
    assert (rows.min(), rows.max()) == (11, 15)
    assert (found.min(), found.max()) == columns


def test_shrinking_keeps_the_label_of_the_most_pixels():
    labels = np.array([[1, 1, 2, 5, 7, 7], [1, 9, 5, 5, 3, 3]], np.uint8)
    labels = np.vstack([labels, np.full((4, 6), 4, np.uint8)])
    np.testing.assert_array_equal(shrink_labels(labels, 3)[0], [1, 5, 3])


def test_every_class_has_its_own_label():
    assert len(NAMES) == 9
    assert sorted(LABEL.values()) == list(range(1, 10))


def test_tile_is_standardised_and_wraps():
    field = tile(1.5)
    assert field.shape == (TILE, TILE)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    at = np.array([3.0, 3.0 + TILE, 3.0 - TILE])
    values = noise(at, np.zeros(3), 1.5, np.random.default_rng(0))
    assert values[0] == values[1] == values[2]


def test_rougher_noise_varies_more_between_neighbours():
    jumps = [np.abs(np.diff(tile(roughness), axis=1)).mean() for roughness in (2.0, 1.0, 0.0)]
    assert jumps == sorted(jumps)


def test_ridge_has_the_asked_number_of_heights():
    line = ridge(77, 30, np.random.default_rng(1))
    assert line.shape == (77,)
    assert np.isfinite(line).all()


def test_perspective_brings_the_lower_edge_near():
    view = View.of(100, 40)
    assert view.near.shape == (60, 1)
    assert view.across.shape == (60, 100)
    assert (np.diff(view.near[:, 0]) > 0).all()
    assert (np.diff(view.along[:, 0]) < 0).all()
    np.testing.assert_allclose(view.across, -view.across[:, ::-1], atol=1e-3)


def test_boats_float_and_the_rest_stands_on_the_bank():
    view = View.of(128, 50)
    bank = np.zeros((128, 128), bool)
    bank[100:] = True
    scene = Composition(("boat", "car", "tree"), "water", "sand", "near", 3)
    for seed in range(30):
        for thing in place(scene, view, bank, np.random.default_rng(seed)):
            if thing.kind != "rock":
                assert thing.afloat == (thing.kind == "boat")
            assert thing.afloat == (thing.y < 100)


def test_things_are_drawn_from_the_farthest_to_the_nearest():
    scene = Composition(("boat", "car", "tree"), "grass", None, "far", 2)
    placed = place(scene, View.of(128, 50), np.zeros((128, 128), bool), np.random.default_rng(0))
    assert len(placed) == 5
    assert [t.y for t in placed] == sorted(t.y for t in placed)
    assert not any(t.afloat for t in placed)


@pytest.mark.parametrize("kind", ["boat", "car", "house", "tree"])
def test_objects_of_one_kind_vary(kind):
    scene = Composition((kind,), "grass", None, "far", 0)
    areas = [
        draw_scene(scene, 64, np.random.default_rng(seed)).mask(kind).sum() for seed in range(12)
    ]
    assert len(set(areas)) > 8


def test_all_combinations_of_ground_and_bank_can_be_drawn():
    scenes = compose(HarbourSettings(train=400, water_given_no_boat=0.5), "train")
    kinds = {(s.ground, s.bank, s.bank_place): s for s in scenes}
    for scene in kinds.values():
        picture = draw_scene(scene, 32, np.random.default_rng(0))
        for name in scene.labels | scene.contexts:
            assert picture.mask(name).any(), (scene, name)
