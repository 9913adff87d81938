"""Any network under audit: its attention layer, its scores, its maps."""

import pytest
import torch
import torchvision.models
from torch import nn

from biasaudit.attention.classifier import classifier_attention
from biasaudit.errors import ConfigError
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.models.whole_network import WholeNetwork, against_the_rest, attention_layer

NO_CHANGE = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class Small(nn.Module):
    """Two convolutions, pooling, a linear layer; the second ReLU changes its input in place."""

    def __init__(self, classes=3):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2, padding=1)
        )
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(5, classes)

    def forward(self, images):
        return self.fc(self.relu(self.features(images)).mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("name", "size", "layer"),
    [
        ("resnet18", 64, "layer4"),
        ("mobilenet_v2", 64, "features"),
        ("vgg11", 64, "features.19"),
        ("squeezenet1_1", 64, "classifier.2"),
    ],
)
def test_the_layer_that_is_found(name, size, layer):
    network = torchvision.models.get_model(name, weights=None).eval()
    assert attention_layer(network, size) == layer
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_without_convolution():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    with pytest.raises(ConfigError, match="no convolution gives a map"):
        attention_layer(network, 8)


def test_maps_and_scores_are_those_of_the_split_network():
    torch.manual_seed(0)
    small = Small().eval()
    head = PooledLinear(5, 3)
    head.linear.load_state_dict(small.fc.state_dict())
    body = nn.Sequential(small.features, nn.ReLU())
    split = Classifier(body, head, **NO_CHANGE).eval()
    images, classes = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 1])
    expected = split(images)
    maps = classifier_attention(split, expected, classes)
    whole = WholeNetwork(small, "relu", 8, **NO_CHANGE)
    found = whole(images)
    torch.testing.assert_close(found.scores, expected.scores)
    torch.testing.assert_close(found.features, expected.features)
    torch.testing.assert_close(classifier_attention(whole, found, classes).detach(), maps.detach())


def test_nothing_below_the_layer_is_remembered():
    whole = WholeNetwork(Small().eval(), "features", 8, **NO_CHANGE)
    features = whole(torch.rand(2, 3, 8, 8)).features
    assert features.is_leaf
    assert features.requires_grad
    with torch.no_grad():
        assert not whole(torch.rand(2, 3, 8, 8)).scores.requires_grad


@pytest.mark.parametrize(
    ("layer", "words"),
    [("feature", "did you mean 'features'"), ("fc", "no map"), ("", "no such layer")],
)
def test_layers_that_do_not_do(layer, words):
    with pytest.raises(ConfigError, match=words):
        WholeNetwork(Small().eval(), layer, 8, **NO_CHANGE)


def test_log_odds_against_the_rest():
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]], dtype=torch.float64)
    chances = logits.softmax(dim=1)
    torch.testing.assert_close(against_the_rest(logits), (chances / (1 - chances)).log())
    torch.testing.assert_close(
        against_the_rest(logits)[1], torch.full((3,), -0.6931471805599453, dtype=torch.float64)
    )


def test_a_saturated_softmax_loses_nothing():
    """The odds of 90 against 0 and -5 are e^90 / (1 + e^-5)."""
    logits = torch.tensor([[90.0, 0.0, -5.0]], requires_grad=True)
    odds = against_the_rest(logits)
    assert odds[0, 0].item() == pytest.approx(90 - 0.006715348489)
    odds[0, 0].backward()
    assert logits.grad[0].tolist() == pytest.approx([1.0, -0.993307, -0.006693], abs=1e-6)


def test_softmax_answers_by_more_than_half():
    torch.manual_seed(1)
    small = Small(classes=2).eval()
    whole = WholeNetwork(small, None, 8, softmax=True, **NO_CHANGE)
    images = torch.rand(16, 3, 8, 8)
    chosen = small(images).argmax(dim=1)
    assert ((whole(images).scores[:, 1] > 0).long() == chosen).all()


def test_log_odds_have_the_gradients_of_the_softmax():
    logits = torch.tensor(
        [[1.0, -2.0, 0.5], [0.3, 0.3, 0.3]], dtype=torch.float64, requires_grad=True
    )
    assert torch.autograd.gradcheck(against_the_rest, logits)
    assert torch.autograd.gradgradcheck(against_the_rest, logits)
    steep = torch.tensor([[90.0, 0.0, -90.0]], requires_grad=True)
    against_the_rest(steep).sum().backward()
    assert steep.grad.isfinite().all()


class Squashed(Small):
    """A network that ends in a softmax or in sigmoids of its own."""

    def __init__(self, squash):
        super().__init__()
        self.squash = squash

    def forward(self, images):
        logits = super().forward(images)
        return logits.softmax(dim=1) if self.squash == "softmax" else logits.sigmoid()


@pytest.mark.parametrize("squash", ["softmax", "sigmoid"])
def test_probabilities_are_not_squashed_twice(squash):
    torch.manual_seed(2)
    squashed = Squashed(squash).eval()
    small = Small().eval()
    small.load_state_dict(squashed.state_dict())
    images, softmax = torch.rand(4, 3, 8, 8), squash == "softmax"
    options = {"softmax": softmax, **NO_CHANGE}
    found = WholeNetwork(squashed, None, 8, probabilities=True, **options)(images)
    expected = WholeNetwork(small, None, 8, **options)(images)
    torch.testing.assert_close(found.scores, expected.scores, rtol=1e-4, atol=1e-5)


def test_saturated_probabilities_have_finite_odds():
    class Sure(Small):
        def forward(self, images):
            return torch.eye(3)[: len(images)] + 0 * super().forward(images)

    for softmax in (True, False):
        whole = WholeNetwork(
            Sure().eval(), None, 8, softmax=softmax, probabilities=True, **NO_CHANGE
        )
        scores = whole(torch.rand(3, 3, 8, 8)).scores
        assert scores.isfinite().all()
        assert (scores > 0).int().tolist() == torch.eye(3).int().tolist()
