"""Pairs, flips and erasures of a classifier that answers by a rule, on scenes made by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from biasaudit.analysis.faithfulness import faithfulness_of
from biasaudit.analysis.flip_rates import flips_of
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import RunError
from biasaudit.evaluation import faithfulness
from biasaudit.evaluation.all_pairs import audit_pairs
from biasaudit.evaluation.classes import images_of, scores_of
from biasaudit.evaluation.faithfulness import Eraser
from biasaudit.evaluation.predict import Extras, Subject, context_shown, one_pass
from biasaudit.models.classifier import Classifier, PooledLinear

SIDE = 32


def scene(number, labels, contexts, *, subset="val"):
    """Red boats in the upper left quarter, blue water in the lower half, black elsewhere."""
    boat, water = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    boat[: SIDE // 2, : SIDE // 2] = "boat" in labels
    water[SIDE // 2 :] = "water" in contexts
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[boat, 0] = 255
    image[water, 2] = 255
    regions = {}
    if boat.any():
        regions["boat"] = Region("mask", lambda: boat)
    if water.any():
        regions["water"] = Region("mask", lambda: water)
    return Sample(
        f"{subset}-{number}", frozenset(labels), frozenset(contexts), lambda: image, regions
    )


def classifier(red, blue):
    """A score for boats: the image's mean red and blue, weighted, less a constant."""
    body = nn.Conv2d(3, 3, 1, bias=False)
    body.weight.data = torch.eye(3)[:, :, None, None]
    head = PooledLinear(3, 2)
    head.linear.weight.data = torch.tensor([[red, 0.0, blue], [0.0, 1.0, 0.0]])
    head.linear.bias.data = torch.tensor([-2.0, -0.1])
    model = Classifier(body, head, (0.0,) * 3, (1.0,) * 3).eval()
    return Subject(model, ("boat", "car"), SIDE, torch.device("cpu"), batch_size=3)


def erased(subject, context, samples):
    """What erasing does to these images, in one pass over them."""
    eraser = Eraser(subject, "boat", context, samples)
    extras = Extras(erasing=eraser)
    return one_pass(subject, "boat", samples, context=context, extras=extras).erased


AFLOAT = [scene(i, {"boat"}, {"water"}) for i in range(8)]


def test_a_decision_by_the_boat():
    """The score is 16 · 1/4 - 2 with the boat and -2 without it."""
    table = erased(classifier(16.0, 0.0), "water", AFLOAT)
    found = faithfulness_of(table)
    with_it, without = (1 / (1 + np.exp(-score)) for score in (2.0, -2.0))
    assert found.n == found.n_regions == 8
    assert found.fall_context == pytest.approx(0.0, abs=0.2)
    # What is erased takes the image's mean colour, a quarter as red: 16 · 1/16 - 2 = -1.
    left = 1 / (1 + np.exp(1.0))
    assert found.fall_region == pytest.approx(with_it - left, abs=1e-5)
    assert found.fall_attention == pytest.approx(with_it - left, abs=1e-5)
    assert found.fall_random < found.fall_attention
    assert found.decides is True
    assert len(found.deletion_curve) == 11
    assert found.deletion_curve[0] == pytest.approx(with_it, abs=1e-5)
    assert without < found.deletion_area < found.insertion_area
    assert table["id"].tolist() == [sample.id for sample in AFLOAT]
    # The attention is the boat: a quarter of the image.
    assert table["marked"].tolist() == pytest.approx([0.25] * 8, abs=0.03)
    assert table["probability"].tolist() == pytest.approx([with_it] * 8)


def test_without_an_image_of_the_object_there_is_nothing_to_erase():
    assert erased(classifier(1, 1), None, [scene(0, (), {"water"})]) is None


def test_erasures_hang_on_no_batch_and_on_no_image_without_the_object():
    mixed = [scene(i, {"boat"} if i % 3 else (), {"water"}) for i in range(12)]
    subject = classifier(16.0, 1.0)
    whole = erased(replace(subject, batch_size=12), "water", mixed)
    assert whole["id"].tolist() == [f"val-{i}" for i in range(12) if i % 3]
    for size in (1, 5):
        parts = erased(replace(subject, batch_size=size), "water", mixed)
        pd.testing.assert_frame_equal(parts, whole, rtol=1e-6)
    # eight images alike: what differs is the pixels that were drawn for each
    assert whole["without_random"].nunique() == len(whole)


