"""The parts that find foregrounds, each by figures worked out on paper."""

import numpy as np
import pytest
import torch

from biasaudit.models.backbones import BACKBONES
from biasaudit.training.repair import foregrounds, propagated
from biasaudit.training.repair.foregrounds import (
    Foregrounds,
    _alone,
    _plausible,
    _rest,
    overlap,
)
from biasaudit.training.repair.propagated import (
    Piece,
    PixelClassifier,
    _hypercolumns,
    _sums,
    _to_grid,
    fit_pixels,
)


def test_what_is_fixed():
    assert propagated.RIDGES == (0.03, 0.1, 0.3)
    assert (foregrounds.FOLDS, propagated.PIXELS) == (3, 128)
    assert (propagated.SURE, foregrounds.SPREAD) == (1.0, 0.1)


def test_overlap_by_hand():
    found = torch.tensor([[0.6, 0.4, 1.0], [0.0, 0.5, 1.0]])
    region = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.51]])
    # above a half: three of the found, three of the region, two of both
    assert overlap(found, region) == 2 / 4
    assert overlap(torch.zeros(2, 2), torch.zeros(2, 2)) == 0.0
    assert overlap(torch.ones(2, 2), torch.zeros(2, 2)) == 0.0


def test_a_pixel_is_scored_by_its_features_and_the_intercept():
    classifier = PixelClassifier(np.array([2.0, -1.0, 0.5]))
    places = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [0.0, 0.0]])
    assert classifier(places, 2).tolist() == [[2.5, -0.5], [2.5, 0.5]]
    # enlarged from the middles of the places: the outer half of each keeps its score
    larger = classifier(places, 4)
    assert larger.shape == (4, 4)
    assert [larger[0, 0].item(), larger[0, 3].item()] == [2.5, -0.5]
    assert larger[0, 1].item() == pytest.approx(2.5 - 0.25 * 3.0)
    assert larger[3, 3].item() == 0.5


def test_the_intercept_is_not_penalised_and_a_feature_that_tells_nothing_does_no_harm():
    # one feature that never varies, answers of 1 alone: whatever the ridge, the score is 1
    augmented = np.array([[3.0, 1.0]] * 4)
    piece = Piece(augmented.T @ augmented, augmented.T @ np.ones(4))
    for ridge in (0.1, 1000.0):
        scores = fit_pixels([piece], ridge)(torch.full((4, 1), 3.0), 2)
        assert scores.flatten().tolist() == pytest.approx([1.0] * 4, abs=1e-4)


def test_the_ridge_counts_by_variance_and_pieces_add_up():
    """x = 0 and 2 with answers -1 and 1: centred slope Σxy / (Σx² + ridge · n · variance)."""
    parts = [
        Piece(np.outer(row, row), answer * row)
        for row, answer in ((np.array([0.0, 1.0]), -1.0), (np.array([2.0, 1.0]), 1.0))
    ]
    for ridge in (0.0, 0.5, 1.0):
        # mean 1, variance 1; Σ centred x · y = 2, Σ centred x² = 2
        slope = 2 / (2 + ridge * 2)
        scores = fit_pixels(parts, ridge)(torch.tensor([[0.0], [1.0], [2.0], [3.0]]), 2)
        expected = [-slope, 0.0, slope, 2 * slope]
        assert scores.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_maps_are_brought_to_a_grid():
    maps = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    assert _to_grid(maps, (1, 1)).flatten().tolist() == [3.0]
    assert torch.equal(_to_grid(maps, (2, 2)), maps)
    larger = _to_grid(maps, (4, 4))[0, 0]
    assert [larger[0, 0].item(), larger[3, 3].item()] == [0.0, 6.0]
    assert larger[0, 1].item() == pytest.approx(0.5)


