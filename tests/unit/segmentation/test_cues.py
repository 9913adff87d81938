"""Cues by hand, and from a trained model's attention."""

import numpy as np
import pytest
import torch

import biasaudit as ba
from biasaudit.data.loading.batches import SampleTensors, collate
from biasaudit.data.sample import Region, Sample
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.segmentation.cues import (
    CueRule,
    Known,
    cells_of,
    class_maps,
    cue_map,
    drawn_cues,
    painted,
    with_regions,
)
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


def row(*values):
    return np.array([values], dtype=np.uint8)


def inside(*values, all_of_it=True):
    return Known(np.array([values], dtype=bool), all_of_it)


def test_a_region_stands_in_place_of_attention_and_all_else_is_ground():
    found = with_regions(row(1, 1, VOID, 0, VOID), {1: inside(0, 1, 1, 1, 0)}, {1})
    assert found.tolist() == [[0, 1, 1, 1, 0]]


def test_beside_a_class_without_a_region_nothing_is_known_but_where_the_known_one_is_not():
    cues = row(1, 1, 2, 2, 0, VOID)
    found = with_regions(cues, {1: inside(0, 1, 1, 0, 0, 0)}, {1, 2})
    assert found.tolist() == [[VOID, 1, 1, 2, 0, VOID]]


def test_a_box_bounds_its_class_and_holds_ground_too():
    cues = row(1, 1, VOID, VOID)
    found = with_regions(cues, {1: inside(0, 1, 1, 0, all_of_it=False)}, {1})
    assert found.tolist() == [[0, 1, VOID, 0]]


def test_of_two_regions_the_smaller_has_the_pixel():
    found = with_regions(
        row(VOID, VOID, VOID, VOID), {1: inside(1, 1, 1, 0), 2: inside(0, 0, 1, 0)}, {1, 2}
    )
    assert found.tolist() == [[1, 1, 2, 0]]


def test_the_cues_given_stay_as_they_are():
    cues = row(1, VOID)
    with_regions(cues, {1: inside(0, 1)}, {1})
    assert cues.tolist() == [[1, VOID]]


def test_cells_are_filled_by_more_than_half():
    mask = np.zeros((4, 8), dtype=bool)
    mask[:, :3], mask[0, 4:8] = True, True
    # shares of the 2×2-cells: 1, .5, .5, .5 above; 1, .5, 0, 0 below
    assert cells_of(mask, (2, 4)).tolist() == [[True, False, False, False]] * 2


def test_a_region_smaller_than_a_cell_keeps_the_cell_that_it_fills_most():
    mask = np.zeros((4, 4), dtype=bool)
    mask[1, 1], mask[0, 3] = True, False
    assert cells_of(mask, (2, 2)).tolist() == [[True, False], [False, False]]
    assert not cells_of(np.zeros((4, 4), dtype=bool), (2, 2)).any()


def test_cues_of_a_sample_by_the_forms_of_its_regions():
    masks = {name: np.zeros((4, 8), dtype=bool) for name in ("boat", "car")}
    masks["boat"][:, 2:4] = masks["car"][:2, 4:] = True
    edge = np.zeros((4, 8), dtype=bool)
    edge[:, :2] = True
    sample = Sample(
        "0",
        frozenset(masks),
        frozenset(),
        lambda: np.zeros((4, 8, 3), dtype=np.uint8),
        {name: Region("mask", lambda mask=mask: mask) for name, mask in masks.items()},
        void=Region("mask", lambda: edge),
    )
    cues = np.full((2, 4), VOID, dtype=np.uint8)
    both = drawn_cues(cues, sample, {"boat": "mask", "car": "box"}, ("car", "boat"))
    assert both.tolist() == [[VOID, 2, VOID, VOID], [VOID, 2, 0, 0]]
    one = drawn_cues(cues, sample, {"boat": "mask"}, ("car", "boat"))
    assert one.tolist() == [[VOID, 2, VOID, VOID], [VOID, 2, VOID, VOID]]
    # a class that the model does not know is no class of the map
    alone = drawn_cues(cues, sample, {"boat": "mask"}, ("boat",))
    assert alone.tolist() == [[VOID, 1, 0, 0], [VOID, 1, 0, 0]]
