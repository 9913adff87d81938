"""One row refitted: the gradient, the optimum, the weights of the doses, bootstrap refits."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from biasaudit.errors import RunFailedError
from biasaudit.training.repair.contexts import inverse_propensities
from biasaudit.training.repair.refit import (
    CROPPED,
    EDITED,
    FOUND,
    ORIGINAL,
    Examples,
    Objective,
    Recipe,
    Row,
    example_weights,
    optimum,
    refit,
)

CHANNELS = 5


def examples(count=40, edits=30, seed=0, offsets=None):
    """Return features of which the second tells edits and the first originals."""
    generator = np.random.default_rng(seed)
    total = count + edits
    answers = np.arange(total) % 2 == 0
    features = generator.normal(size=(total, CHANNELS)).astype(np.float32)
    features[:, 0] += np.where(answers, 0.8, -0.8)
    sources = np.concatenate([np.arange(count), np.arange(edits) % count])
    return Examples(
        features,
        answers,
        np.array([ORIGINAL] * count + [EDITED] * edits),
        sources,
        sources % 4,
        np.zeros(total) if offsets is None else offsets,
    )


def zero():
    return Row(np.zeros(CHANNELS), 0.0)


def test_gradient_is_that_of_the_loss():
    generator = np.random.default_rng(1)
    made = examples(offsets=generator.normal(size=70))
    recipe = Recipe(dose=0.4, strength=3.0, smoothing=0.1)
    objective = Objective(made, example_weights(made, recipe), recipe)
    point = generator.normal(size=CHANNELS + 1)
    error = check_grad(lambda p: objective(p)[0], lambda p: objective(p)[1], point)
    assert error < 1e-5 * np.linalg.norm(objective(point)[1])


def test_value_of_two_examples_by_hand():
    made = Examples(
        np.array([[1.0, 0.0], [0.0, 3.0]], dtype=np.float32),
        np.array([True, False]),
        np.array([ORIGINAL, ORIGINAL]),
        np.array([0, 1]),
        np.array([0, 1]),
        np.array([0.0, 0.5]),
    )
    objective = Objective(made, np.array([1.0, 2.0]), Recipe(strength=10.0))
    # the mean squared norm is (1 + 9) / 2, so C is 10 / 5; the scores are 2 + 1 and 3 + 1 + 0.5
    value, gradient = objective(np.array([2.0, 1.0, 1.0]))
    losses = np.log1p(np.exp(-3)) + 2 * np.log1p(np.exp(4.5))
    assert value == pytest.approx(2 * losses + (4 + 1) / 2)
    residuals = 2 * np.array([1 / (1 + np.exp(-3)) - 1, 2 / (1 + np.exp(-4.5))])
    assert gradient == pytest.approx(
        [2 + residuals[0], 1 + 3 * residuals[1], residuals[0] + residuals[1]]
    )


@pytest.mark.parametrize("strength", [0.5, 5.0, 50.0])
def test_optimum_is_scikit_learns(strength):
    made = examples()
    recipe = Recipe(dose=0.6, strength=strength)
    weights = example_weights(made, recipe)
    squared = np.square(made.features[:40].astype(np.float64)).sum(axis=1).mean()
    oracle = LogisticRegression(C=strength / squared, solver="newton-cg", tol=1e-10, max_iter=1000)
    oracle.fit(made.features.astype(np.float64), made.answers, sample_weight=weights)
    found = optimum(made, weights, recipe, zero())
    assert found.weight == pytest.approx(oracle.coef_[0], abs=1e-3)
    assert found.bias == pytest.approx(oracle.intercept_[0], abs=1e-3)


def test_start_decides_nothing_but_the_time():
    made, recipe = examples(), Recipe(dose=0.5)
    far = Row(np.full(CHANNELS, 4.0), -3.0)
    one, other = refit(made, recipe, zero()), refit(made, recipe, far)
    assert one.weight == pytest.approx(other.weight, abs=1e-3)


def test_scale_of_features_is_undone_by_the_row():
    made = examples()
    larger = Examples(
        made.features * 8, made.answers, made.origins, made.sources, made.folds, made.offsets
    )
    one, other = refit(made, Recipe(), zero()), refit(larger, Recipe(), zero())
    assert other.weight * 8 == pytest.approx(one.weight, abs=2e-3)


def test_an_offset_is_part_of_the_score():
    offsets = np.random.default_rng(3).normal(size=70)
    made = examples(offsets=offsets)
    row = Row(np.arange(5.0), 2.0)
    assert row.scores(made.features, made.offsets) == pytest.approx(
        made.features.astype(float) @ np.arange(5.0) + 2 + offsets
    )
    # a class that the offsets alone decide needs no row
    decided = Examples(
        made.features, made.answers, made.origins, made.sources, made.folds,
        np.where(made.answers, 40.0, -40.0),
    )  # fmt: skip
    assert np.abs(refit(decided, Recipe(), zero()).weight).max() < 1e-6


def test_doses_hold_whatever_the_numbers():
    origins = np.array([ORIGINAL] * 8 + [EDITED] * 5 + [CROPPED] * 4)
    answers = np.array(
        [True, False] * 4 + [True, False, False, False, False] + [True] * 3 + [False]
    )
    sources = np.array([0, 1, 2, 3] * 2 + [0] * 9)
    made = Examples(np.zeros((17, 2), np.float32), answers, origins, sources, sources, np.zeros(17))
    weights = example_weights(made, Recipe(dose=0.5, crops=0.25))
    # four images, each twice
    assert weights[:8] == pytest.approx(np.full(8, 0.5))
    assert weights[8] == pytest.approx(0.5 * 0.75 * 4 / 2)
    assert weights[9:13] == pytest.approx(np.full(4, 0.5 * 0.75 * 4 / 2 / 4))
    assert weights[13:16] == pytest.approx(np.full(3, 0.5 * 0.25 * 4 / 2 / 3))
    assert weights[16] == pytest.approx(0.5 * 0.25 * 4 / 2)


def test_foregrounds_found_have_their_share_of_the_dose():
    origins = np.array([ORIGINAL] * 4 + [EDITED] * 2 + [FOUND] * 8)
    answers = np.array([True, False] * 7)
    sources = np.array([0, 1, 2, 3, 0, 0, *[2] * 8])
    made = Examples(np.zeros((14, 2), np.float32), answers, origins, sources, sources, np.zeros(14))
    weights = example_weights(made, Recipe(dose=0.5, found=0.25))
    assert weights[4:6] == pytest.approx(np.full(2, 0.5 * 0.75 * 4 / 2))
    assert weights[6:] == pytest.approx(np.full(8, 0.5 * 0.25 * 4 / 2 / 4))
    assert not example_weights(made, Recipe(dose=0.5))[6:].any()


def test_averaged_refits_repeat_by_seed_and_lie_near_the_whole():
    made, recipe = examples(400, 100), Recipe(dose=0.5, refits=20)
    one, again, other = (refit(made, recipe, zero(), seed) for seed in (1, 1, 2))
    assert (one.weight == again.weight).all()
    assert np.abs(one.weight - other.weight).max() > 1e-4
    whole = refit(made, Recipe(dose=0.5), zero())
    assert one.weight == pytest.approx(whole.weight, abs=0.2)


def test_smoothing_keeps_scores_of_separable_answers_finite():
    answers = np.array([True, False] * 10)
    features = np.where(answers, 1.0, -1.0)[:, None].astype(np.float32)
    numbers = np.arange(20)
    made = Examples(features, answers, np.full(20, ORIGINAL), numbers, numbers % 2, np.zeros(20))
    smooth = refit(made, Recipe(strength=1e6, smoothing=0.2), Row(np.zeros(1), 0.0))
    # the log-loss is least where sigmoid(score) is 1 - 0.2 / 2
    assert smooth.scores(features)[0] == pytest.approx(np.log(0.9 / 0.1), abs=1e-2)


def test_one_answer_alone_is_refused():
    made = examples()
    with pytest.raises(RunFailedError, match="the same answer"):
        refit(made.part(made.answers), Recipe(), zero())


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="sources: 2 rows, expected 3"):
        Examples(
            np.zeros((3, 1), np.float32), np.zeros(3, bool), np.zeros(3, int), np.zeros(2, int),
            np.zeros(3, int), np.zeros(3),
        )  # fmt: skip


def test_originals_weigh_their_inverse_propensity_and_each_answer_what_it_did():
    # the object without the context: 1 of 4; the context without the object: 1 of 8
    answers = np.array([True] * 4 + [False] * 8 + [True] * 2)
    shown = np.array([True] * 3 + [False] + [True] + [False] * 7 + [False] * 2)
    numbers = np.arange(14)
    made = Examples(
        np.zeros((14, 2), np.float32),
        answers,
        np.array([ORIGINAL] * 12 + [EDITED] * 2),
        numbers,
        numbers,
        np.zeros(14),
        shown[:, None],
    )
    scarce = inverse_propensities(answers[:12], shown[:12, None])
    for balance in (0.0, 1.0, 2.0):
        weights = example_weights(made, Recipe(dose=0.5, balance=balance))
        assert weights[:4].sum() == pytest.approx(4)
        assert weights[4:12].sum() == pytest.approx(8)
        assert weights[12:].sum() == pytest.approx(3)
        assert weights[3] / weights[0] == pytest.approx((scarce[3] / scarce[0]) ** balance)
    assert made.part(numbers < 3).contexts.tolist() == [[True]] * 3


def test_the_recipe_of_a_refit():
    assert asdict(Recipe()) == {
        "dose": 0.3, "strength": 20.0, "crops": 0.0, "refits": 1, "smoothing": 0.0, "balance": 0.0,
        "found": 0.0,
    }  # fmt: skip
