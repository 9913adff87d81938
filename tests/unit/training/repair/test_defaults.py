"""What a repair does where nothing is said, written down a second time."""

from dataclasses import asdict

import torch

from biasaudit.training import frozen
from biasaudit.training.repair import choose
from biasaudit.training.repair.edits import KINDS, EditRecipe
from biasaudit.training.repair.engine import RepairOptions
from biasaudit.training.repair.refit import Recipe


def test_the_recipes_that_are_compared():
    assert [(one.dose, one.strength) for one in choose.grid()] == [
        (dose, strength) for dose in (0.1, 0.2, 0.3, 0.5) for strength in (6.0, 20.0, 60.0)
    ]
    assert {(r.crops, r.refits, r.smoothing, r.balance) for r in choose.grid()} == {(0, 1, 0, 0)}
    told = choose.grid(refits=3, smoothing=0.1, doses=(0.4,), balances=(0.0, 1.5))
    assert {(r.dose, r.refits, r.smoothing) for r in told} == {(0.4, 3, 0.1)}
    assert [r.balance for r in told] == [0.0] * 3 + [1.5] * 3
    assert choose.KEPT_DOSES == (0.3, 1.0)
    assert choose.BALANCES == (1.0, 1.25, 1.5, 2.0)


def test_the_edits_of_a_labelled_image():
    assert EditRecipe().counts == {
        "pasted": 8, "blurred": 2, "covered": 4, "inpainted": 1, "crops": 0, "windows": 0,
        "alone": 0,
    }  # fmt: skip
    rest = {name: value for name, value in asdict(EditRecipe()).items() if name not in KINDS}
    assert rest == {
        "scale": 1.5, "least_area": 0.06, "shift": 0.15, "margin": 0.03, "edge": 0.012,
        "jitter": 0.2,
    }  # fmt: skip
    assert {name: kind.answer for name, kind in KINDS.items()} == {
        "pasted": True, "blurred": False, "covered": False, "inpainted": False, "crops": True,
        "windows": False, "alone": None,
    }  # fmt: skip
    assert {name for name, kind in KINDS.items() if kind.needs_ground} == {"pasted", "covered"}
    assert {name for name, kind in KINDS.items() if kind.crop} == {"crops", "windows"}


def test_the_options_of_a_repair():
    options = asdict(RepairOptions())
    assert options.pop("edits") == asdict(EditRecipe())
    assert [Recipe(**one) for one in options.pop("recipes")] == choose.grid()
    assert options == {
        "max_val_loss": 0.02, "seed": 0, "folds": 5, "flip": True, "refits": 1,
        "softmax": False, "batch_size": 32, "cache": None, "contexts": (),
        "finder": None,
    }  # fmt: skip


def test_outputs_of_frozen_layers_may_take_a_gibibyte():
    assert frozen.MOST_BYTES == 2**30
    assert torch.is_grad_enabled()
