"""Each kind of edit by hand: where it lies, how large it is, what stays bit by bit."""

import math

import numpy as np
import pytest
import torch

from biasaudit.data.sample import Sample
from biasaudit.training.repair.edits import (
    EditRecipe,
    _blurred,
    _covered,
    _crop,
    _Draw,
    _enlarged,
    _inpainted,
    _pasted,
    as_bytes,
    as_float,
    assign_folds,
    make_edits,
)

SIDE, COUNT = 64, 200
WHITE, BLACK = torch.ones(1, 3, SIDE, SIDE), torch.zeros(1, 3, SIDE, SIDE)
PLAIN = {"edge": 0.0, "jitter": 0.0, "scale": 1.0, "shift": 0.0, "least_area": 0.0}


def box(top, bottom, left, right):
    region = torch.zeros(1, SIDE, SIDE)
    region[0, top:bottom, left:right] = 1
    return region


MIDDLE = box(24, 40, 24, 40)


def drawn(make, image, region, other=None, count=COUNT, **recipe):
    """Make an edit so many times, each by a generator of its own."""
    return [
        make(
            _Draw(image, region, other, number, EditRecipe(**{**PLAIN, **recipe}), generator)
        )
        for number in range(count)
        for generator in [torch.Generator().manual_seed(number)]
    ]  # fmt: skip


def placed(**recipe):
    """Area in px and middle (right, down) in px of white squares pasted on black."""
    region = recipe.pop("region", MIDDLE)
    seen = torch.cat(drawn(_pasted, WHITE, region, BLACK, **recipe))[:, 0].double()
    area = seen.sum(dim=(1, 2))
    axis = torch.arange(SIDE).double() + 0.5 - SIDE / 2
    right = (seen.sum(dim=1) * axis).sum(dim=1) / area
    return area, torch.stack([right, (seen.sum(dim=2) * axis).sum(dim=1) / area])


def test_a_pasted_object_keeps_size_and_place_where_nothing_is_drawn():
    area, middle = placed()
    assert area.tolist() == pytest.approx([256.0] * COUNT, rel=1e-4)
    assert float(middle.abs().max()) < 1e-3


def test_a_pasted_object_is_scaled_between_the_inverse_and_the_factor():
    area, middle = placed(scale=2.0)
    factors = (area / 256).log2() / 2  # uniform on (-1, 1)
    assert -1.05 < float(factors.min()) < -0.95
    assert 0.95 < float(factors.max()) < 1.05
    assert abs(float(factors.mean())) < 4 / math.sqrt(3 * COUNT)
    assert float(factors.std()) == pytest.approx(1 / math.sqrt(3), rel=0.12)
    assert float(middle.abs().max()) < 1e-2


def test_a_pasted_object_is_moved_to_all_four_sides():
    area, middle = placed(shift=0.25)
    assert area.tolist() == pytest.approx([256.0] * COUNT, rel=1e-3)
    reach = 0.25 * SIDE
    for way in middle:
        assert -reach - 1e-2 < float(way.min()) < -0.93 * reach
        assert 0.93 * reach < float(way.max()) < reach + 1e-2
        assert abs(float(way.mean())) < 4 * reach / math.sqrt(3 * COUNT)
    assert abs(float(torch.corrcoef(middle)[0, 1])) < 4 / math.sqrt(COUNT)


def test_a_small_object_is_enlarged_to_the_least_area_and_a_large_one_is_not():
    small, _ = placed(region=box(30, 34, 30, 34), least_area=0.25, count=3)
    assert small.tolist() == pytest.approx([SIDE**2 / 4] * 3, rel=0.05)
    large, _ = placed(region=box(12, 52, 12, 52), least_area=0.25, count=3)
    assert large.tolist() == pytest.approx([1600.0] * 3, rel=1e-3)
    (nothing,) = drawn(_pasted, WHITE, box(0, 0, 0, 0), BLACK, count=1, least_area=0.25)
    assert torch.equal(nothing, BLACK)


