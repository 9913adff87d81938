"""Eq. 5 to 8 by hand-computed values in float64, and what they must not disturb."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from biasaudit.data.loading.batches import Batch
from biasaudit.guidance.absent import AbsentOptions, absent
from biasaudit.guidance.classification import ClassificationOptions, classification
from biasaudit.guidance.edited import EditedOptions, edited, edited_images
from biasaudit.guidance.energy import EnergyOptions, energy
from biasaudit.guidance.evidence import EvidenceOptions, evidence
from biasaudit.guidance.external import ExternalOptions, external, regions_at
from biasaudit.guidance.input_gradient import InputGradientOptions, input_gradient
from biasaudit.guidance.mining import MiningOptions, mining
from biasaudit.guidance.step import Step, mean_by_image
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.training.guided import GuidedModel


class Recorder(nn.Module):
    """A body that hands its images on: features are the three colours."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.seen = []

    def forward(self, images):
        self.seen.append(images.detach())
        return images * self.gain


def tiny(weight, bias):
    """A classifier whose every figure can be worked out on paper."""
    head = PooledLinear(3, len(weight)).double()
    head.linear.weight.data = torch.tensor(weight, dtype=torch.float64)
    head.linear.bias.data = torch.tensor(bias, dtype=torch.float64)
    return Classifier(Recorder(), head, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).double()


def batch(images, labels, regions=(), rows=(), classes=()):
    size = len(images[0][0])
    stack = torch.tensor(regions, dtype=torch.float64)
    return Batch(
        images=torch.tensor(images, dtype=torch.float64),
        labels=torch.tensor(labels, dtype=torch.float64),
        regions=stack if len(regions) else torch.zeros(0, size, size, dtype=torch.float64),
        region_rows=torch.tensor(rows, dtype=torch.long),
        region_classes=torch.tensor(classes, dtype=torch.long),
        indices=torch.arange(len(images)),
        mirrored=torch.zeros(len(images), dtype=torch.bool),
    )


RED = [[[1.0, 0.0], [0.5, 0.0]], [[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
PLAIN = MiningOptions(fill="black")


def item(loss):
    return loss.detach().item()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_classification_is_the_multi_label_soft_margin():
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, -1.0])
    step = Step(model, batch([RED], [[1, 0]]))
    # scores: 4·mean(red) = 1.5 and -1
    expected = math.log1p(math.exp(-1.5)) + math.log1p(math.exp(-1.0))
    assert item(classification(step, ClassificationOptions())) == pytest.approx(expected)
    mean = item(classification(step, ClassificationOptions(over_classes="mean")))
    assert mean == pytest.approx(expected / 2)


def test_mining_by_hand():
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.25, -1.0])
    loss = mining(Step(model, batch([RED], [[1, 0]])), PLAIN)
    # A is red, scaled by its maximum 1: (1, 0, .5, 0); T = sigmoid(10 (A - .5))
    kept = [1.0 * (1 - sigmoid(5)), 0.0, 0.5 * (1 - sigmoid(0)), 0.0]
    expected = sigmoid(4 * sum(kept) / 4 + 0.25)
    assert loss.item() == pytest.approx(expected, abs=1e-7)
    # the masked image is I - T ⊙ I
    assert model.body.seen[-1][0, 0].flatten().tolist() == pytest.approx(kept, abs=1e-7)


def test_mining_averages_over_true_classes_then_images():
    # class 0 reads red, class 1 reads green; image 0 has both, image 1 only green
    both = [RED[0], [[0.0, 1.0], [0.0, 0.0]], RED[2]]
    green = [RED[2], [[0.0, 0.0], [0.0, 2.0]], RED[2]]
    model = tiny([[4.0, 0, 0], [0, 4.0, 0]], [0.0, 0.0])
    data = batch([both, green], [[1, 1], [0, 1]])
    loss = item(mining(Step(model, data), PLAIN))
    alone = [
        item(mining(Step(model, batch([both], [[1, 0]])), PLAIN)),
        item(mining(Step(model, batch([both], [[0, 1]])), PLAIN)),
        item(mining(Step(model, batch([green], [[0, 1]])), PLAIN)),
    ]
    assert loss == pytest.approx(((alone[0] + alone[1]) / 2 + alone[2]) / 2, abs=1e-9)


