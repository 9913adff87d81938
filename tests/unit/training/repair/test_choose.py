"""Folds that share nothing, a guard that holds, the best order of what is allowed."""

from dataclasses import replace

import numpy as np
import pytest

from biasaudit.errors import ConfigError
from biasaudit.training.repair import choose
from biasaudit.training.repair.choose import Answered, Candidate, answered, best, compare
from biasaudit.training.repair.refit import EDITED, ORIGINAL, Examples, Recipe, Row


def made(seed=0):
    """Originals that channel 0 answers (and 1 a little); edits that channel 1 alone does."""
    generator = np.random.default_rng(seed)
    count, edits = 80, 80
    answers = np.arange(count + edits) % 2 == 0
    sign = np.where(answers, 1.0, -1.0)
    features = generator.normal(scale=0.3, size=(count + edits, 3))
    features[:count, 0] += sign[:count]
    features[:count, 1] += 0.3 * sign[:count]
    features[count:, 1] += sign[count:]
    features[count:, 0] -= 0.5 * sign[count:]
    sources = np.concatenate([np.arange(count), np.arange(edits)])
    return Examples(
        features.astype(np.float32),
        answers,
        np.array([ORIGINAL] * count + [EDITED] * edits),
        sources,
        (sources // 2) % 4,
        np.zeros(count + edits),
    )


BEFORE = Row(np.array([4.0, 0.0, 0.0]), 0.0)


def test_each_row_is_scored_by_a_refit_that_never_saw_its_source(monkeypatch):
    seen = []

    def spy(examples, recipe, start, seed=0):
        seen.append(set(examples.sources.tolist()))
        return Row(np.full(3, float(len(seen))), 0.0)

    monkeypatch.setattr(choose, "refit", spy)
    examples = made()
    scores = choose.left_out_scores(examples, Recipe(), BEFORE, 0)
    assert len(seen) == 4
    for row in range(len(examples)):
        used = round(scores[row] / examples.features[row].astype(float).sum())
        assert examples.sources[row] not in seen[used - 1]


def test_answered_by_hand():
    scores, answers = np.array([1.0, -1.0, -2.0, 3.0]), np.array([True, True, False, False])
    found = answered(scores, answers)
    losses = np.logaddexp(0, [-1.0, 1.0, -2.0, 3.0])
    # of the four pairs of a yes and a no, the yes is higher in two
    assert found == Answered(0.5, pytest.approx(losses.mean()), 0.5)
    uneven = answered(scores[1:], answers[1:], balanced=True)
    assert uneven.accuracy == pytest.approx((0 + 0.5) / 2)
    assert uneven.log_loss == pytest.approx((losses[1] + losses[2:].mean()) / 2)


def test_more_dose_answers_more_edits_and_val_guards():
    examples, val = made(), made(1).part(np.arange(80))
    recipes = [Recipe(dose=dose, strength=20.0) for dose in (0.01, 0.3, 5.0)]
    found = compare(examples, val, BEFORE, recipes, 0.02, 0)
    accuracies = [candidate.edits.accuracy for candidate in found]
    assert accuracies[0] < accuracies[1] <= accuracies[2]
    before = answered(BEFORE.scores(val.features), val.answers).accuracy
    for candidate in found:
        assert candidate.allowed == (candidate.val.accuracy >= before - 0.02)


def test_a_candidate_tells_originals_edits_and_val_apart(monkeypatch):
    # whatever is fitted, channel 0 decides: by hand from the features
    monkeypatch.setattr(choose, "refit", lambda *_: Row(np.array([1.0, 0.0, 0.0]), 0.0))
    examples, told = made(), []
    val = made(1).part(np.arange(80))
    (found,) = compare(examples, val, BEFORE, [Recipe()], 0.02, 0, told.append)
    right = (examples.features[:, 0] > 0) == examples.answers
    assert found.originals.accuracy == pytest.approx(right[:80].mean())
    assert found.edits.accuracy == pytest.approx(right[80:].mean())
    assert found.val.accuracy == pytest.approx(((val.features[:, 0] > 0) == val.answers).mean())
    assert found.originals.accuracy > found.edits.accuracy + 0.5
    assert np.isnan(found.conflicting)
    assert told == [1]


def candidate(area, allowed, val=0.9):
    edits = Answered(0.5, 1 - area, area)
    return Candidate(Recipe(), Answered(0.9, 0.1, 0.9), edits, Answered(val, 0.1, 0.9), allowed)


def test_best_ranks_edits_best_of_the_allowed():
    found = [candidate(0.9, False), candidate(0.7, True), candidate(0.8, True)]
    assert best(found) is found[2]
    with pytest.raises(ConfigError, match=r"max_val_loss.*0\.930"):
        best([candidate(0.9, False, 0.93), candidate(0.8, False, 0.8)])


def test_where_contexts_are_read_the_bias_conflicting_groups_decide():
    def candidate(edits, conflicting, allowed=True):
        figures = Answered(0.9, 0.1, edits)
        return Candidate(Recipe(), figures, figures, figures, allowed, conflicting)

    low, high = candidate(0.9, 0.5), candidate(0.8, 0.7)
    assert best([low, high, candidate(0.7, 0.9, allowed=False)]) is high
    assert best([replace(low, conflicting=np.nan), replace(high, conflicting=np.nan)]).edits == (
        low.edits
    )


def test_a_balanced_refit_ranks_the_conflicting_groups_of_images_left_out():
    # channel 0 says the answer faintly, channel 1 the context, which comes with .9 of the answers
    generator = np.random.default_rng(4)
    answers = np.arange(1200) % 2 == 0
    shown = np.where(generator.random(1200) < 0.9, answers, ~answers)
    signs = np.column_stack([0.4 * (2 * answers - 1), 1.5 * (2 * shown - 1)])
    features = (signs + generator.normal(scale=0.5, size=(1200, 2))).astype(np.float32)
    numbers = np.arange(1200)
    origins = np.array([ORIGINAL] * 1000 + [EDITED] * 200)
    examples = Examples(
        features, answers, origins, numbers, numbers // 2 % 4, np.zeros(1200), shown[:, None]
    )
    val = examples.part(numbers < 200)
    recipes = [Recipe(0.0, 20.0, balance=balance) for balance in (0.0, 1.0)]
    plain, balanced = compare(examples, val, Row(np.zeros(2), 0.0), recipes, 1.0, 0)
    assert balanced.conflicting > plain.conflicting + 0.2
    assert balanced.to_dict()["conflicting_auroc"] == balanced.conflicting


def test_where_contexts_are_read_the_order_of_val_is_guarded_too():
    # nine in ten of val say no: a refit that lets edits turn the order round keeps its accuracy
    examples = made()
    val = examples.part(np.arange(80))
    few = val.part(np.flatnonzero(~val.answers | (np.arange(80) < 8)))
    wrong = Row(np.array([0.0, -1.0, 0.0]), -9.0)
    before = Row(BEFORE.weight, -9.0)

    def allowed(contexts, monkeypatch):
        monkeypatch.setattr(choose, "refit", lambda *_: wrong)
        given = replace(examples, contexts=contexts)
        return compare(given, few, before, [Recipe()], 0.05, 0)[0].allowed

    with pytest.MonkeyPatch.context() as patched:
        assert choose.on(few, wrong).accuracy == choose.on(few, before).accuracy
        assert allowed(None, patched)
        assert not allowed(np.zeros((160, 1), dtype=bool), patched)
        # an order of val as good as before is well above what it may fall to
        wrong = before
        assert allowed(np.zeros((160, 1), dtype=bool), patched)
