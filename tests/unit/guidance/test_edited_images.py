"""Pasting, removing, moving: by hand, and what must stay untouched."""

import pytest
import torch
from torchvision.transforms.v2.functional import gaussian_blur

from biasaudit.guidance.edits import grown, paste, placed, remove


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 16, 16, generator=generator, dtype=torch.float64)
    regions = torch.zeros(2, 16, 16, dtype=torch.float64)
    regions[0, 4:9, 5:12] = 1
    regions[1, 0:3, 0:3] = 1
    return images, regions


def test_a_hard_paste_is_the_object_on_the_ground(pictures):
    images, regions = pictures
    grounds = images.flip(0)
    pasted = paste(images, regions, grounds, edge=0)
    inside = regions[:, None].expand_as(images) > 0
    assert torch.equal(pasted[inside], images[inside])
    assert torch.equal(pasted[~inside], grounds[~inside])


def test_a_soft_paste_leaves_what_is_far_bit_by_bit(pictures):
    images, regions = pictures
    grounds = images.flip(0)
    pasted = paste(images, regions, grounds, edge=1.0)
    assert torch.equal(pasted[0, :, 13:], grounds[0, :, 13:])
    middle = pasted[0, :, 6, 8] - images[0, :, 6, 8]
    assert float(middle.abs().max()) < 0.05


def test_removal_changes_the_region_alone_and_nothing_leaks(pictures):
    images, regions = pictures
    inside = regions[:, None].expand_as(images) > 0
    removed = remove(images, regions)
    assert torch.equal(removed[~inside], images[~inside])
    marked = torch.where(inside, torch.full_like(images, 100.0), images)
    torch.testing.assert_close(remove(marked, regions), removed)
    assert float(removed.max()) <= float(images.max())


def test_removal_on_one_colour_gives_that_colour(pictures):
    _, regions = pictures
    images = torch.full((2, 3, 16, 16), 0.3, dtype=torch.float64)
    images[:, :, 4:9, 5:12] = torch.where(regions[:, None, 4:9, 5:12] > 0, 0.9, 0.3)
    removed = remove(images, regions)
    torch.testing.assert_close(removed, torch.full_like(images, 0.3))


def test_the_fill_is_the_normalised_convolution_with_a_square_gaussian(pictures):
    images, regions = pictures
    outside = (regions == 0).double()[:, None]
    sigma = 0.1 * 16

    def blurred(values):
        return gaussian_blur(values, [11, 11], [sigma, sigma])

    fill = blurred(images * outside) / blurred(outside)
    expected = torch.where(outside > 0, images, fill)
    torch.testing.assert_close(remove(images, regions), expected)


def test_an_image_that_is_all_region_gets_the_colour_of_the_others_surroundings():
    images = torch.rand(2, 3, 8, 8)
    images[1] = torch.tensor([0.7, 0.5, 0.1])[:, None, None]
    regions = torch.zeros(2, 8, 8)
    regions[0] = 1
    removed = remove(images, regions)
    torch.testing.assert_close(removed[0], images[1])
    alone = remove(images[:1], regions[:1])
    assert float(alone.abs().max()) == 0.0


def test_moving_by_whole_pixels_by_hand():
    images = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    images[0, :, 2, 3] = 1.0
    regions = images[:, 0].clone()
    still, region = placed(images, regions, torch.ones(1).double(), torch.zeros(1, 2).double())
    torch.testing.assert_close(still, images)
    offset = torch.tensor([[0.25, 0.125]], dtype=torch.float64)  # 2 px right, 1 px down
    moved, region = placed(images, regions, torch.ones(1).double(), offset)
    assert moved[0, 0].nonzero().tolist() == [[3, 5]]
    torch.testing.assert_close(region, moved[:, 0])


def test_an_object_in_a_corner_is_scaled_in_sight():
    regions = torch.zeros(2, 16, 16, dtype=torch.float64)
    regions[:, 12:16, 0:4] = 1
    images = regions[:, None].expand(2, 3, 16, 16)
    offset = torch.tensor([[-0.5, 0.5], [0.25, -0.25]]).double()  # out of the frame; into it
    moved, region = placed(images, regions, torch.tensor([2.0, 1.0]).double(), offset)
    assert float(region[0, 9:15, 1:7].min()) == 1.0
    assert float(region[0].sum()) == pytest.approx(64, rel=0.1)
    expected = torch.zeros(16, 16).double()
    expected[8:12, 4:8] = 1
    torch.testing.assert_close(region[1], expected)
    torch.testing.assert_close(moved[:, 0], region)


def test_an_object_too_large_for_the_frame_and_none_at_all():
    regions = torch.zeros(2, 16, 16, dtype=torch.float64)
    regions[0, 2:16, 2:16] = 1
    images = torch.ones(2, 3, 16, 16, dtype=torch.float64)
    factors = torch.tensor([2.0, 2.0]).double()
    _, region = placed(images, regions, factors, torch.full((2, 2), 0.3).double())
    assert float(region[0].min()) > 0.99
    assert float(region[1].abs().max()) == 0.0


def test_objects_in_opposite_corners_stay_where_they_were():
    regions = torch.zeros(1, 32, 32, dtype=torch.float64)
    regions[0, 1:5, 1:5] = regions[0, 27:31, 27:31] = 1
    images = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    factor, offset = torch.tensor([2.0]).double(), torch.full((1, 2), 0.1).double()
    moved, region = placed(images, regions, factor, offset)
    assert torch.equal(moved, images)
    assert torch.equal(region, regions)