def test_a_class_that_is_absent_is_not_mined_whatever_speaks_for_it():
    model = tiny([[4.0, 0, 0], [8.0, 0, 0]], [0.25, 0.0])
    step = Step(model, batch([RED], [[1, 0]]))
    assert [found.tolist() for found in step.true_pairs] == [[0], [0]]
    kept = (1 - sigmoid(5)) + 0.5 * (1 - sigmoid(0))
    assert item(mining(step, PLAIN)) == pytest.approx(sigmoid(kept + 0.25))


def test_mining_options_change_what_they_name():
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.25, -1.0])
    step = Step(model, batch([RED], [[1, 0]]))
    plain = item(mining(step, PLAIN))
    raw = item(mining(step, PLAIN.model_copy(update={"score": "logit"})))
    assert sigmoid(raw) == pytest.approx(plain)
    harder = item(mining(step, PLAIN.model_copy(update={"sigma": 0.1})))
    assert harder < plain
    # A = (1, 0, .5, 0) erased where A > sigma: sigmoid(scale (A - sigma))
    for sigma, scale in ((0.1, 10.0), (0.5, 2.0), (0.75, 40.0)):
        options = PLAIN.model_copy(update={"sigma": sigma, "mask_scale": scale})
        kept = [a * (1 - sigmoid(scale * (a - sigma))) for a in (1.0, 0.5)]
        assert item(mining(step, options)) == pytest.approx(sigmoid(sum(kept) + 0.25))


@pytest.mark.parametrize(("fill", "colour"), [("mean", 0.25), ("black", 0.0)])
def test_what_is_erased_gets_the_fill(fill, colour):
    """With the mean, the place has the colour that normalises to zero; black is black."""
    head = PooledLinear(3, 1).double()
    head.linear.weight.data = torch.tensor([[4.0, 0, 0]], dtype=torch.float64)
    head.linear.bias.data.zero_()
    model = Classifier(Recorder(), head, (0.25, 0.25, 0.25), (0.5, 0.5, 0.5)).double()
    steep = MiningOptions(fill=fill, mask_scale=1000.0, sigma=0.25)
    mining(Step(model, batch([RED], [[1]])), steep)
    # the network sees (I - mean) / deviation: A = ReLU(4·(1.5, -.5, .5, -.5)), so that all of
    # the first pixel and of the third is taken
    red = model.body.seen[-1][0, 0].flatten().tolist()
    erased = (colour - 0.25) / 0.5
    assert red == pytest.approx([erased, -0.5, erased, -0.5], abs=1e-6)


@pytest.mark.parametrize("statistics", ["batch", "running"])
@pytest.mark.parametrize("name", ["mining", "input_gradient"])
def test_the_pass_apart_is_normalised_by_what_is_asked_for(name, statistics, monkeypatch):
    asked = []
    untouched = Step.untouched

    def noted(self, images, by):
        asked.append(by)
        return untouched(self, images, by)

    monkeypatch.setattr(Step, "untouched", noted)
    model = tiny([[4.0, 0, 0]], [0.0])
    data = batch([RED], [[1]], [[[1.0, 0.0], [0.0, 0.0]]], [0], [0])
    if name == "mining":
        mining(Step(model, data), MiningOptions(batch_norm=statistics))
    else:
        input_gradient(Step(model, data, data), InputGradientOptions(batch_norm=statistics))
    assert asked == [statistics]


