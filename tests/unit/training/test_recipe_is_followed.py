"""What a training is told is what it does: schedule, optimiser, warm-up, weights of the terms."""

import math

import pytest
import torch

from biasaudit.config import load_settings
from biasaudit.guidance.modes import MODES, active_terms
from biasaudit.training.loop import Silent, train
from biasaudit.training.plan import make_plan

SMALL = [
    "data.options.train=32",
    "data.options.val=16",
    "data.options.group=4",
    "training.batch_size=8",
    "training.labels_per_step=2",
    "training.epochs=2",
]


def planned(mode, *more):
    options = {"training.mode": mode, "data.pixel_labels": 2}
    return make_plan(load_settings(None, [*SMALL, *more], options))


def test_the_rate_falls_by_a_cosine_to_zero(monkeypatch):
    rates, decays = [], set()
    step = torch.optim.AdamW.step

    def noted(self, closure=None):
        group = self.param_groups[0]
        rates.append(group["lr"])
        decays.add(group["weight_decay"])
        return step(self, closure)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    train(
        planned("baseline", "training.learning_rate=3e-3", "training.weight_decay=0.07"), Silent()
    )
    steps = 2 * 32 // 8
    expected = [3e-3 * (1 + math.cos(math.pi * i / steps)) / 2 for i in range(steps)]
    assert rates == pytest.approx(expected, rel=1e-9)
    assert decays == {0.07}


def test_the_weights_of_the_paper():
    # Eq. 6: alpha = 1; Eq. 8: omega = 10 (Li et al., CVPR 2018, section 3)
    assert MODES["gain"].terms == {"classification": {}, "mining": {"weight": 1.0}}
    assert MODES["gain_ext"].terms == {
        "classification": {},
        "mining": {"weight": 1.0},
        "external": {"weight": 10.0},
    }


@pytest.mark.parametrize("mode", ["gain", "gain_ext"])
def test_what_the_paper_leaves_open_is_as_documented(mode):
    options = {active.name: active.options for active in active_terms(planned(mode).settings)}
    mining = options["mining"]
    # docs/guidance.md: sigma and mask scale of the soft threshold, and the table of defaults
    assert (mining.sigma, mining.mask_scale, mining.scaling) == (0.5, 10.0, "max")
    assert (mining.score, mining.batch_norm, mining.fill) == ("sigmoid", "batch", "mean")
    assert (mining.warmup_epochs, mining.second_order) == (1.0, False)
    assert options["classification"].over_classes == "sum"
    assert options["classification"].weight == 1.0


def test_a_term_waits_for_the_end_of_its_warm_up():
    trained = train(planned("gain", "terms.mining.warmup_epochs=1.5"), Silent())
    first, second = (metrics.losses for metrics in trained.metrics)
    assert "mining" not in first
    # two of the second epoch's four steps have the term; the mean counts the others as nothing
    assert 0 < second["mining"] < 1


def test_the_total_is_the_weighted_sum(monkeypatch):
    trained = train(
        planned("gain_ext", "terms.mining.warmup_epochs=0", "terms.external.weight=7"), Silent()
    )
    for metrics in trained.metrics:
        losses = metrics.losses
        assert losses["total"] == pytest.approx(
            losses["classification"] + losses["mining"] + 7 * losses["external"], rel=1e-5
        )