def test_sums_over_the_pixels_of_one_image_by_hand():
    features = np.array([[1.0], [2.0], [4.0], [8.0]], dtype=np.float32)
    inside = np.array([True, False, True, False])
    piece = _sums(features, inside, np.random.default_rng(0))
    # each of the four weighs a quarter: x of 1 and 4 inside, of 2 and 8 outside
    assert piece.gram.tolist() == [
        [pytest.approx((1 + 16 + 4 + 64) / 4), pytest.approx(15 / 4)],
        [pytest.approx(15 / 4), pytest.approx(1.0)],
    ]
    assert piece.target.tolist() == pytest.approx([(1 + 4 - 2 - 8) / 4, 0.0])
    # without an inside the outside weighs its half alone
    bare = _sums(features, np.zeros(4, dtype=bool), np.random.default_rng(0))
    assert bare.gram[-1, -1] == pytest.approx(0.5)
    assert bare.target.tolist() == pytest.approx([-15 / 8, -0.5])


def test_no_more_pixels_are_drawn_than_said():
    count = 300
    features = np.eye(count, dtype=np.float32)
    inside = np.arange(count) < 140
    piece = _sums(features, inside, np.random.default_rng(0))
    drawn = np.diag(piece.gram)[:-1]
    assert (np.count_nonzero(drawn[:140]), np.count_nonzero(drawn[140:])) == (128, 128)
    assert set(drawn.round(9)) == {0.0, round(0.5 / 128, 9)}
    other = np.diag(_sums(features, inside, np.random.default_rng(1)).gram)[:-1]
    assert (drawn != other).any()


def scene(number):
    return torch.full((3, 16, 16), number, dtype=torch.uint8)


def test_a_region_is_kept_where_the_part_alone_scores_higher_than_the_rest():
    regions = {row: torch.zeros(16, 16) for row in (5, 6, 7)}
    for region in regions.values():
        region[4:8, 4:8] = 1
    asked = []

    def score(images):
        asked.append(len(list(images)))
        return np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 2.0]][len(asked) - 1])

    assert list(_plausible(scene, regions, score)) == [5]
    assert asked == [3, 3]
    assert _plausible(scene, {}, None) == {}


def test_a_part_alone_and_the_rest_without_it():
    image = torch.full((3, 64, 64), 50, dtype=torch.uint8)
    image[0, 20:40, 20:40] = 200
    region = torch.zeros(64, 64)
    region[20:40, 20:40] = 1
    alone = _alone(image, region)
    assert alone[:, 30, 30].tolist() == [200, 50, 50]
    # the region and a rim of .01 of 64, 1 px; then ImageNet's mean colour
    assert alone[:, 19, 30].tolist() == [50, 50, 50]
    assert alone[:, 18, 30].tolist() == [124, 116, 104]
    rest = _rest(image, region)
    assert rest.flatten().tolist() == [50] * rest.numel()
    # the rim of .03, 2 px, is filled too: a mark 2 px beside the region goes, one 3 px beside stays
    marked = image.clone()
    marked[1, 30, 41] = marked[2, 30, 42] = 255
    told = _rest(marked, region)
    assert told[1, 30, 41] != 255
    assert told[2, 30, 42] == 255


def test_the_figures_as_a_record_takes_them():
    made = Foregrounds({4: torch.zeros(1)}, 3, 0.5, 0.75, 6, 2)
    assert made.to_dict() == {
        "proposed": 3, "kept": 1, "iou": 0.5, "kept_iou": 0.75, "held_back": 6,
        "kept_held_back": 2,
    }  # fmt: skip


def test_every_place_has_the_features_of_each_resolution():
    torch.manual_seed(0)
    model = BACKBONES["harbournet"].build(2).eval()
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    with _hypercolumns(model) as columns:
        one, again = columns(image), columns(image)
        assert torch.equal(one, again)
        assert len(one) == 8 * 8  # an eighth of the side
        assert len(columns(image.repeat(1, 2, 2))) == 16 * 16
        assert len(columns(image[:, :32, :32])) == 8 * 8  # and no fewer
        with torch.no_grad():
            last = model(image[None].float() / 255).features
    # the attention layer's own maps are among them, brought to the grid
    own = _to_grid(last, (8, 8))[0].flatten(1).T
    assert any(
        torch.allclose(one[:, start : start + own.shape[1]], own, atol=1e-6)
        for start in range(one.shape[1] - own.shape[1] + 1)
    )
    assert not any(module._forward_hooks for module in model.modules())