@pytest.mark.parametrize(
    ("scaling", "scaled"),
    [("max", (1.0, 0.5, 0.25, 0.5)), ("minmax", (1.0, 1 / 3, 0.0, 1 / 3)), ("none", None)],
)
def test_external_scales_maps_as_asked_and_each_image_has_its_region(scaling, scaled):
    model = tiny([[8.0, 0, 0]], [0.0])
    image = [[[1.0, 0.5], [0.25, 0.5]], RED[1], RED[1]]
    regions = [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]
    data = batch([image, image], [[1], [1]], regions, [0, 1], [0, 0])
    loss = item(external(Step(model, data, data), ExternalOptions(scaling=scaling)))
    # w = 8 / 4 pixels, A = 2·red
    scaled = scaled or (2.0, 1.0, 0.5, 1.0)
    flat = [[cell for row in region for cell in row] for region in regions]
    costs = [sum((a - h) ** 2 for a, h in zip(scaled, one, strict=True)) / 4 for one in flat]
    assert loss == pytest.approx(sum(costs) / 2)


def test_all_zero_attention_and_no_true_class_give_zero_that_has_a_gradient():
    model = tiny([[-4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0])
    for labels in ([[1.0, 0.0]], [[0.0, 0.0]]):
        loss = mining(Step(model, batch([RED], labels)), PLAIN)
        assert loss.item() == 0.0
        loss.backward()
    assert len(model.body.seen) == 2  # no masked pass was made


def test_external_by_hand():
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0])
    region = [[1.0, 0.0], [0.0, 0.0]]
    labelled = batch([RED], [[1, 0]], [region], [0], [0])
    loss = external(Step(model, labelled, labelled), ExternalOptions())
    # A = (1, 0, .5, 0) against H = (1, 0, 0, 0)
    assert loss.item() == pytest.approx(0.25 / 4, abs=1e-12)


@pytest.mark.parametrize("images", [1, 2, 7])
@pytest.mark.parametrize("labelled", [1, 3])
def test_the_weight_of_a_labelled_image_hangs_on_no_count(images, labelled):
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0])
    region = [[1.0, 0.0], [0.0, 0.0]]
    marked = batch(
        [RED] * labelled, [[1, 0]] * labelled, [region] * labelled, range(labelled), [0] * labelled
    )
    step = Step(model, batch([RED] * images, [[1, 0]] * images), marked)
    assert external(step, ExternalOptions()).item() == pytest.approx(0.25 / 4, abs=1e-12)


def test_region_is_averaged_down_to_the_map():
    region = torch.zeros(1, 4, 4)
    region[0, :2, :1] = 1.0
    assert regions_at(region, torch.zeros(1, 2, 2)).tolist() == [[[0.5, 0.0], [0.0, 0.0]]]


def test_a_term_that_needs_labels_says_so_without_them():
    model = tiny([[1.0, 0, 0]], [0.0])
    with pytest.raises(RuntimeError, match="labelled"):
        external(Step(model, batch([RED], [[1]])), ExternalOptions())


def test_mean_by_image_by_hand():
    values, rows = torch.tensor([1.0, 3.0, 10.0]), torch.tensor([4, 4, 7])
    assert float(mean_by_image(values, rows)) == 6.0
    assert float(mean_by_image(values[:0], rows[:0])) == 0.0


def test_total_is_equation_8():
    from biasaudit.config import load_settings
    from biasaudit.guidance.modes import active_terms

    settings = load_settings(None, ["training.mode=gain_ext", "terms.mining.warmup_epochs=1"])
    guided = GuidedModel(tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0]), active_terms(settings))
    labelled = batch([RED], [[1, 0]], [[[1.0, 0.0], [0.0, 0.0]]], [0], [0])
    losses = guided(labelled, labelled, 1.0)
    options = {active.name: active.options for active in guided.terms}
    expected = sum(options[name].weight * losses[name] for name in options)
    assert item(losses["total"]) == pytest.approx(item(expected))
    assert options["external"].weight == 10.0
    assert "mining" not in guided(labelled, labelled, 0.5)


