"""How seams, colours and windows of edits are drawn."""

import pytest
import torch

from biasaudit.errors import RunError
from biasaudit.training.repair.edits import EditRecipe, _Draw, _jittered, _window
from biasaudit.training.repair.record import read_external_repair
from biasaudit.training.run_directory import REPAIR, WEIGHTS

SIDE = 64


def draws(count, image=None, region=None, **recipe):
    """Draws of one image, each by a generator of its own."""
    image = torch.full((1, 3, SIDE, SIDE), 0.4) if image is None else image
    region = torch.zeros(1, SIDE, SIDE) if region is None else region
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        yield _Draw(image, region, None, number, EditRecipe(**recipe), generator)


def test_seams_are_drawn_from_none_to_the_widest():
    # of a side of 64 px, .05 is 3.2 px; below .3 px a seam is hard
    seams = torch.tensor([draw.seam() for draw in draws(400, edge=0.05)])
    assert float(seams.max()) == pytest.approx(3.2, rel=0.05)
    hard = seams == 0
    assert float(seams[~hard].min()) == pytest.approx(0.3, abs=0.05)
    assert float(hard.float().mean()) == pytest.approx(0.3 / 3.2, abs=0.05)
    assert float(seams.mean()) == pytest.approx(1.6, rel=0.15)
    assert {draw.seam() for draw in draws(9, edge=0.0)} == {0.0}
    wide = torch.zeros(1, 3, SIDE, 2 * SIDE)
    assert max(draw.seam() for draw in draws(50, wide, edge=0.05)) > 3.2  # of the width


def test_brightness_and_colour_change_to_both_sides():
    factors = torch.stack(
        [_jittered(draw.image, draw)[0, :, 0, 0] / 0.4 - 1 for draw in draws(400, jitter=0.2)]
    )
    # brightness within 1.5 * .1 and each colour within .1 of it, to either side
    assert 0.2 < float(factors.max()) < 0.25
    assert -0.25 < float(factors.min()) < -0.2
    assert float(factors.mean(dim=1).mean()) == pytest.approx(0.0, abs=0.02)
    between = factors.amax(dim=1) - factors.amin(dim=1)
    assert 0.15 < float(between.max()) < 0.2
    for draw in draws(5, jitter=0.0):
        assert torch.equal(_jittered(draw.image, draw), draw.image)
    bright = torch.ones(1, 3, SIDE, SIDE)
    assert all(float(_jittered(one.image, one).max()) <= 1 for one in draws(20, bright, jitter=1))


def test_windows_lie_anywhere_beside_the_object():
    """Position coded as colour: red grows to the right, green downwards."""
    axis = torch.arange(SIDE).float() / (SIDE - 1)
    image = torch.stack([axis.expand(SIDE, SIDE), axis[:, None].expand(SIDE, SIDE)])
    image = torch.cat([image, torch.zeros(1, SIDE, SIDE)])[None]
    lefts, rights, widths = [], [], []
    for draw in draws(200, image):
        part = _window(draw)[0]
        for code in (part[0].mean(dim=0), part[1].mean(dim=1)):
            low, high = float(code.min()), float(code.max())
            lefts.append(low)
            rights.append(high)
            widths.append(high - low)
    assert min(lefts) < 0.03
    assert max(rights) > 0.97
    assert 0.3 < min(widths) < 0.42
    assert 0.66 < max(widths) < 0.78
    narrow = [high for high, width in zip(rights, widths, strict=True) if width < 0.45]
    assert max(narrow) > 0.95  # small ones reach the far side, too
    region = torch.zeros(1, SIDE, SIDE)
    region[0, :, 32:] = 1  # the right half: a window is to its left, if any is
    found = [_window(draw) for draw in draws(40, image, region, margin=0.0)]
    assert sum(one is not None for one in found) > 20
    assert max(float(one[0, 0].max()) for one in found if one is not None) < 0.51
    everywhere = torch.ones(1, SIDE, SIDE)
    assert {_window(draw) for draw in draws(3, image, everywhere)} == {None}


def test_a_repaired_external_model_is_known_by_the_record_beside_its_weights(tmp_path):
    assert read_external_repair(tmp_path / WEIGHTS) is None
    (tmp_path / REPAIR).write_text("[]")
    assert read_external_repair(tmp_path / "other.safetensors") is None
    with pytest.raises(RunError, match="repair"):
        read_external_repair(tmp_path / WEIGHTS)