def test_scaling_enlarges():
    regions = torch.zeros(1, 16, 16, dtype=torch.float64)
    regions[0, 6:10, 6:10] = 1
    images = regions[:, None].expand(1, 3, 16, 16)
    _, larger = placed(images, regions, torch.tensor([2.0]).double(), torch.zeros(1, 2).double())
    assert float(larger.sum()) == pytest.approx(64, rel=0.1)


def test_a_grown_region_reaches_its_margin_to_each_side():
    region = torch.zeros(1, 20, 20)
    region[0, 8:10, 0:3] = 1.0
    wide = grown(region, 0.1)
    expected = torch.zeros(1, 20, 20)
    expected[0, 6:12, 0:5] = 1.0
    assert torch.equal(wide, expected)
    assert torch.equal(grown(region, 0.0), region)


@pytest.mark.parametrize("corner", [(10, 10), (2, 2), (2, 10), (10, 2)])
def test_an_object_is_scaled_about_its_own_middle_wherever_it_stands(corner):
    down, right = corner
    regions = torch.zeros(1, 16, 16, dtype=torch.float64)
    regions[0, down : down + 4, right : right + 4] = 1
    images = regions[:, None].expand(1, 3, 16, 16)
    _, smaller = placed(images, regions, torch.tensor([0.5]).double(), torch.zeros(1, 2).double())
    expected = torch.zeros(16, 16).double()
    expected[down + 1 : down + 3, right + 1 : right + 3] = 1
    torch.testing.assert_close(smaller[0], expected)
    # moved as far as the frame goes: an object of half the size has 2 px more of room
    for way in (1.0, -1.0):
        _, moved = placed(images, regions, torch.ones(1).double(), torch.full((1, 2), way).double())
        edge = torch.zeros(16, 16).double()
        edge[-4:, -4:] = way > 0
        edge[:4, :4] = way < 0
        torch.testing.assert_close(moved[0], edge)


def test_an_object_that_keeps_half_of_itself_is_moved_and_one_that_does_not_stays():
    """Two squares, one in a corner: scaled by 2 about the common middle, the corner's leaves."""
    regions = torch.zeros(2, 32, 32, dtype=torch.float64)
    regions[:, 12:20, 12:20] = 1  # 64 px in the middle, 256 once doubled
    regions[0, 1:7, 1:7] = regions[0, 25:31, 25:31] = 1  # 72 px that leave: 256 of 544 stay
    regions[1, 1:7, 1:7] = 1
    regions[1, 25:31, 28:31] = 1  # 54 px that leave: 256 of 472 stay
    images = regions[:, None].expand(2, 3, 32, 32)
    factors = torch.tensor([2.0, 2.0]).double()
    _, moved = placed(images, regions, factors, torch.zeros(2, 2).double())
    assert torch.equal(moved[0], regions[0])
    assert not torch.equal(moved[1], regions[1])


def test_far_inside_a_large_region_the_fill_is_the_mean_colour_around():
    images = torch.zeros(1, 3, 64, 64, dtype=torch.float64)
    images[0, 0, :, :4] = 1.0  # a red rim to the left, black to the right
    regions = torch.zeros(1, 64, 64, dtype=torch.float64)
    regions[0, :, 4:60] = 1
    fill = remove(images, regions, spread=0.02)
    assert fill[0, 0, 32, 32].item() == pytest.approx(0.5)  # half of what is outside is red
    assert fill[0, 1:, 32, 32].abs().max().item() == 0.0
    assert fill[0, 0, 32, 4].item() == pytest.approx(1.0)  # beside the rim, the rim's red
    assert fill[0, 0, 32, 59].item() == pytest.approx(0.0)


def test_without_a_colour_around_the_others_are_weighed_by_their_surroundings():
    images = torch.zeros(3, 3, 8, 8, dtype=torch.float64)
    images[1], images[2] = 0.8, 0.2
    regions = torch.zeros(3, 8, 8, dtype=torch.float64)
    regions[0] = 1
    regions[1, :, :6] = 1  # 16 px of .8 are left, and 48 px of .2
    regions[2, :, :2] = 1
    assert remove(images, regions)[0].flatten().tolist() == pytest.approx([0.35] * 192)


def test_a_seam_is_as_soft_as_asked():
    region = torch.zeros(1, 33, 33, dtype=torch.float64)
    region[0, :, 16:] = 1
    images = region[:, None].expand(1, 3, 33, 33)
    black = torch.zeros(1, 3, 33, 33, dtype=torch.float64)
    for sigma in (1.0, 2.0):
        row = paste(torch.ones_like(images), region, black, edge=sigma)[0, 0, 16]
        # a step under a Gaussian: its slope at the step is the Gaussian's middle
        taps = torch.exp(
            -(torch.arange(-round(3 * sigma), round(3 * sigma) + 1) ** 2) / 2 / sigma**2
        )
        assert (row[16] - row[15]).item() == pytest.approx((1 / taps.sum()).item(), rel=1e-6)
    assert paste(torch.ones_like(images), region, black)[0, 0, 16].tolist() == pytest.approx(
        paste(torch.ones_like(images), region, black, edge=1.0)[0, 0, 16].tolist()
    )