def test_edited_pictures_are_made_in_full_precision_whatever_the_network_runs_in():
    from biasaudit.config import load_settings
    from biasaudit.guidance.modes import active_terms

    terms = active_terms(load_settings(None, ["training.mode=edited"]))
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 32, 32, generator=generator).tolist()
    spot = torch.zeros(32, 32)
    spot[4:12, 20:28] = 1.0
    mixed = batch(images, [[1, 0], [0, 1], [0, 1], [0, 1]], [spot.tolist()], [0], [0])
    mixed = replace(mixed, images=mixed.images.float(), regions=mixed.regions.float())

    def seen(low):
        model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0]).float()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            GuidedModel(model, terms)(mixed, mixed, 0.0)
        return model.body.seen[0]

    assert torch.equal(seen(True), seen(False))


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("term", ["mining", "external"])
def test_gradients_by_finite_differences(term, second_order):
    """d loss / d head weight: with first order, the weight inside w is held where it was."""
    torch.manual_seed(0)
    body = nn.Conv2d(3, 4, 3, padding=1).double()
    model = Classifier(nn.Sequential(body, nn.Softplus()), PooledLinear(4, 2).double()).double()
    images = torch.rand(2, 3, 6, 6, dtype=torch.float64)
    data = Batch(
        images,
        torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64),
        (torch.rand(2, 6, 6) > 0.5).double(),
        torch.tensor([0, 1]),
        torch.tensor([0, 1]),
        torch.arange(2),
        torch.zeros(2, dtype=torch.bool),
    )
    model.head.linear.weight.data.abs_()

    def loss(weight):
        step = Step(model, data, data)
        if term == "mining":
            return mining(step, MiningOptions(second_order=second_order, batch_norm="running"))
        return external(step, ExternalOptions(second_order=second_order))

    parameter = body.weight
    (gradient,) = torch.autograd.grad(loss(parameter), parameter)
    step = 1e-5
    for index in [(0, 0, 1, 1), (2, 1, 0, 2), (3, 2, 2, 0)]:
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[index] += sign * step
            ends.append(float(loss(parameter).detach().double()))
            with torch.no_grad():
                parameter[index] -= sign * step
        difference = (ends[0] - ends[1]) / (2 * step)
        # the closed form's weights do not depend on the body, so both orders agree with the truth
        assert gradient[index].item() == pytest.approx(difference, rel=2e-2, abs=1e-6)


def test_second_order_reaches_the_head_and_first_order_does_not():
    torch.manual_seed(0)
    model = Classifier(nn.Conv2d(3, 4, 1), PooledLinear(4, 2)).double()
    data = batch([RED], [[1, 0]], [[[1.0, 0.0], [0.0, 0.0]]], [0], [0])
    weight = model.head.linear.weight
    for second_order in (False, True):
        loss = external(Step(model, data, data), ExternalOptions(second_order=second_order))
        (gradient,) = torch.autograd.grad(loss, weight, allow_unused=True)
        assert (gradient is not None) is second_order


