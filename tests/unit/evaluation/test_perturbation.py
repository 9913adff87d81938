"""Faithfulness on models that read known pixels, worked out by hand; captum as oracle."""

import pytest
import torch

from biasaudit.evaluation.perturbation import (
    both_curves,
    deletion_curve,
    erase,
    erasure,
    insertion_curve,
    marked,
)

BLACK = torch.zeros(1)
IMAGES = torch.ones(2, 3, 4, 4, dtype=torch.float64)
TOP = torch.zeros(2, 4, 4, dtype=torch.float64)
TOP[:, 0] = torch.tensor([4.0, 3.0, 2.0, 2.0])
LEFT = torch.zeros(2, 4, 4, dtype=torch.bool)
LEFT[:, :, 0] = True


def top_row(images):
    """A model that reads the top row: the mean of its pixels."""
    return images[:, :, 0].mean(dim=(1, 2))


def test_what_attention_marks_by_hand():
    assert torch.equal(marked(TOP)[0].nonzero()[:, 1], torch.arange(4))
    assert marked(TOP, 0.75).sum() == 2 * 2
    assert not marked(torch.zeros(1, 4, 4)).any()
    with pytest.raises(ValueError, match="fraction"):
        marked(TOP, 0.0)


def test_erased_pixels_take_the_mean_colour_or_the_fill():
    images = torch.arange(32, dtype=torch.float64).view(1, 2, 4, 4)
    pixels = torch.zeros(1, 4, 4, dtype=torch.bool)
    pixels[0, 1, 2] = True
    grey = erase(images, pixels)
    assert grey[0, :, 1, 2].tolist() == [7.5, 23.5]
    assert erase(images, pixels, BLACK)[0, :, 1, 2].tolist() == [0.0, 0.0]
    assert torch.equal(grey[:, :, ~pixels[0]], images[:, :, ~pixels[0]])
    assert images[0, 0, 1, 2] == 6.0


def test_images_and_pixels_must_fit():
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        erase(IMAGES, torch.zeros(2, 4, 5, dtype=torch.bool))


def test_falls_by_hand():
    found = erasure(top_row, IMAGES, TOP, LEFT, fill=BLACK, draws=400)
    assert found.whole.tolist() == [1.0, 1.0]
    assert found.without_attention.tolist() == [0.0, 0.0]
    # The left column holds one of the four pixels that the model reads.
    assert found.without_region.tolist() == [0.75, 0.75]
    # Four random pixels of sixteen take a quarter of the row with them on average.
    assert found.without_random.mean().item() == pytest.approx(0.75, abs=0.02)
    assert found.share.tolist() == [0.25, 0.25]


def test_batches_add_up_to_the_whole():
    maps = torch.rand(2, 4, 4, dtype=torch.float64)
    whole = erasure(top_row, IMAGES, maps, LEFT)
    parts = [erasure(top_row, IMAGES[i : i + 1], maps[i : i + 1], LEFT[i : i + 1]) for i in (0, 1)]
    assert torch.equal(torch.cat([p.without_attention for p in parts]), whole.without_attention)


def test_an_empty_map_and_an_empty_region_are_nan():
    maps, regions = TOP.clone(), LEFT.clone()
    maps[0], regions[1] = 0.0, False
    found = erasure(top_row, IMAGES, maps, regions, fill=BLACK)
    assert torch.isnan(found.without_attention).tolist() == [True, False]
    assert torch.isnan(found.without_random).tolist() == [True, False]
    assert torch.isnan(found.without_region).tolist() == [False, True]
    assert torch.isnan(deletion_curve(top_row, IMAGES, maps)).all(dim=1).tolist() == [True, False]


def test_curves_by_hand():
    shares = (0.0, 0.125, 0.25, 0.5, 1.0)
    down = deletion_curve(top_row, IMAGES, TOP, shares, fill=BLACK)
    up = insertion_curve(top_row, IMAGES, TOP, shares, fill=BLACK)
    assert down[0].tolist() == [1.0, 0.5, 0.0, 0.0, 0.0]
    assert up[0].tolist() == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_curves_start_and_end_at_the_image_and_the_fill():
    images, maps = torch.rand(2, 3, 4, 4), torch.rand(2, 4, 4)
    down, up = (f(top_row, images, maps, fill=BLACK) for f in (deletion_curve, insertion_curve))
    assert torch.allclose(down[:, 0], top_row(images))
    assert torch.equal(down[:, -1], torch.zeros(2))
    assert torch.equal(up[:, 0], torch.zeros(2))
    assert torch.allclose(up[:, -1], top_row(images))


def test_each_step_erases_its_share_even_among_ties():
    def erased(images):
        return (images == 0).all(dim=1).double().mean(dim=(1, 2))

    curve = deletion_curve(erased, IMAGES, torch.ones_like(TOP), (0.0, 0.25, 0.5, 1.0), fill=BLACK)
    assert curve[0].tolist() == [0.0, 0.25, 0.5, 1.0]


def test_same_seed_same_pixels():
    maps, images = torch.rand(2, 4, 4), torch.rand(2, 3, 4, 4)
    one, two, other = (
        erasure(top_row, images, maps, LEFT, seed=s).without_random for s in (3, 3, 4)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_erasing_a_region_is_captums_feature_ablation():
    ablation = pytest.importorskip("captum.attr").FeatureAblation
    images = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    groups = LEFT[:, None].expand(2, 3, 4, 4).long()
    falls = ablation(top_row).attribute(images, baselines=0.0, feature_mask=groups)
    found = erasure(top_row, images, TOP, LEFT, fill=BLACK.double())
    expected = falls[:, 0, :, 0].mean(dim=1)
    assert torch.allclose(found.whole - found.without_region, expected)


def test_both_curves_at_once_are_the_two_and_know_their_ends():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, 6, 6, generator=generator)
    maps = torch.rand(3, 6, 6, generator=generator).round(decimals=1)
    maps[1] = 0
    seen = []

    def score(pictures):
        seen.append(pictures)
        return pictures.mean(dim=(1, 2, 3)) + pictures[:, 0, 2, 2]

    down, up = both_curves(score, images, maps, seed=3)
    assert len(seen) == 20
    assert seen[0] is images
    for found, curve in ((down, deletion_curve), (up, insertion_curve)):
        torch.testing.assert_close(
            found, curve(score, images, maps, seed=3), rtol=0, atol=0, equal_nan=True
        )
