"""The parts that find foregrounds, each by figures worked out on paper."""

import numpy as np
import pytest
import torch
from torch import nn

from biasaudit.models.backbones import BACKBONES
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.training.repair import foregrounds, propagated
from biasaudit.training.repair.foregrounds import (
    Foregrounds,
    Found,
    Images,
    _alone,
    _plausible,
    _rest,
    folds_of,
    overlap,
    seek,
)
from biasaudit.training.repair.propagated import (
    Piece,
    PixelClassifier,
    _held_back,
    _hypercolumns,
    _pieces,
    _sums,
    _to_grid,
    cut,
    fit_pixels,
    propagate,
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


def test_grabcut_is_told_what_is_likely_and_what_is_sure(monkeypatch):
    told = {}

    def noted(image, likely, sure):
        told.update(image=image, likely=likely, sure=sure)
        return ~likely

    monkeypatch.setattr(propagated, "cut_out", noted)
    scores = torch.tensor([[-1.5, -1.0, -0.5], [0.5, 1.0, 1.5]])
    image = torch.arange(18, dtype=torch.uint8).reshape(3, 2, 3)
    found = cut(image, scores)
    assert told["image"].tolist() == image.permute(1, 2, 0).tolist()
    assert told["likely"].tolist() == [[False] * 3, [True] * 3]
    assert told["sure"].tolist() == [[True, True, False], [False, False, True]]
    assert found.tolist() == [[1.0] * 3, [0.0] * 3]
    assert found.dtype == torch.float32


@pytest.mark.parametrize("score", [2.0, -2.0])
def test_scores_without_an_inside_or_an_outside_are_left_as_they_are(monkeypatch, score):
    monkeypatch.setattr(propagated, "cut_out", None)
    found = cut(torch.zeros(3, 2, 2, dtype=torch.uint8), torch.full((2, 2), score))
    assert found.tolist() == [[float(score > 0)] * 2] * 2


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


def images_of(regions, without=(), unlabelled=()):
    """Images of 16 px, each of one colour: its number."""
    return Images(scene, regions, dict.fromkeys(regions, "mask"), list(without), list(unlabelled))


def number_of(image):
    return int(image[0, 0, 0])


def test_labelled_images_are_dealt_out_evenly_by_the_draw():
    regions = {row: torch.zeros(16, 16) for row in (9, 4, 7, 1, 5)}
    dealt = folds_of(images_of(regions), np.random.default_rng(0))
    assert list(dealt) == [1, 4, 5, 7, 9]
    assert sorted(dealt.values()) == [0, 0, 1, 1, 2]
    others = [folds_of(images_of(regions), np.random.default_rng(seed)) for seed in range(5)]
    assert any(other != dealt for other in others)
    # two images make two parts
    two = folds_of(images_of({1: regions[1], 4: regions[4]}), np.random.default_rng(0))
    assert sorted(two.values()) == [0, 1]


def test_each_fold_has_its_labelled_images_and_as_many_grounds():
    """Features are the number of the image, so that the sums tell which images came in."""
    regions = {row: torch.zeros(16, 16) for row in (1, 2, 3)}
    for region in regions.values():
        region[:8] = 1
    images = images_of(regions, without=[10, 20, 30, 40, 50])
    seen, told = [], []

    def columns(image):
        seen.append(number_of(image))
        return torch.full((4, 1), float(seen[-1]))

    folds = {1: 0, 2: 1, 3: 0}
    pieces = _pieces(columns, images, folds, np.random.default_rng(0), told.append)
    assert seen[:3] == [1, 2, 3]
    assert len(set(seen[3:])) == 3
    assert set(seen[3:]) <= {10, 20, 30, 40, 50}
    assert told == [1] * 6
    assert len(pieces) == 2
    # a labelled image of a half inside weighs 1, a ground its outside's half
    assert pieces[0].gram[-1, -1] == pytest.approx(2 * 1 + 2 * 0.5)
    assert pieces[1].gram[-1, -1] == pytest.approx(1 + 0.5)
    assert pieces[0].gram[-1, 0] == pytest.approx(1 + 3 + 0.5 * (seen[3] + seen[5]))
    assert pieces[1].gram[-1, 0] == pytest.approx(2 + 0.5 * seen[4])
    assert pieces[0].target[0] == pytest.approx(-0.5 * (seen[3] + seen[5]))


def test_few_grounds_are_all_that_there_are():
    images = images_of({1: torch.zeros(16, 16), 2: torch.zeros(16, 16)}, without=[7])
    pieces = _pieces(
        lambda image: torch.ones(4, 1), images, {1: 0, 2: 1}, np.random.default_rng(0), print
    )
    # without a pixel inside, each image weighs a half: one and the ground, and one
    assert [piece.gram[-1, -1] for piece in pieces] == pytest.approx([1.0, 0.5])


def test_a_region_held_back_is_found_by_the_others_and_the_best_penalty_is_taken(monkeypatch):
    left, top = torch.zeros(16, 16), torch.zeros(16, 16)
    left[:, :8] = 1
    top[:8] = 1
    regions = {0: left, 1: top}
    seen = []

    def fitted(pieces, ridge):
        seen.append((tuple(pieces), ridge))

        def classifier(columns, size):
            assert size == 16
            scores = (2 * regions[int(columns[0, 0])] - 1) * 3.0
            if ridge == 0.1:  # right
                return scores
            if ridge == 0.03:  # finds a part
                scores[:, :4] = -3.0
                return scores
            return -scores

        return classifier

    monkeypatch.setattr(propagated, "fit_pixels", fitted)
    monkeypatch.setattr(propagated, "cut_out", lambda image, likely, sure: likely)

    def columns(image):
        return torch.full((4, 1), float(number_of(image)))

    ridge, found = _held_back(columns, images_of(regions), {0: 1, 1: 0}, ["first", "second"])
    assert ridge == 0.1
    # fold 0 is found by the second piece alone, fold 1 by the first
    assert seen == [((piece,), r) for piece in ("second", "first") for r in propagated.RIDGES]
    assert sorted(found) == [0, 1]
    assert all(torch.equal(found[row], regions[row]) for row in found)


def test_what_is_cut_out_is_what_is_proposed(monkeypatch):
    torch.manual_seed(0)
    model = BACKBONES["harbournet"].build(2).eval()
    region = torch.zeros(16, 16)
    region[4:8] = 1
    cuts = {row: region.roll(row) for row in (1, 2, 8, 9, 10)}
    monkeypatch.setattr(propagated, "cut", lambda image, scores: cuts[number_of(image)])
    told = []
    images = images_of({1: region, 2: region}, without=[3, 4, 5], unlabelled=[8, 9, 10])
    found = propagate(model, images, 0, lambda what, count: told.append((what, count)))
    assert sorted(found.regions) == [8, 9, 10]
    assert sorted(found.held_back) == [1, 2]
    held = {**found.regions, **found.held_back}
    assert all(torch.equal(held[row], cuts[row]) for row in held)
    # two labelled images, as many grounds, three in which it is sought
    assert told == [("images", 1)] * (2 + 2 + 3)


def test_what_is_everything_or_nothing_is_no_region_found():
    region = torch.zeros(16, 16)
    region[4:8] = 1
    half = torch.zeros(16, 16)
    half[4:6] = 1
    images = images_of({1: region, 2: region, 6: region}, unlabelled=[8, 9, 10])
    proposed = {8: torch.zeros(16, 16), 9: torch.ones(16, 16), 10: region}
    held_back = {1: region, 2: half, 6: torch.zeros(16, 16)}

    def finder(model, images, seed, tell):
        assert (model, seed) == ("network", 5)
        tell("steps", 2)
        return Found(proposed, held_back)

    asked, told = [], []

    def score(pictures):
        """The part alone wins in every image but that of region 2."""
        asked.append([number_of(picture) for picture in pictures])
        numbers = np.array([1.0, 0.0, 2.0][: len(asked[-1])])
        return numbers if len(asked) in (1, 3) else np.full(len(numbers), 0.5)

    made = seek(finder, "network", images, score, 5, lambda *what: told.append(what))
    assert told == [("steps", 2)]
    assert list(made.regions) == [10]
    assert torch.equal(made.regions[10], region)
    # one of the three unlabelled has an inside and an outside, and two of those held back
    assert [len(numbers) for numbers in asked] == [1, 1, 2, 2]
    assert made.proposed == 1
    assert (made.held_back, made.iou) == (3, pytest.approx((1.0 + 0.5 + 0.0) / 3))
    assert (made.kept_held_back, made.kept_iou) == (1, 1.0)


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


def test_what_a_layer_says_of_the_whole_image_is_no_feature_of_a_place():
    class Gate(nn.Module):
        """Squeeze and excitation: its pooled maps have one pixel."""

        def __init__(self):
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)

        def forward(self, maps):
            return maps * self.pool(maps).sigmoid()

    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 5, 8, stride=8), Gate())
    model = Classifier(body, PooledLinear(5, 2)).eval()
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    with _hypercolumns(model) as columns:
        assert columns(image).shape == (8 * 8, 5)