def test_steps_leave_batch_norm_to_the_batch_alone():
    from biasaudit.models.harbournet import harbournet

    torch.manual_seed(0)
    images = torch.rand(4, 3, 64, 64)
    data = Batch(
        images,
        torch.ones(4, 2),
        torch.ones(4, 64, 64),
        torch.arange(4),
        torch.zeros(4, dtype=torch.long),
        torch.arange(4),
        torch.zeros(4, dtype=torch.bool),
    )
    states = []
    for terms in ((classification,), (classification, mining, external)):
        torch.manual_seed(1)
        model = harbournet(2).train()
        step = Step(model, data, data)
        options = {
            classification: ClassificationOptions(),
            mining: MiningOptions(),
            external: ExternalOptions(),
        }
        draws = torch.random.get_rng_state()
        for term in terms:
            term(step, options[term])
        assert torch.equal(draws, torch.random.get_rng_state())
        assert all(m.training for m in model.modules())
        states.append(model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize("second_order", [False, True])
def test_terms_work_on_a_head_without_a_closed_form(second_order):
    """The general way gives a pooled linear head's losses and gradients."""
    torch.manual_seed(0)
    body, head = nn.Conv2d(3, 4, 1), PooledLinear(4, 2)
    data = batch([RED, RED], [[1, 0], [1, 1]], [[[1.0, 0.0], [0.0, 0.0]]], [1], [0])
    found = []
    for wrapped in (head, nn.Sequential(head)):
        model = Classifier(body, wrapped).double()
        step = Step(model, data, data)
        loss = external(step, ExternalOptions(second_order=second_order)) + mining(
            step, MiningOptions(second_order=second_order)
        )
        found.append([loss, *torch.autograd.grad(loss, [body.weight, head.linear.weight])])
    for closed, general in zip(*found, strict=True):
        torch.testing.assert_close(closed, general)


def test_evidence_by_hand():
    model = tiny([[4.0, -2.0, 0], [0, 2.0, 0]], [0.0, 0.0])
    image = [RED[0], [[0.0, 0.5], [0.0, 0.0]], RED[2]]
    region = [[1.0, 0.0], [0.0, 0.0]]
    data = batch([image], [[1, 0]], [region], [0], [0])
    loss = evidence(Step(model, data, data), EvidenceOptions())
    # E = 4·red - 2·green = (4, -1, 2, 0) against (1, 0, 0, 0)
    terms = [(math.tanh(4) - 1) ** 2, math.tanh(-1) ** 2, math.tanh(2) ** 2, 0.0]
    assert item(loss) == pytest.approx(sum(terms) / 4)


def test_absent_by_hand():
    model = tiny([[4.0, -2.0, 0], [0, 2.0, 0]], [0.0, 0.0])
    image = [RED[0], [[0.0, 0.5], [0.0, 0.0]], RED[2]]
    loss = absent(Step(model, batch([image], [[1, 0]])), AbsentOptions())
    # class 1 is absent: 2·green = (0, 1, 0, 0)
    assert item(loss) == pytest.approx(math.tanh(1) ** 2 / 4)
    assert item(absent(Step(model, batch([image], [[1, 1]])), AbsentOptions())) == 0.0


def test_evidence_against_an_absent_class_costs_as_much_as_evidence_for_it():
    image = [RED[0], [[0.0, 0.5], [0.0, 0.0]], RED[2]]
    for sign in (1.0, -1.0):
        model = tiny([[4.0, 0, 0], [0, sign * 2.0, 0]], [0.0, 0.0])
        loss = absent(Step(model, batch([image], [[1, 0]])), AbsentOptions())
        # class 1: E = ±2·green = (0, ±1, 0, 0)
        assert item(loss) == pytest.approx(math.tanh(1) ** 2 / 4)


def test_absent_averages_over_absent_classes_then_images():
    # image 0 lacks classes 1 and 2, image 1 class 1 alone
    model = tiny([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 1.0]], [0.0] * 3)
    dot = [[0.0, 0.5], [0.0, 0.0]]
    both = [RED[0], dot, [[0.0, 0.0], [0.0, 1.5]]]
    green = [RED[0], [[0.25, 0.0], [0.0, 0.0]], RED[2]]
    loss = absent(Step(model, batch([both, green], [[1, 0, 0], [1, 0, 1]])), AbsentOptions())
    first = (math.tanh(1.0) ** 2 + math.tanh(1.5) ** 2) / 2
    assert item(loss) == pytest.approx((first + math.tanh(0.5) ** 2) / 2 / 4)


def test_energy_by_hand():
    model = tiny([[4.0, 0, 0]], [0.0])
    region = [[1.0, 0.0], [0.0, 0.0]]
    data = batch([RED], [[1]], [region], [0], [0])
    # of 1 + .5, 1 lies inside
    assert item(energy(Step(model, data, data), EnergyOptions())) == pytest.approx(1 / 3)
    dark = batch([[RED[1]] * 3], [[1]], [region], [0], [0])
    assert item(energy(Step(model, dark, dark), EnergyOptions())) == 0.0


def test_input_gradient_by_hand():
    model = tiny([[4.0, 0, 0]], [0.25])
    region = [[1.0, 0.0], [0.0, 0.0]]
    data = batch([RED], [[1]], [region], [0], [0])
    loss = input_gradient(Step(model, data, data), InputGradientOptions())
    # s = 4·mean(red) + .25 = 1.75, ds/dred = 1 at each of 4 pixels, 3 of them outside;
    # d(log p + log(1 - p))/ds = 1 - 2p
    slope = 1 - 2 * sigmoid(1.75)
    assert item(loss) == pytest.approx(3 * slope**2)


