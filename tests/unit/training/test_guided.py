"""Which terms a step computes, and what their total is."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from biasaudit.guidance.modes import ActiveTerm
from biasaudit.guidance.terms import Term, TermOptions
from biasaudit.training.guided import GuidedModel
from biasaudit.training.unread import read_losses


class Score(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))


def active(name, value, weight=1.0, warmup=0.0, prepare=None):
    def compute(step, options):
        return step.model.weight * value

    options = TermOptions(weight=weight, warmup_epochs=warmup)
    return ActiveTerm(name, Term(compute, TermOptions, prepare=prepare), options)


def batch():
    return SimpleNamespace(images=torch.zeros(2, 3, 4, 4))


def losses(*terms, progress=0.0):
    found = GuidedModel(Score(), terms)(batch(), None, progress)
    return {name: value.detach().item() for name, value in found.items()}


def test_the_total_is_weighted_and_the_terms_are_not():
    found = losses(active("a", 2.0, 0.5), active("b", 3.0, 10.0), active("c", 4.0))
    assert found == {"a": 2.0, "b": 3.0, "c": 4.0, "total": 0.5 * 2 + 10 * 3 + 4}
    assert losses() == {"total": 0.0}


def test_a_term_of_no_weight_or_before_its_time_is_not_computed():
    terms = active("a", 2.0, 0.0), active("b", 3.0, warmup=1.5), active("c", 4.0)
    assert losses(*terms, progress=1.49) == {"c": 4.0, "total": 4.0}
    assert losses(*terms, progress=1.5) == {"b": 3.0, "c": 4.0, "total": 7.0}


def test_the_gradient_is_that_of_the_total():
    model = GuidedModel(Score(), [active("a", 2.0, 0.5), active("b", 3.0, 10.0)])
    model(batch(), None, 0.0)["total"].backward()
    assert model.classifier.weight.grad.item() == 31.0


def test_only_terms_that_are_due_make_pictures():
    made = []

    def prepare(step, options):
        made.append(options.weight)
        return SimpleNamespace(images=torch.zeros(1, 3, 4, 4))

    losses(active("a", 1.0, 2.0, prepare=prepare), active("b", 1.0, 3.0, 9.0, prepare=prepare))
    assert made == [2.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_names_its_term(value):
    model = GuidedModel(Score(), [active("a", 1.0), active("b", value)])
    found = model(batch(), None, 0.0)
    with pytest.raises(FloatingPointError, match=rf"the loss is {value:g} \(term 'b'\)"):
        read_losses(found, model.checks)


def test_what_terms_draw_hangs_on_the_seed():
    draws = [
        torch.rand(4, generator=GuidedModel(Score(), [], seed).generator) for seed in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    default = GuidedModel(Score(), []).generator
    assert torch.equal(torch.rand(4, generator=default), draws[0])
