"""What may not change a statistic, and what must turn its sign."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from biasaudit.analysis.verdict import judge
from biasaudit.statistics import (
    Paired,
    auroc,
    auroc_interval,
    gap_interval,
    mcnemar,
    mean_of_rates_interval,
    paired_interval,
    wilson_interval,
)

scores = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=12)
groups = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
pairs = st.builds(Paired, *[st.integers(0, 30)] * 4)


@given(positive=scores, negative=scores)
def test_auroc_knows_only_the_order(positive, negative):
    stretched = [np.exp(np.array(side) / 4) for side in (positive, negative)]
    assert auroc(*stretched) == auroc(positive, negative)
    assert auroc_interval(*stretched) == auroc_interval(positive, negative)


@given(positive=scores, negative=scores)
def test_auroc_turns_with_its_sides(positive, negative):
    assert auroc(negative, positive) == pytest.approx(1 - auroc(positive, negative))
    low, high = auroc_interval(positive, negative)
    assert 0 <= low <= auroc(positive, negative) <= high <= 1
    assert auroc_interval(negative, positive) == pytest.approx((1 - high, 1 - low), abs=1e-6)


@given(group=groups, level=st.floats(0.5, 0.99))
def test_wilson_holds_the_rate_and_turns_with_it(group, level):
    k, n = group
    low, high = wilson_interval(k, n, level)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson_interval(n - k, n, level) == pytest.approx((1 - high, 1 - low))


@given(group=st.lists(groups, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_the_order_of_groups_changes_nothing(group, seed):
    shuffled = [group[i] for i in np.random.default_rng(seed).permutation(len(group))]
    assert mean_of_rates_interval(shuffled) == pytest.approx(mean_of_rates_interval(group))
    assert gap_interval(shuffled, [(1, 2)]) == pytest.approx(gap_interval(group, [(1, 2)]))


@given(counts=pairs)
def test_swapping_two_models_turns_the_sign_alone(counts):
    assume(counts.n)
    swapped = Paired(counts.both, counts.second_only, counts.first_only, counts.neither)
    low, high = paired_interval(counts)
    assert -1 <= low <= counts.difference <= high <= 1
    assert paired_interval(swapped) == pytest.approx((-high, -low))
    assert mcnemar(swapped) == pytest.approx(mcnemar(counts))


def rows_of(counts, label, context):
    """So many rows, the first ``right`` of them answered rightly."""
    right, n = counts
    decision = [label] * right + [1 - label] * (n - right)
    return pd.DataFrame(
        {
            "id": [f"{label}{context}-{i}" for i in range(n)],
            "label": label,
            "decision": decision,
            "correct": [int(one == label) for one in decision],
            "context": float(context),
            "subset": "test",
            "source": "",
            "pair": "",
            "edit": "",
        }
    )


@settings(max_examples=60, deadline=None)
@given(group=st.lists(groups, min_size=4, max_size=4))
def test_a_verdict_of_bias_or_none_never_rests_on_an_interval_that_allows_the_other(group):
    """An effect, or that of one answer, excludes 0; or both answers' lie within the margin."""
    kinds = ((1, 1), (0, 0), (1, 0), (0, 1))
    rows = [rows_of(counts, *kind) for counts, kind in zip(group, kinds, strict=True)]
    verdict = judge(pd.concat(rows, ignore_index=True), "boat", "water", margin=0.05)
    singles = [one.effect_ci for one in verdict.by_answer.values() if one.effect_ci]
    if verdict.kind == "biased":
        told = [verdict.effect_ci, *singles]
        assert any(low > 0 or high < 0 for low, high in told)
    if verdict.kind == "no_bias_shown":
        assert len(singles) == 2
        assert all(low > -0.05 and high < 0.05 for low, high in singles)