@pytest.mark.parametrize("covered", [0.0, 1.0])
def test_edited_pairs_stand_against_the_pictures_that_they_were_made_from(covered):
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0])
    size = 16
    red = [[[0.0] * size for _ in range(size)] for _ in range(3)]
    for row in range(5, 11):
        for column in range(5, 11):
            red[0][row][column] = 1.0
    pale = [[[0.1] * size for _ in range(size)] for _ in range(3)]
    labelled = batch([red], [[1, 0]], [red[0]], [0], [0])
    ground = batch([pale], [[0, 1]])
    options = EditedOptions(scale=1.0, shift=0.0, margin=0.1, covered=covered, decoys=True)
    loss = item(edited(edited_step(model, ground, labelled, options), options))
    (seen,) = model.body.seen  # one pass: ground, labelled, pasted, removed, decoy
    pasted, removed, decoy = seen[2:]
    whole, bare = 4 * 36 / size**2, 4 * 0.1
    score = 4 * pasted[0].mean().item()
    assert bare < score < bare + whole  # the seam is soft
    if covered:  # by a pale piece, a pixel or two wider than the object, with a soft seam
        assert removed[0, 7, 7].item() == pytest.approx(0.1, abs=1e-3)
        assert float(removed[0, 0].max()) < 1e-3
        assert float(removed.max()) < 0.12  # next to nothing of the red is left
    else:  # by the black around it
        assert float(removed.abs().max()) < 1e-6
    assert torch.allclose(decoy, torch.full_like(decoy, 0.1))  # a pale piece on a pale ground
    yes = (softplus(-score) + softplus(-whole)) / 2
    gone = 4 * removed[0].mean().item()
    no = (softplus(gone) + softplus(bare) + softplus(bare)) / 3
    assert loss == pytest.approx((yes + no) / 2)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_a_share_of_the_gradient_of_edited_pairs_reaches_the_body_and_all_of_it_the_head(share):
    model = tiny([[4.0, 0, 0]], [0.0])
    spot = [[1.0, 1.0], [0.0, 0.0]]
    labelled = batch([RED], [[1]], [spot], [0], [0])
    pale = [[[0.1] * 2] * 2] * 3
    options = EditedOptions(scale=1.0, shift=0.0, covered=0.0, body_gradient=share)
    loss = edited(edited_step(model, batch([pale], [[0]]), labelled, options), options)
    (seen,) = model.body.seen  # ground, labelled, pasted, removed
    bare, whole, pasted, gone = (4 * picture[0].mean().item() for picture in seen)
    yes, no = (whole, pasted), (bare, gone)
    assert item(loss) == pytest.approx(
        sum(softplus(-s) for s in yes) / 4 + sum(map(softplus, no)) / 4
    )
    # every score is gain · weight · mean(red), and gain is 1
    slope = (sum(s * sigmoid(s) for s in no) - sum(s * sigmoid(-s) for s in yes)) / 4
    loss.backward()
    assert model.body.gain.grad.item() == pytest.approx(share * slope, abs=1e-12)
    assert model.head.linear.weight.grad[0, 0].item() == pytest.approx(slope / 4, abs=1e-12)


def test_only_what_has_a_ground_is_covered_and_by_what_lacks_its_class():
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0])
    size = 16

    def plain(*colour):
        return [[[value] * size for _ in range(size)] for value in colour]

    spot = torch.zeros(size, size)
    spot[6:10, 6:10] = 1.0
    labelled = batch([plain(0.3, 0.3, 0.3)], [[1, 1]], [spot.tolist()] * 9, [0] * 9, [0, *[1] * 8])
    both, first_only = plain(1.0, 0.0, 0.0), plain(0.0, 1.0, 0.0)
    ground = batch([both, both, first_only], [[1, 1], [1, 1], [1, 0]])
    made = edited_step(model, ground, labelled, EditedOptions(covered=1.0)).added("edited")[0]
    assert made.pairs.tolist() == list(range(1, 9))
    assert set(made.grounds.tolist()) == {2}
    first, *others = made.images[8:, :, 8, 8].tolist()
    assert first == pytest.approx([0.3, 0.3, 0.3])
    assert others == [pytest.approx([0.0, 1.0, 0.0], abs=0.1)] * 8


