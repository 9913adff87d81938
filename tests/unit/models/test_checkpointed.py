"""Gradient checkpointing: the same gradients and statistics, and less memory."""

import copy

import pytest
import torch
from torch import nn

from biasaudit.config import load_settings
from biasaudit.data.loading.batches import Item, collate
from biasaudit.guidance.modes import active_terms
from biasaudit.memory import peak_bytes
from biasaudit.models.backbones import BACKBONES
from biasaudit.models.checkpointed import checkpointed, segments
from biasaudit.training.guided import GuidedModel
from biasaudit.training.loop import Silent, train
from biasaudit.training.plan import make_plan

CLASSES = 4


def batches(images, size, present=((0,), (1,), (0, 1, 3), (2,))):
    generator = torch.Generator().manual_seed(3)

    def item(number, regions):
        labels = torch.tensor([float(c in present[number % len(present)]) for c in range(CLASSES)])
        region = torch.zeros(size, size, dtype=torch.bool)
        region[size // 4 : size // 2, size // 4 :] = True
        image = torch.randint(0, 256, (3, size, size), dtype=torch.uint8, generator=generator)
        return Item(number, image, labels, dict.fromkeys(regions, region))

    first = present[0]
    return (
        collate([item(number, ()) for number in range(images)]),
        collate([item(0, first), item(len(present), first)]),
    )


def guided(backbone, mode, frozen=0, **options):
    torch.manual_seed(0)
    settings = load_settings(options={"training.mode": mode, **options})
    classifier = BACKBONES[backbone].build(CLASSES)
    classifier.freeze(frozen)
    return GuidedModel(classifier, active_terms(settings)).train()


def stepped(model, batch, labelled):
    """Return the losses, every gradient and every buffer after a step forward and backward."""
    torch.manual_seed(5)
    losses = model(batch, labelled, 100.0)
    losses["total"].backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return losses, gradients, dict(model.named_buffers())


@pytest.mark.parametrize(
    ("backbone", "size", "mode", "frozen", "options"),
    [
        ("harbournet", 32, "baseline", 0, {}),
        ("harbournet", 32, "gain_ext", 0, {}),
        ("harbournet", 32, "gain_ext", 1, {}),
        ("harbournet", 32, "gain_ext", 0, {"terms": {"mining": {"batch_norm": "running"}}}),
        ("harbournet", 32, "gain_ext", 0, {"terms": {"mining": {"second_order": True}}}),
        ("harbournet", 32, "counterfactual", 0, {}),
        ("harbournet", 32, "rrr", 0, {}),
        ("mobilenet_v2", 64, "gain_ext", 7, {}),
        ("resnet18", 64, "gain_ext", 0, {}),
    ],
)
def test_gradients_and_statistics_are_those_of_a_plain_step(
    backbone, size, mode, frozen, options, monkeypatch
):
    plain = guided(backbone, mode, frozen, **options).double()
    batch, labelled = (
        made._each(lambda v: v.double() if v.is_floating_point() else v)
        for made in batches(4, size)
    )
    again = copy.deepcopy(plain)
    again.classifier.layer_pass = checkpointed
    expected, found = stepped(plain, batch, labelled), stepped(again, batch, labelled)
    for wanted, got in zip(expected, found, strict=True):
        assert wanted.keys() == got.keys()
        for name, value in wanted.items():
            torch.testing.assert_close(got[name], value, rtol=1e-9, atol=1e-11, msg=name)
    moved = [v for n, v in again.named_buffers() if n.endswith("num_batches_tracked")]
    assert {int(v) for v in moved} <= {0, 1}
    assert 1 in {int(v) for v in moved}


def test_layers_are_cut_before_convolutions_and_blocks_alone():
    conv, relu, pool = nn.Conv2d(3, 3, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)
    block, other = (
        nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU()),
        nn.Sequential(nn.ReLU(inplace=True)),
    )
    cut = segments([pool, conv, relu, block, other, conv])
    assert cut == [[pool], [conv, relu], [block, other], [conv]]
    assert segments([]) == []


def test_random_layers_draw_the_same_numbers_again():
    layers = [nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5)), nn.Conv2d(4, 2, 1)]
    images = torch.rand(2, 3, 8, 8)
    found = []
    for run in (checkpointed, lambda these, maps: nn.Sequential(*these)(maps)):
        torch.manual_seed(2)
        nn.Sequential(*layers).zero_grad()
        run(layers, images).square().sum().backward()
        found.append([layers[0][0].weight.grad.clone(), torch.rand(3)])
    torch.testing.assert_close(found[0], found[1])


def test_a_step_holds_less_memory():
    batch, labelled = batches(4, 64, present=((0, 1, 2, 3),))
    peaks = []
    for layer_pass in (None, checkpointed):
        model = guided("mobilenet_v2", "gain_ext")
        model.classifier.layer_pass = layer_pass
        peaks.append(
            peak_bytes(lambda model=model: stepped(model, batch, labelled), torch.device("cpu"))
        )
    assert peaks[1] < 0.5 * peaks[0]


def test_a_training_is_the_same_to_rounding():
    small = ["data.options.train=24", "data.options.val=8", "data.options.group=4"]
    small += ["training.epochs=2", "training.batch_size=8", "data.image_size=32"]
    models = []
    for said in ("false", "true"):
        plan = make_plan(
            load_settings(
                None,
                [*small, f"training.gradient_checkpointing={said}"],
                {"training.mode": "gain_ext", "data.pixel_labels": 4},
            )
        )
        models.append(train(plan, Silent()).model)
    assert models[1].layer_pass is None
    for name, value in models[0].state_dict().items():
        torch.testing.assert_close(models[1].state_dict()[name], value, rtol=1e-3, atol=1e-4)
