"""Power of the stratified effect against the exact test on simulated audits."""

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
