"""Edits: independent of order, of their own fold, with the answer that they show."""

import numpy as np
import pytest
import torch

from biasaudit.data.sample import Sample
from biasaudit.training.repair.edits import KINDS, EditRecipe, assign_folds, make_edits

SIDE = 64
BOAT, WATER, LAND = (220, 30, 30), (30, 60, 220), (40, 160, 40)


def sample(name, there, source="a"):
    labels = frozenset(["boat"] if there else ["cow"])
    return Sample(
        name, labels, frozenset(), lambda: np.zeros((SIDE, SIDE, 3), np.uint8), {}, source
    )


def scene(there, colour):
    image = torch.tensor(colour, dtype=torch.uint8)[:, None, None].repeat(1, SIDE, SIDE)
    region = torch.zeros(SIDE, SIDE)
    region[34:56, 36:60] = 1
    if there:
        image[:, region > 0] = torch.tensor(BOAT, dtype=torch.uint8)[:, None]
    return image, region


SAMPLES = [sample(f"wet-{n}", True) for n in range(3)] + [
    sample(f"dry-{n}", False) for n in range(4)
]
SCENES = [scene(n < 3, WATER if n < 3 else LAND) for n in range(7)]


def edits(order=range(7), recipe=None, seed=3, labelled=(0, 1, 2), answers=None):
    samples = [SAMPLES[i] for i in order]
    places = {samples[n].id: n for n in range(len(samples))}
    rows = [places[SAMPLES[i].id] for i in labelled]
    grounds = {row: [places[f"dry-{n}"] for n in range(4)] for row in rows}
    scenes = [SCENES[i] for i in order]
    made = make_edits(
        samples,
        lambda i: scenes[i][0],
        {row: scenes[row][1] for row in rows},
        grounds,
        recipe or EditRecipe(jitter=0, crops=2, windows=2, alone=2),
        seed,
        answers,
    )
    return [(samples[edit.source].id, edit) for edit in made]


def red(image):
    """Share of the pixels that are the boat's."""
    colour = torch.tensor(BOAT)[:, None, None]
    return float(((image.int() - colour).abs().amax(dim=0) < 40).float().mean())


def test_neither_order_nor_what_else_is_labelled_changes_an_edit():
    one = {(id, e.kind, n): e.image for n, (id, e) in enumerate(numbered(edits()))}
    other = numbered(edits((6, 2, 4, 0, 1, 5, 3), labelled=(2, 0)))
    for n, (id, edit) in enumerate(other):
        assert any(
            key[:2] == (id, edit.kind) and torch.equal(image, edit.image)
            for key, image in one.items()
        ), n
    different = numbered(edits(seed=4))
    same = [
        torch.equal(a[1].image, b[1].image)
        for a, b in zip(numbered(edits()), different, strict=True)
    ]
    assert not all(same)


def numbered(made):
    return sorted(made, key=lambda pair: pair[0])


def test_answers_are_what_the_pixels_show():
    made = edits()
    assert {edit.kind for _, edit in made} == set(KINDS)
    for _, edit in made:
        assert edit.image.shape == (3, SIDE, SIDE)
        assert edit.image.dtype == torch.uint8
        if edit.answer:
            assert red(edit.image) > 0.04, edit.kind
        else:
            assert red(edit.image) < 0.005, edit.kind


def test_a_pasted_object_stands_on_its_ground():
    for _, edit in edits():
        if edit.kind == "pasted":
            green = (edit.image.int() - torch.tensor(LAND)[:, None, None]).abs().amax(dim=0) < 3
            assert edit.ground >= 3
            assert float(green.float().mean()) > 0.3
        if edit.kind in ("blurred", "inpainted"):
            assert edit.ground == -1


def test_counts_are_the_recipes():
    recipe = EditRecipe(pasted=3, blurred=1, covered=2, inpainted=0, crops=1, windows=1)
    kinds = [edit.kind for _, edit in edits(recipe=recipe)]
    assert {kind: kinds.count(kind) / 3 for kind in set(kinds)} == {
        "pasted": 3, "blurred": 1, "covered": 2, "crops": 1, "windows": 1,
    }  # fmt: skip


def test_without_a_ground_the_object_is_only_taken_out():
    region = SCENES[0][1]
    made = make_edits(
        SAMPLES[:1],
        lambda i: SCENES[0][0],
        {0: region},
        {},
        EditRecipe(crops=1, windows=1, alone=1),
        0,
    )
    assert {edit.kind for edit in made} == set(KINDS) - {"pasted", "covered"}


@pytest.mark.parametrize("count", [2, 5])
def test_folds_share_out_each_answer_and_source(count):
    samples = [sample(f"{n}", n % 3 == 0, "ab"[n % 2]) for n in range(60)]
    folds = assign_folds(samples, "boat", count, 1)
    for there in (True, False):
        for source in "ab":
            rows = [
                n
                for n, s in enumerate(samples)
                if ("boat" in s.labels) == there and s.source == source
            ]
            sizes = np.bincount(folds[rows], minlength=count)
            assert sizes.max() - sizes.min() <= 1
    order = np.random.default_rng(0).permutation(60)
    moved = assign_folds([samples[i] for i in order], "boat", count, 1)
    assert (moved == folds[order]).all()


def test_alone_keeps_the_region_and_erases_the_rest():
    recipe = EditRecipe(0, 0, 0, 0, alone=1, edge=0)
    ((_, edit),) = edits(recipe=recipe, labelled=(0,))
    mirrored = bool((edit.image[:, 45, 10] == torch.tensor(BOAT)).all())
    image = edit.image.flip(-1) if mirrored else edit.image
    # 255 times the mean of ImageNet, and a rim of one px (.01 of 64) around the region
    expected = torch.tensor([124, 116, 104])[:, None, None].repeat(1, SIDE, SIDE)
    expected[:, 33:57, 35:61] = torch.tensor(WATER)[:, None, None]
    expected[:, 34:56, 36:60] = torch.tensor(BOAT)[:, None, None]
    assert torch.equal(image.int(), expected.int())


def test_a_region_of_an_image_without_the_object_keeps_its_answer():
    answers = [True, True, True, False, False, False, False]
    recipe = EditRecipe(alone=2, crops=1)
    made = edits(recipe=recipe, labelled=(0, 3), answers=answers)
    dry = [(edit.kind, edit.answer) for id, edit in made if id == "dry-0"]
    assert dry == [("alone", False)] * 2
    wet = {edit.kind: edit.answer for id, edit in made if id == "wet-0"}
    assert wet == {
        "pasted": True, "blurred": False, "covered": False, "inpainted": False,
        "crops": True, "alone": True,
    }  # fmt: skip