def test_so_many_of_the_objects_are_covered_and_the_others_blurred_away():
    model = tiny([[4.0, 0, 0]], [0.0])
    size, count = 16, 400
    black = torch.zeros(3, size, size)
    spot = torch.zeros(size, size)
    spot[6:10, 6:10] = 1.0
    labelled = batch([black.tolist()], [[1]], [spot.tolist()] * count, [0] * count, [0] * count)
    ground = batch([torch.ones(3, size, size).tolist()], [[0]])
    step = edited_step(model, ground, labelled, EditedOptions(covered=0.25))
    removed = step.added("edited")[0].images[count:]
    white = removed[:, 0, 8, 8] > 0.5
    assert 0.25 - 0.09 < float(white.double().mean()) < 0.25 + 0.09  # four standard errors
    assert float(removed[~white].max()) < 1e-6


def test_a_small_object_is_enlarged_before_it_is_pasted():
    model = tiny([[4.0, 0, 0]], [0.0])
    size = 32
    white = torch.ones(3, size, size)
    dot = torch.zeros(size, size)
    dot[14:18, 14:18] = 1.0  # 16 of 1024 pixels
    labelled = batch([white.tolist()], [[1]], [dot.tolist()], [0], [0])
    ground = batch([torch.zeros(3, size, size).tolist()], [[0]])
    for least, expected in ((0.0, 1 / 64), (0.25, 0.25)):
        options = EditedOptions(scale=1.0, shift=0.0, least_area=least)
        step = edited_step(model, ground, labelled, options)
        pasted = step.added("edited")[0].images[0, 0]
        assert float(pasted.mean()) == pytest.approx(expected, rel=0.1)


def test_edited_of_a_class_that_every_image_shows_keeps_the_removed_half():
    model = tiny([[4.0, 0, 0], [0, 2.0, 0]], [0.0, 0.0])
    region = [[1.0, 0.0], [0.0, 0.0]]
    labelled = batch([RED, RED], [[1, 0], [0, 1]], [region, region], [0, 1], [0, 1])
    ground = batch([RED], [[1, 0]])
    options = EditedOptions()
    step = edited_step(model, ground, labelled, options)
    edited(step, options)
    assert step.added("edited")[0].pairs.tolist() == [1]
    assert [len(images) for images in model.body.seen] == [1 + 2 + 1 + 2]


def test_grounds_are_drawn_among_the_images_that_lack_the_class():
    model = tiny([[4.0, 0, 0]], [0.0])
    region = [[1.0, 0.0], [0.0, 0.0]]
    labelled = batch([RED] * 40, [[1]] * 40, [region] * 40, list(range(40)), [0] * 40)
    ground = batch([RED] * 5, [[1], [0], [1], [0], [0]])
    step = edited_step(model, ground, labelled, EditedOptions())
    assert set(step.added("edited")[0].grounds.tolist()) == {1, 3, 4}


def test_no_images_are_added_to_a_pass_that_has_been_made():
    model = tiny([[4.0, 0, 0]], [0.0])
    region = [[1.0, 0.0], [0.0, 0.0]]
    data = batch([RED], [[1]], [region], [0], [0])
    step = Step(model, data, data)
    assert len(step.output.scores) == 1
    with pytest.raises(RuntimeError, match="pass that has been made"):
        step.add("edited", edited_images(step, EditedOptions()))


def edited_step(model, data, labelled, options):
    """A step that the edited images were added to, as the training module does."""
    step = Step(model, data, labelled)
    step.add("edited", edited_images(step, options))
    return step


def softplus(value):
    return math.log1p(math.exp(value))
