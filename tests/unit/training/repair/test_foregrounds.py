"""Foregrounds found by few regions: where they lie, how good they are said to be, the pruning."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from biasaudit.config import RepairSettings
from biasaudit.errors import ConfigError
from biasaudit.models.backbones import BACKBONES
from biasaudit.training.repair import propagated
from biasaudit.training.repair.foregrounds import Images, seek
from biasaudit.training.repair.propagated import Piece, cut, fit_pixels, propagate
from biasaudit.training.repair.record import _check

SIDE = 64


def picture(number):
    """A red disc somewhere on noisy blue; odd numbers have none."""
    generator = np.random.default_rng(number)
    image = generator.normal((40, 60, 160), 12, (SIDE, SIDE, 3))
    top, left = generator.integers(16, SIDE - 16, 2)
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = (y - top) ** 2 + (x - left) ** 2 < 12**2
    if number % 2 == 0:
        image[disc] = generator.normal((200, 40, 40), 12, (int(disc.sum()), 3))
    pixels = torch.from_numpy(image.clip(0, 255).astype(np.uint8)).permute(2, 0, 1)
    return pixels, torch.from_numpy(disc).float()


def pixels(number):
    return picture(number)[0]


def redness(images):
    """How red an image is: what a model of discs would say."""
    return np.array([float((image[0].float() - image[2].float()).mean()) for image in images])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return BACKBONES["harbournet"].build(2).eval()


def found(model, score=redness, seed=0, labelled=range(0, 20, 2)):
    regions = {number: picture(number)[1] for number in labelled}
    forms = dict.fromkeys(regions, "mask")
    images = Images(pixels, regions, forms, range(1, 40, 2), range(40, 60, 2))
    return seek(propagate, model, images, score, seed)


def iou(a, b):
    return float(((a > 0.5) & (b > 0.5)).sum() / ((a > 0.5) | (b > 0.5)).sum())


def test_the_object_is_found_where_it_lies(model):
    made = found(model)
    assert sorted(made.regions) == list(range(40, 60, 2))
    true = [iou(region, picture(number)[1]) for number, region in made.regions.items()]
    assert min(true) > 0.8
    assert made.proposed == 10


def test_labels_held_back_tell_how_good_it_is(model):
    made = found(model)
    true = np.mean([iou(region, picture(number)[1]) for number, region in made.regions.items()])
    assert (made.held_back, made.kept_held_back) == (10, 10)
    assert made.iou == pytest.approx(true, abs=0.1)
    assert made.kept_iou == made.iou


def test_a_region_that_the_model_finds_implausible_is_pruned(model):
    made = found(model, lambda images: -redness(images))
    assert made.regions == {}
    assert made.proposed == 10
    assert np.isnan(made.kept_iou)
    assert made.to_dict() == {
        "proposed": 10,
        "kept": 0,
        "iou": made.iou,
        "kept_iou": None,
        "held_back": 10,
        "kept_held_back": 0,
    }


def test_the_seed_decides_all(model):
    first, again = found(model), found(model)
    assert first.iou == again.iou
    assert all(torch.equal(first.regions[row], again.regions[row]) for row in first.regions)


def test_the_network_keeps_no_hook(model):
    found(model)
    assert not any(module._forward_hooks for module in model.modules())


def test_pixels_are_fitted_by_weighted_ridge_regression():
    """Against scikit-learn's on standardised features."""
    generator = np.random.default_rng(0)
    x = generator.normal(2, (1, 3, 5), (60, 3))
    answers = np.where(x[:, 0] + generator.normal(0, 1, 60) > 2, 1.0, -1.0)
    weights = generator.uniform(0.5, 1.5, 60)
    augmented = np.column_stack([x, np.ones(60)])
    piece = Piece(augmented.T @ (augmented * weights[:, None]), augmented.T @ (weights * answers))
    mean = np.average(x, axis=0, weights=weights)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
    oracle = Ridge(alpha=0.1 * weights.sum()).fit((x - mean) / scale, answers, weights)
    places = torch.from_numpy(x[:49]).float()
    scores = fit_pixels([piece], 0.1)(places, 7).flatten().numpy()
    np.testing.assert_allclose(scores, oracle.predict((x[:49] - mean) / scale), atol=1e-5)


def test_a_cut_follows_the_colours_from_where_the_scores_are_sure():
    image, disc = picture(4)
    blurred = torch.nn.functional.avg_pool2d(disc[None, None], 15, 1, 7)[0, 0]
    scores = 6 * (blurred - 0.3)
    assert iou((scores > 0).float(), disc) < 0.9
    assert iou(cut(image, scores), disc) > 0.95


@pytest.mark.parametrize("value", [-2.0, 2.0])
def test_scores_of_one_side_are_taken_as_they_are(value):
    region = cut(picture(4)[0], torch.full((SIDE, SIDE), value))
    assert bool((region == float(value > 0)).all())


def test_each_image_weighs_the_same_however_small_its_object():
    features = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    for inside in (1, 30):
        there = np.arange(100) < inside
        piece = propagated._sums(features, there, np.random.default_rng(0))
        assert piece.gram[-1, -1] == pytest.approx(1, abs=1e-5)
        assert piece.target[-1] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "changes", [{"regions": ("boat", "car")}, {"pixel_labels": 1}, {"pixel_labels": 0}]
)
def test_what_cannot_be_found_is_refused(changes):
    settings = RepairSettings(**{"foregrounds": "propagated", **changes})
    with pytest.raises(ConfigError, match="foregrounds") as caught:
        _check(None, settings)
    assert caught.value.field == "foregrounds"
    if "regions" not in changes:
        _check(None, replace_foregrounds(settings))


def replace_foregrounds(settings):
    return settings.model_copy(update={"foregrounds": "labelled"})
