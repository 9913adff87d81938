"""Cues by hand, and from a trained model's attention."""

import numpy as np
import pytest
import torch

import biasaudit as ba
from biasaudit.data.loading.batches import SampleTensors, collate
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.segmentation.cues import CueRule, class_maps, cue_map, painted
from biasaudit.segmentation.metrics import VOID

YES = torch.tensor([True, True])


def maps(*rows):
    return torch.tensor(rows, dtype=torch.float64)[:, None, :]


def test_pixels_above_the_threshold_and_the_least_attended():
    found = cue_map(maps([1.0, 0.2, 0.21, 0.0, 0.1]), YES[:1], (1, 5), CueRule(0.2, 0.4))
    assert found.tolist() == [[1, VOID, 1, 0, 0]]


def test_the_smaller_region_wins():
    both = maps([1.0, 0.9, 0.8, 0.3, 0.0], [0.0, 0.0, 0.5, 1.0, 0.0])
    found = cue_map(both, YES, (1, 5), CueRule(0.2, 0.0))
    assert found.tolist() == [[1, 1, 2, 2, VOID]]


def test_an_absent_class_gives_no_cue():
    both = maps([1.0, 0.0], [0.0, 1.0])
    found = cue_map(both, torch.tensor([True, False]), (1, 2), CueRule(0.2, 0.0))
    assert found.tolist() == [[1, VOID]]


def test_without_a_present_class_all_is_background():
    found = cue_map(maps([1.0, 0.5]), torch.tensor([False]), (1, 2), CueRule())
    assert found.tolist() == [[0, 0]]


def test_ties_of_the_background_are_background():
    found = cue_map(maps([1.0, 0.0, 0.0, 0.1]), YES[:1], (1, 4), CueRule(0.2, 0.25))
    assert found.tolist() == [[1, 0, 0, VOID]]


def test_a_map_that_is_zero_everywhere_names_no_pixel():
    found = cue_map(maps([0.0, 0.0]), YES[:1], (1, 2), CueRule(0.2, 0.5))
    assert found.tolist() == [[VOID, VOID]]


def test_of_two_equally_small_regions_the_first_wins():
    inside = np.ones((1, 1), bool)
    assert painted({2: inside, 1: inside}, (1, 1)).tolist() == [[1]]


def test_maps_are_up_sampled():
    found = cue_map(maps([1.0, 0.0]), YES[:1], (2, 4), CueRule(0.5, 0.25))
    # bilinear, not corner-aligned: 1, .75, .25, 0
    assert found.tolist() == [[1, 1, VOID, 0]] * 2


def test_maps_of_present_classes_alone_by_the_closed_form():
    data = ba.load_dataset("harbour", options={"train": 8, "val": 4, "group": 2})
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 8, 8), torch.nn.ReLU())
    model = Classifier(body, PooledLinear(5, 4)).eval()
    tensors = SampleTensors(data.subset("train"), data.classes, 64)
    batch = collate([tensors[i] for i in range(8)])
    found = class_maps(model, batch)
    features = model(batch.images).features
    signed = torch.einsum("ck,nkhw->nchw", model.linear_weight, features)
    expected = signed.relu().detach() * batch.labels[:, :, None, None]
    peak = expected.amax(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(found, torch.where(peak > 0, expected / peak, 0.0))
    assert (batch.labels.sum(dim=1) == 0).any() or (batch.labels == 0).any()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_shares_at_their_ends(share):
    found = cue_map(maps([1.0, 0.1, 0.0]), YES[:1], (1, 3), CueRule(0.2, share))
    assert found.tolist() == ([[1, 0, 0]] if share else [[1, VOID, VOID]])