def test_a_pasted_object_is_mirrored_half_of_the_time():
    made = drawn(_pasted, WHITE, box(24, 40, 8, 24), BLACK)
    left, right = box(24, 40, 8, 24)[0], box(24, 40, 40, 56)[0]
    sides = [[torch.allclose(one[0, 0], side, atol=1e-4) for side in (left, right)] for one in made]
    assert all(sum(side) == 1 for side in sides)
    share = sum(mirrored for _, mirrored in sides) / COUNT
    assert abs(share - 0.5) < 4 * 0.5 / math.sqrt(COUNT)


def test_a_covered_object_lies_under_a_piece_of_the_other_picture_with_its_margin():
    across = (torch.arange(SIDE).float() / (SIDE - 1)).expand(1, 3, SIDE, SIDE)
    made = drawn(_covered, BLACK, MIDDLE, across, margin=0.05)
    wide = box(21, 43, 21, 43)[:, None].expand(1, 3, SIDE, SIDE) > 0  # .05 of 64 is 3 px
    mirrored = 0
    for one in made:
        assert torch.equal(one[~wide], BLACK[~wide])
        ways = [torch.allclose(one[wide], way[wide]) for way in (across, across.flip(-1))]
        assert sum(ways) == 1
        mirrored += ways[1]
    assert abs(mirrored / COUNT - 0.5) < 4 * 0.5 / math.sqrt(COUNT)


def test_a_faint_region_is_covered_whole():
    faint = 0.2 * MIDDLE
    (made,) = drawn(_covered, BLACK, faint, WHITE, count=1, margin=0.0)
    assert torch.equal(made[0, 0], MIDDLE[0])


def test_blurred_objects_have_a_tight_and_a_wide_margin_in_turn():
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    made = drawn(_blurred, image, MIDDLE, count=4)
    for number, rim in enumerate((1, 3, 1, 3)):  # .02 and .05 of 64
        changed = (made[number] != image).any(dim=1)
        assert torch.equal(changed.float(), box(24 - rim, 40 + rim, 24 - rim, 40 + rim))


def test_blurred_objects_have_a_wide_and_a_tight_fill_in_turn():
    # black to the left, .8 to the right; the region's middle is 15 px from both
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[..., 38:] = 0.8
    wide, tight = drawn(_blurred, image, box(0, SIDE, 10, 38), count=2)
    # 6.4 px of blur reach it, from both sides alike
    assert float(wide[0, 0, 32, 23:25].mean()) == pytest.approx(0.4, abs=0.01)
    # 3.2 px do not: the mean of 7 black columns and 23 of .8
    assert float(tight[0, 0, 32, 23:25].mean()) == pytest.approx(0.8 * 23 / 30, abs=1e-4)


def test_an_inpainted_object_takes_the_colour_around_it():
    image = torch.full((1, 3, SIDE, SIDE), 0.4)
    image[:, 0] = torch.where(box(22, 42, 22, 42) > 0, 0.9, 0.4)  # and 2 px more than the region
    (made,) = drawn(_inpainted, image, MIDDLE, count=1, margin=0.05)
    assert made.shape == image.shape
    assert float((made - 0.4).abs().max()) < 5 / 255  # the method is no more exact
    (tight,) = drawn(_inpainted, image, MIDDLE, count=1, margin=0.0)
    assert float(tight[0, 0, 22, 22]) == pytest.approx(0.9, abs=1 / 255)
    assert drawn(_inpainted, image, torch.ones(1, SIDE, SIDE), count=2) == [None, None]
    nearly = torch.ones(1, SIDE, SIDE)
    nearly[0, 0, 0] = 0  # the margin takes the last pixel
    assert drawn(_inpainted, image, nearly, count=1, margin=0.05) == [None]


def coded():
    """An image whose red grows to the right and whose green grows downwards."""
    axis = torch.arange(SIDE).float() / (SIDE - 1)
    code = torch.stack([axis.expand(SIDE, SIDE), axis[:, None].expand(SIDE, SIDE)])
    return torch.cat([code, torch.zeros(1, SIDE, SIDE)])[None]


