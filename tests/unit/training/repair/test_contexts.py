"""Scarce images weigh more, and the context that misleads most counts."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from biasaudit.training.repair.contexts import LEAST, conflicting_auroc, inverse_propensities


def test_propensities_are_those_of_another_library():
    generator = np.random.default_rng(0)
    contexts = generator.random((300, 3)) < 0.4
    answers = generator.random(300) < 0.2 + 0.4 * contexts[:, 0] + 0.2 * contexts[:, 1]
    fitted = LogisticRegression(C=1.0, tol=1e-8).fit(contexts.astype(float), answers)
    chance = fitted.predict_proba(contexts.astype(float))[:, 1]
    share = answers.mean()
    expected = np.where(answers, share / chance, (1 - share) / (1 - chance))
    assert inverse_propensities(answers, contexts) == pytest.approx(expected, rel=1e-3)


def test_one_context_many_images_by_hand():
    # 800 of 1000 with the context show the object, 200 of 1000 without: P(answer) = 1/2
    answers = np.repeat([True, False, True, False], [800, 200, 200, 800])
    contexts = np.repeat([True, False], 1000)[:, None]
    found = inverse_propensities(answers, contexts)
    assert found[[0, 800, 1000, 1200]] == pytest.approx([0.625, 2.5, 2.5, 0.625], rel=0.02)


def test_a_context_that_tells_nothing_changes_no_weight():
    answers = np.arange(40) % 2 == 0
    contexts = (np.arange(40) // 2 % 2 == 0)[:, None]
    assert inverse_propensities(answers, contexts) == pytest.approx(np.ones(40))


def test_the_worst_context_counts_and_small_groups_do_not():
    answers = np.repeat([True, False], 2 * LEAST)
    first = np.tile([True, False], 2 * LEAST)
    second = first.copy()
    second[:3] = True  # the object without it: fewer than LEAST
    scores = np.where(answers, 1.0, -1.0)
    scores[answers & ~first] = -2.0
    both = np.column_stack([np.roll(first, 1), first])
    # without the first column's context: 1 against -1; without the second's: -2 against -1
    assert conflicting_auroc(scores, answers, both[:, :1]) == 1.0
    assert conflicting_auroc(scores, answers, both) == 0.0
    assert np.isnan(conflicting_auroc(scores, answers, second[:, None]))
