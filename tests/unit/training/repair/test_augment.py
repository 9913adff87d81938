"""Copies of training images: what they keep, and what they are drawn from."""

import numpy as np
import pytest
import torch

from biasaudit.data.sample import Sample
from biasaudit.training.repair.augment import augmented, augmented_copies, one_thread

SIDE = 64


def ramp():
    """Red says the column, green the row, 0 to 252."""
    places = (torch.arange(SIDE) * 4).to(torch.uint8)
    columns, rows = places.expand(SIDE, SIDE), places[:, None].expand(SIDE, SIDE)
    return torch.stack([columns, rows, torch.full((SIDE, SIDE), 128, dtype=torch.uint8)])


def samples(count):
    return [Sample(f"image-{n}", frozenset(), frozenset(), lambda: None) for n in range(count)]


@pytest.mark.parametrize("least", [0.35, 0.7, 1.0])
def test_a_crop_keeps_its_share_of_the_area(least, monkeypatch):
    from torchvision.transforms.v2 import functional

    shares, ratios = [], []
    crop = functional.resized_crop

    def noted(image, top, left, height, width, size, **options):
        assert 0 <= top <= SIDE - height
        assert 0 <= left <= SIDE - width
        shares.append(height * width / SIDE**2)
        ratios.append(width / height)
        return crop(image, top, left, height, width, size, **options)

    monkeypatch.setattr(functional, "resized_crop", noted)
    for seed in range(60):
        made = augmented(ramp(), least, np.random.default_rng(seed))
        assert made.shape == (3, SIDE, SIDE)
        assert made.dtype == torch.uint8
    # a stretched crop as large as the image is cut to it
    assert min(shares) >= least * 3 / 4 - 0.03
    assert max(shares) <= 1
    assert 3 / 4 - 0.05 <= min(ratios) < 0.95 < 1.05 < max(ratios) <= 4 / 3 + 0.05
    if least < 1:
        assert np.mean(shares) == pytest.approx((1 + least) / 2, abs=0.12)


def test_half_are_mirrored():
    rising = 0
    for seed in range(200):
        red = augmented(ramp(), 0.7, np.random.default_rng(seed))[0].float()
        rising += bool(red[:, -1].mean() > red[:, 0].mean())
    assert 70 < rising < 130


def test_colours_change_and_not_by_much():
    means = []
    for seed in range(60):
        made = augmented(ramp(), 1.0, np.random.default_rng(seed)).float()
        means.append(float(made.mean()) / float(ramp().float().mean()))
    assert np.std(means) > 0.03
    assert 0.7 < min(means) < max(means) < 1.3


def test_each_copy_is_drawn_by_its_image_alone():
    images = torch.randint(0, 255, (4, 3, SIDE, SIDE), dtype=torch.uint8)
    all_four = samples(4)

    def copies(which, number=0, seed=0):
        pixels = [images[n] for n in which]
        chosen = [all_four[n] for n in which]
        return list(augmented_copies(chosen, pixels.__getitem__, [0.5] * len(which), number, seed))

    first = copies([0, 1, 2, 3])
    assert all(torch.equal(a, b) for a, b in zip(first[::-1], copies([3, 2, 1, 0]), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, copies([0, 1, 2, 3], 1), strict=True))
    assert not any(
        torch.equal(a, b) for a, b in zip(first, copies([0, 1, 2, 3], 0, 1), strict=True)
    )


def test_items_are_made_by_one_thread_and_used_by_as_many_as_before():
    before = torch.get_num_threads()
    inside = []

    def items():
        for _ in range(2):
            inside.append(torch.get_num_threads())
            yield torch.zeros(1)

    for _ in one_thread(items()):
        assert torch.get_num_threads() == before
    assert inside == [1, 1]
