"""SEC's losses by hand-computed values, and their gradients by finite differences."""

from math import log

import pytest
import torch

from biasaudit.segmentation.losses import (
    constrain_loss,
    decay_at,
    expand_loss,
    floored_softmax,
    ranked_mean,
    seed_loss,
)

# one image of 1x2 pixels: background, and two classes
PIXELS = torch.tensor([[[[0.5, 0.2]], [[0.3, 0.7]], [[0.2, 0.1]]]], dtype=torch.float64)


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_floor_by_hand():
    logits = torch.tensor([[[[0.0]], [[0.0]], [[-1e9]]]], dtype=torch.float64)
    found = floored_softmax(logits)[0, :, 0, 0]
    expected = torch.tensor([0.5001, 0.5001, 0.0001], dtype=torch.float64) / 1.0003
    torch.testing.assert_close(found, expected)


def test_seed_by_hand():
    cues = torch.zeros(1, 3, 1, 2, dtype=torch.float64)
    cues[0, 0, 0, 0] = 1  # the left pixel is background: p = .5
    cues[0, 1, 0, 1] = 1  # the right one is class 1: p = .7
    assert seed_loss(PIXELS, cues).item() == pytest.approx(-(log(0.5) + log(0.7)) / 2)


def test_seed_is_a_mean_over_images_not_over_cues():
    cues = torch.zeros(2, 3, 1, 2, dtype=torch.float64)
    cues[0, 0, 0, 0] = 1
    cues[1, 1] = 1  # both pixels
    both = seed_loss(PIXELS.expand(2, -1, -1, -1), cues).item()
    assert both == pytest.approx(-(log(0.5) + (log(0.3) + log(0.7)) / 2) / 2)


def test_an_image_without_cues_adds_nothing():
    assert seed_loss(PIXELS, torch.zeros_like(PIXELS)).item() == 0


@pytest.mark.parametrize(
    ("decay", "expected"), [(0.0, 0.7), (1.0, 0.5), (0.5, (0.7 + 0.5 * 0.3) / 1.5)]
)
def test_ranked_mean_by_hand(decay, expected):
    scores = torch.tensor([0.3, 0.7], dtype=torch.float64)
    assert ranked_mean(scores, decay).item() == pytest.approx(expected)


def test_decay_keeps_its_share_on_smaller_maps():
    """The weight of the last rank is the same, whatever the number of pixels."""
    assert decay_at(0.996, 41 * 41) == 0.996
    assert decay_at(0.996, 256) ** 256 == pytest.approx(0.996**1681)


def test_expand_by_hand():
    labels = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    present = (0.7 + 0.5 * 0.3) / 1.5  # class 1, decay .5
    background = (0.5 + 0.25 * 0.2) / 1.25  # decay .25
    expected = -log(present) - log(1 - 0.2) - log(background)
    assert expand_loss(PIXELS, labels, 0.5, 0.25).item() == pytest.approx(expected)


def test_expand_averages_over_present_and_absent_classes():
    probabilities = torch.full((1, 5, 1, 1), 0.2, dtype=torch.float64)
    labels = torch.tensor([[1.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    expected = -log(0.2) - log(0.8) - log(0.2)
    assert expand_loss(probabilities, labels).item() == pytest.approx(expected)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_expand_without_present_or_absent_classes(label):
    labels = torch.full((1, 2), label, dtype=torch.float64)
    found = expand_loss(PIXELS, labels, 0.0, 0.0).item()
    classes = -(log(0.7) + log(0.2)) / 2 if label else -(log(1 - 0.7) + log(1 - 0.2)) / 2
    assert found == pytest.approx(classes - log(0.5))


def test_expand_stays_finite_where_an_absent_class_is_certain():
    probabilities = torch.tensor([1e-9, 1.0, 1e-9]).view(1, 3, 1, 1)
    assert bool(expand_loss(probabilities, torch.tensor([[0.0, 1.0]])).isfinite())


def test_constrain_by_hand():
    refined = torch.tensor([0.9, 0.1, 0.0], dtype=torch.float64).view(1, 3, 1, 1)
    own = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).view(1, 3, 1, 1)
    expected = 0.9 * log(0.9 / 0.5) + 0.1 * log(0.1 / 0.3)
    assert constrain_loss(own, refined).item() == pytest.approx(expected)


def test_constrain_is_a_mean_over_pixels():
    refined = PIXELS.flip(1)
    wide = constrain_loss(PIXELS.repeat(3, 1, 4, 5), refined.repeat(3, 1, 4, 5))
    assert wide.item() == pytest.approx(constrain_loss(PIXELS, refined).item())


def test_no_gradient_flows_into_what_the_crf_gave():
    refined = PIXELS.flip(1).clone().requires_grad_()
    own = PIXELS.clone().requires_grad_()
    constrain_loss(own, refined).backward()
    assert refined.grad is None
    torch.testing.assert_close(own.grad, -PIXELS.flip(1) / PIXELS / 2)


def test_gradients_are_those_of_finite_differences():
    logits = drawn(2, 3, 4, 4).requires_grad_()
    cues = (drawn(2, 3, 4, 4, seed=1) > 1).double()
    labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    refined = drawn(2, 3, 4, 4, seed=2).softmax(dim=1)
    losses = (
        lambda p: seed_loss(p, cues),
        lambda p: expand_loss(p, labels, 0.9, 0.95),
        lambda p: constrain_loss(p, refined),
    )
    for loss in losses:
        assert torch.autograd.gradcheck(lambda x, f=loss: f(floored_softmax(x)), logits)
