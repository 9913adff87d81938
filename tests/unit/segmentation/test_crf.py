"""The dense CRF against sums written out pair by pair in float64."""

import numpy as np
import pytest
import torch

from biasaudit.segmentation.crf import Crf, mean_field
from biasaudit.segmentation.low_rank import LowRankKernel, farthest_points, pairwise


def picture(size, seed=0, classes=4):
    """Return log-probabilities and an image of a few flat patches with noise."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(0, 255, (4, 4, 3)).repeat(size // 4, 0).repeat(size // 4, 1)
    image = np.clip(patches + rng.normal(0, 6, patches.shape), 0, 255)
    logits = torch.from_numpy(rng.normal(0, 1, (1, classes, size // 4, size // 4)))
    wide = torch.nn.functional.interpolate(logits, size=(size, size), mode="bilinear")
    return wide.log_softmax(dim=1), torch.from_numpy(image).permute(2, 0, 1)[None]


def dense(log_probabilities, image, crf):
    """Return the mean field of one image: every pair, in NumPy and float64."""
    _, classes, height, width = log_probabilities.shape
    unary = log_probabilities[0].reshape(classes, -1).double().numpy().T
    colours = image[0].reshape(3, -1).double().numpy().T
    y, x = np.divmod(np.arange(height * width), width)
    apart = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    colour = ((colours[:, None, :] - colours[None]) ** 2).sum(axis=2)
    place = np.exp(-apart / (2 * crf.gaussian_xy**2))
    both = np.exp(-apart / (2 * crf.bilateral_xy**2) - colour / (2 * crf.bilateral_rgb**2))
    total = np.zeros_like(place)
    for weight, kernel in ((crf.gaussian_weight, place), (crf.bilateral_weight, both)):
        rows = np.sqrt(kernel.sum(axis=1))
        total += weight * kernel / rows[:, None] / rows[None]
    energy = unary
    for _ in range(crf.iterations + 1):
        marginals = np.exp(energy - energy.max(axis=1, keepdims=True))
        marginals /= marginals.sum(axis=1, keepdims=True)
        energy = unary + total @ marginals
    return torch.from_numpy(marginals.T.reshape(1, classes, height, width))


@pytest.mark.parametrize("crf", [Crf(), Crf().at_scale(12)], ids=["whole", "training scale"])
@pytest.mark.parametrize("seed", range(3))
def test_small_images_are_summed_exactly(crf, seed):
    log_probabilities, image = picture(16, seed)
    found = mean_field(log_probabilities.float(), image.float(), crf)
    assert (found - dense(log_probabilities, image, crf)).abs().max() < 1e-4


@pytest.mark.parametrize("crf", [Crf(exact_pixels=0), Crf(exact_pixels=0).at_scale(12)])
@pytest.mark.parametrize("seed", range(3))
def test_low_rank_is_as_good_where_landmarks_cover_the_image(crf, seed):
    log_probabilities, image = picture(16, seed)
    found = mean_field(log_probabilities, image, crf)
    assert (found - dense(log_probabilities, image, crf)).abs().max() < 1e-4


def test_low_rank_on_a_larger_image():
    crf = Crf(bilateral_xy=16, exact_pixels=0, landmarks=250)
    log_probabilities, image = picture(48)
    found = mean_field(log_probabilities.float(), image.float(), crf)
    exact = dense(log_probabilities, image, crf)
    assert (found - exact).abs().mean() < 0.005
    assert (found.argmax(dim=1) == exact.argmax(dim=1)).float().mean() > 0.99


def test_images_of_a_batch_do_not_see_each_other():
    parts = [picture(12, seed) for seed in (3, 4)]
    together = mean_field(*(torch.cat(both) for both in zip(*parts, strict=True)))
    alone = torch.cat([mean_field(*part) for part in parts])
    torch.testing.assert_close(together, alone)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_without_iterations_the_probabilities_stay():
    log_probabilities, image = picture(8)
    found = mean_field(log_probabilities, image, Crf(iterations=0))
    torch.testing.assert_close(found, log_probabilities.exp())


def test_edges_of_the_image_stop_the_smoothing():
    """Two halves of different colour; a few wrong pixels in each are outvoted by their half."""
    image = torch.zeros(1, 3, 12, 12)
    image[..., 6:] = 200.0
    said = torch.zeros(12, 12, dtype=torch.long)
    said[:, 6:] = 1
    truth = said.clone()
    said[3, 2], said[8, 9], said[5, 5] = 1, 0, 1
    log_probabilities = torch.where(torch.nn.functional.one_hot(said, 2).bool(), 0.7, 0.3).log()
    found = mean_field(log_probabilities.permute(2, 0, 1)[None], image, Crf(bilateral_xy=8))
    assert torch.equal(found.argmax(dim=1)[0], truth)


def test_scale_divides_places_alone():
    crf = Crf().at_scale(12)
    assert (crf.bilateral_xy, crf.gaussian_xy) == (80 / 12, 0.25)
    assert (crf.bilateral_rgb, crf.bilateral_weight, crf.gaussian_weight) == (13, 10, 3)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="images are"):
        mean_field(torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 5))


def test_low_rank_kernel_is_the_kernel_where_every_point_is_a_landmark():
    points = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (60, 5)))
    values = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (60, 3)))
    exact = pairwise(points[None])[0] @ values
    assert (LowRankKernel(points, 60)(values) - exact).abs().max() < 1e-3


def test_a_point_far_from_all_landmarks_keeps_its_own_value():
    points = torch.tensor([[0.0], [100.0], [0.1], [0.05]], dtype=torch.float64)
    values = torch.tensor([[1.0], [2.0], [4.0], [8.0]], dtype=torch.float64)
    found = LowRankKernel(points, 1)(values)
    assert found[1].item() == pytest.approx(2.0)


def test_farthest_points_by_hand():
    points = torch.tensor([[0.0], [1.0], [10.0], [4.0], [10.0]])
    assert farthest_points(points, 3).tolist() == [0, 2, 3]
    assert farthest_points(points, 9).tolist() == [0, 2, 3, 1]  # the last one is covered