def ends(made):
    """Return top, bottom, left and right of what a crop shows, in px of the whole image."""
    columns, rows = (made[0, channel] * (SIDE - 1) for channel in (0, 1))
    return [
        round(float(value))
        for value in (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
    ]


def test_a_crop_is_the_box_of_the_object_tight_and_with_a_rim_in_turn():
    for region, tight, rim in (
        (box(20, 40, 8, 48), [20, 40, 8, 48], [17, 43, 5, 51]),
        # at the frame's sides the rim ends with the image
        (box(0, 30, 2, 40), [0, 30, 2, 40], [0, 33, 0, 43]),
        (box(30, 64, 20, 63), [30, 64, 20, 63], [27, 64, 17, 64]),
    ):
        made = drawn(_crop, coded(), region, count=3)
        assert [ends(one) for one in made] == [tight, rim, tight]
        assert all(one.shape == (1, 3, SIDE, SIDE) for one in made)


@pytest.mark.parametrize(("height", "width"), [(10, 10), (9, 30), (30, 9), (0, 0)])
def test_an_object_too_small_to_be_enlarged_gives_no_crop(height, width):
    # .15 of 64 px is 9.6
    (made,) = drawn(_crop, coded(), box(20, 20 + height, 20, 20 + width), count=1)
    assert (made is None) is (min(height, width) < 10)


def test_a_crop_holds_no_colour_that_no_image_has():
    part = torch.rand(1, 3, 11, 17, generator=torch.Generator().manual_seed(1)).round()
    made = _enlarged(part, SIDE)
    assert made.shape == (1, 3, SIDE, SIDE)
    assert 0.0 <= float(made.min()) <= float(made.max()) <= 1.0


def test_bytes_are_rounded_and_bounded():
    values = torch.tensor([-0.2, 0.0, 0.49 / 255, 0.51 / 255, 0.2, 1.0, 1.2])
    made = as_bytes(values.reshape(1, 1, 7))
    assert made.dtype == torch.uint8
    assert made.flatten().tolist() == [0, 0, 0, 1, 51, 255, 255]
    back = as_float(torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 3))
    assert back.shape == (1, 1, 1, 3)
    assert back.flatten().tolist() == pytest.approx([0.0, 0.2, 1.0])


def sample(name, there=True, source="a"):
    labels = frozenset(["boat"] if there else ["cow"])
    return Sample(name, labels, frozenset(), lambda: np.zeros((4, 4, 3), np.uint8), {}, source)


def test_edits_are_mirrored_half_of_the_time():
    image = torch.zeros(3, SIDE, SIDE, dtype=torch.uint8)
    image[:, 24:40, 8:24] = 255
    recipe = EditRecipe(0, 0, 0, 0, alone=COUNT, edge=0.0)
    made = make_edits([sample("x")], lambda _: image, {0: box(24, 40, 8, 24)[0]}, {}, recipe, 0)
    left = [float(edit.image[0, 32, 16]) for edit in made]
    assert len(left) == COUNT
    assert abs(left.count(255.0) / COUNT - 0.5) < 4 * 0.5 / math.sqrt(COUNT)


def test_every_edit_has_a_draw_of_its_own_and_its_ground_among_those_allowed():
    images = {number: torch.full((3, SIDE, SIDE), 20 * number, dtype=torch.uint8)
              for number in range(6)}  # fmt: skip
    samples = [sample(f"{number}", number < 2) for number in range(6)]
    recipe = EditRecipe(pasted=12, blurred=0, covered=12, inpainted=0)
    made = list(
        make_edits(
            samples, lambda number: images[number], {0: MIDDLE[0], 1: MIDDLE[0]},
            {0: [5, 3, 4], 1: [2]}, recipe, 0,
        )
    )  # fmt: skip
    assert {edit.ground for edit in made if edit.source == 0} == {3, 4, 5}
    assert {edit.ground for edit in made if edit.source == 1} == {2}
    pasted = [edit.image for edit in made if (edit.kind, edit.source) == ("pasted", 0)]
    assert len({image.numpy().tobytes() for image in pasted}) == 12
    for edit in made:
        if edit.kind == "pasted":  # the ground is seen in the corner
            assert edit.image[:, 0, 0].tolist() == [20 * edit.ground] * 3


def test_scarce_sources_do_not_all_fall_into_the_first_fold():
    samples = [sample(f"{n}", n % 2 == 0, f"source {n}") for n in range(40)]
    folds = assign_folds(samples, "boat", 4, 0)
    assert set(folds) == {0, 1, 2, 3}
    assert (assign_folds(samples, "boat", 4, 1) != folds).any()
    assert assign_folds(samples, "boat", 4, 0).tolist() == folds.tolist()
