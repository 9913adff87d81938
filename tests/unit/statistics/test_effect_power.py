"""Power of the stratified effect against the exact test on simulated audits."""

from statistics import NormalDist

import numpy as np
import pytest

from biasaudit.statistics.effect_power import Planned, least_effect, power_effect
from biasaudit.statistics.permutation import exact_p_value


@pytest.mark.parametrize(("n", "gap"), [(16, 0.2), (50, 0.1), (50, 0.2), (120, 0.1)])
def test_the_promise_is_kept(n, gap):
    rng = np.random.default_rng(4)
    shown = []
    for _ in range(600):
        yes = rng.binomial(n, [0.9, 0.9 - gap, 0.1 + gap, 0.1])
        tables = [[(yes[0], n, yes[1], n)], [(yes[2], n, yes[3], n)]]
        shown.append(exact_p_value(tables) <= 0.05)
    promised = power_effect([Planned(n, n, 1), Planned(n, n, 0)], gap)
    assert np.mean(shown) == pytest.approx(promised, abs=0.07)


def test_strata_without_both_contexts_promise_nothing():
    whole = [Planned(40, 40, 1), Planned(40, 40, 0)]
    assert power_effect([*whole, Planned(500, 0, 1)], 0.2) == power_effect(whole, 0.2)
    assert power_effect([Planned(40, 40, 1), Planned(90, 0, 0)], 0.2) == 0.0


def test_the_least_effect_has_the_wanted_power():
    planned = [Planned(30, 60, 1), Planned(50, 20, 0), Planned(10, 10, 0)]
    least = least_effect(planned)
    assert power_effect(planned, least) == pytest.approx(0.8, abs=0.01)
    assert power_effect(planned, least / 2) < 0.5


def test_rates_are_rates():
    with pytest.raises(ValueError, match="rates"):
        power_effect([Planned(9, 9, 1)], 1.2)
    with pytest.raises(ValueError, match="alpha"):
        power_effect([Planned(9, 9, 1)], 0.2, alpha=0.0)


def test_the_weight_of_a_stratum_is_that_of_mantel_and_haenszel():
    assert Planned(2, 3, 1).weight == pytest.approx(6 / 5)
    assert Planned(1, 1, 0).weight == 0.5
    assert (Planned(0, 7, 1).weight, Planned(7, 0, 1).weight, Planned(0, 0, 1).weight) == (0, 0, 0)


def test_power_by_hand():
    """One stratum an answer: z for the hypothesis from pooled rates, z for the truth from both."""
    planned = [Planned(20, 30, 1), Planned(24, 40, 0, accuracy=0.85)]
    found = power_effect(planned, 0.3, sensitivity=0.9, specificity=0.7, alpha=0.1)
    # yes: 20 with the context at .9, 30 without at .6; no: 40 without at .85, 24 with at .55
    under = sum(
        p * (1 - p) * (1 / a + 1 / b) / 4
        for p, a, b in (((18 + 18) / 50, 20, 30), ((34 + 13.2) / 64, 40, 24))
    )
    true = (0.9 * 0.1 / 20 + 0.6 * 0.4 / 30 + 0.85 * 0.15 / 40 + 0.55 * 0.45 / 24) / 4
    half_step = 1 / (4 * (24 * 40 / 64))  # the heavier answer has 15 of weight, the other 12
    z = (0.3 - half_step - NormalDist().inv_cdf(0.95) * under**0.5) / true**0.5
    assert found == pytest.approx(NormalDist().cdf(z), abs=1e-9)
    # strata of one answer share its half by their weights: one cut in two halves is nearly one
    cut = [Planned(10, 15, 1)] * 2 + planned[1:]
    assert power_effect(cut, 0.3, 0.9, 0.7, 0.1) == pytest.approx(found, abs=1e-9)


def test_where_nothing_varies_the_effect_is_seen_or_not():
    sure = [Planned(50, 50, 1), Planned(50, 50, 0)]
    assert power_effect(sure, 1.0, sensitivity=1.0, specificity=1.0) == 1.0
    few = [Planned(1, 1, 1), Planned(1, 1, 0)]
    assert power_effect(few, 1.0, sensitivity=1.0, specificity=1.0) == 0.0