def test_the_first_images_alone_are_erased_and_loaded_once(monkeypatch):
    monkeypatch.setattr(faithfulness, "MOST_IMAGES", 5)
    loaded = []

    def counted(sample):
        return replace(sample, load_image=lambda: loaded.append(sample.id) or sample.load_image())

    samples = [counted(sample) for sample in AFLOAT]
    found = erased(classifier(16.0, 0.0), "water", samples)
    assert found["id"].tolist() == [sample.id for sample in AFLOAT[:5]]
    assert loaded == [sample.id for sample in AFLOAT]


def test_a_map_of_zeros_cannot_be_erased():
    found = faithfulness_of(erased(classifier(-1.0, -1.0), "water", AFLOAT))
    assert found.n == 0
    assert found.fall_attention is None
    assert found.excess_ci is None
    assert found.decides is False


def test_attention_on_the_context():
    """By red and blue alike: a quarter of the image is boat, half is water."""
    table = one_pass(classifier(3.0, 3.0), "boat", AFLOAT, context="water").table
    assert table["energy_pointing_game"].tolist() == pytest.approx([1 / 3] * 8)
    assert table["context_energy"].tolist() == pytest.approx([2 / 3] * 8)
    assert table["context_area"].tolist() == [0.5] * 8
    assert table["context"].tolist() == [1.0] * 8
    none = one_pass(classifier(3.0, 3.0), "boat", AFLOAT).table
    assert none[["context", "context_energy", "context_area"]].isna().all(axis=None)


def test_a_score_that_is_no_number_is_refused():
    """As a "no", it would be right on every image without a boat."""
    with pytest.raises(RunError, match="'boat' for image 'val-0' is not a finite number"):
        one_pass(classifier(float("nan"), 0.0), "boat", AFLOAT)


def test_maps_are_kept_where_asked():
    kept = one_pass(classifier(3.0, 3.0), "boat", AFLOAT, extras=Extras(maps=True)).maps
    assert kept.shape == (8, SIDE, SIDE)
    assert kept[0, 0, 0] == pytest.approx(3 / SIDE**2)
    assert one_pass(classifier(3.0, 3.0), "boat", AFLOAT).maps is None


def test_what_is_known_of_the_context():
    assert context_shown(scene(0, {"boat"}, {"water"}), "water", ()) == 1
    assert context_shown(scene(0, {"boat"}, {"grass"}), "water", ()) == 0
    assert np.isnan(context_shown(scene(0, {"boat"}, ()), "water", ()))
    assert context_shown(scene(0, {"boat"}, ()), "car", ("boat", "car")) == 0
    assert context_shown(scene(0, {"car"}, ()), "car", ("boat", "car")) == 1


def test_pairs():
    scenes = [
        *(scene(i, {"boat"}, {"grass"}) for i in range(8)),
        *(scene(i, (), {"water"}) for i in range(8, 18)),
        *(scene(i, {"car"}, {"water"}) for i in range(18, 20)),
    ]
    dataset = Dataset(
        "d", ("boat", "car", "cow"), ("water", "grass"), {"train": AFLOAT, "val": scenes}
    )
    subject = classifier(16.0, 16.0)
    scores = scores_of(subject, images_of(dataset))
    table, small = audit_pairs(subject, dataset, ("boat", "grass"), scores)
    assert set(table["split"]) == {"boat/water"}
    # Of the model's classes: car/water has 0 and 10 images, car/grass 2 and 8.
    assert small == 2
    groups = table.groupby("group")["correct"].agg(["size", "sum"])
    assert groups.loc["boat-without-water"].tolist() == [8, 8]
    assert groups.loc["water-without-boat"].tolist() == [12, 0]


def test_flips():
    originals = pd.DataFrame({"id": list("abcd"), "decision": [1, 1, 1, 0]})
    edited = pd.DataFrame(
        {
            "group": ["removed"] * 4 + ["other"],
            "pair": ["a", "b", "d", "z", ""],
            "decision": [0, 1, 1, 1, 1],
        }
    )
    found = flips_of(edited, originals)
    assert set(found) == {"removed"}
    assert found["removed"].yes_to_no.turned == 1
    assert found["removed"].yes_to_no.n == 2
    assert found["removed"].yes_to_no.rate == 0.5
    assert found["removed"].no_to_yes.turned == found["removed"].no_to_yes.n == 1
    assert found["removed"].without == 1
