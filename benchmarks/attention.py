"""Attention maps of one class and of all classes, beside the libraries that make such maps.

    OMP_NUM_THREADS=1 python -m benchmarks.attention

The same network (ResNet-18, 20 classes) gets the same batch in turn: ``forward`` gives scores
alone; ``one class`` a map of each image's class; ``all classes`` maps of all 20. captum's
``LayerGradCam``, pytorch-grad-cam (``grad-cam``) and ``torchcam`` make one class's maps a call. A
library that is not installed is passed over; none is needed by biasaudit. All classes are counted
beyond the forward pass: the time less that of ``forward``. Maps are left at the layer's size where
a library lets them, and held against each other before anything is timed. Writes
``benchmarks/results/attention.csv``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.measure import Run, device_of, in_turn, installed, options, ratio, write
from biasaudit.attention.classifier import classifier_attention
from biasaudit.models.backbones import BACKBONES
from biasaudit.models.classifier import Classifier

CLASSES = 20
Maker = Callable[[int], Tensor]
"""The column of a class to the (N, h, w) maps of all images."""


class Scores(nn.Module):
    """The network as a library takes it: images to scores, with a layer to look at."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C) scores."""
        scores: Tensor = self.classifier(images).scores
        return scores


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options(parser, "attention", turns=9)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--images", type=int, default=8)
    arguments = parser.parse_args()
    device = device_of(arguments)
    torch.manual_seed(0)
    classifier = BACKBONES[arguments.backbone].build(CLASSES).eval().to(device)
    images = torch.rand(arguments.images, 3, arguments.image_size, arguments.image_size)
    rows = measure(classifier, images.to(device), arguments.turns, device)
    shared = {"backbone": arguments.backbone, "image_size": arguments.image_size}
    write([{**shared, "images": len(images), **row} for row in rows], device, arguments.out)
    for row in rows:
        print(
            f"{row['library']:17} {row['version']:8} {row['classes']:3} classes: "
            f"{row['ratio']:7.2f} of forward, {1000 * row['beyond_forward']:8.2f} ms beyond it"
        )


def measure(
    classifier: Classifier, images: Tensor, turns: int, device: torch.device
) -> list[dict[str, object]]:
    """Return a row for each library, and for one class and all of them."""
    makers = {"biasaudit": partial(ours, classifier, images), **peers(classifier, images)}
    expected = ours(classifier, images, 3)
    for name, maker in makers.items():
        check(name, expected, maker(3))
    everything = torch.arange(CLASSES, device=images.device)
    programs: dict[str, Run] = {"forward": partial(scores_of, classifier, images)}
    programs |= {f"{name} 1": partial(maker, 3) for name, maker in makers.items()}
    programs[f"biasaudit {CLASSES}"] = partial(ours_all, classifier, images, everything)
    for name in makers:
        if name != "biasaudit":
            programs[f"{name} {CLASSES}"] = partial(one_by_one, makers[name])
    seconds = in_turn(programs, turns, device)
    rows = []
    for program in programs:
        library, _, classes = program.partition(" ")
        beyond = [a - b for a, b in zip(seconds[program], seconds["forward"], strict=True)]
        row: dict[str, object] = {
            "library": library,
            "version": installed({"pytorch_grad_cam": "grad-cam"}.get(library, library)),
            "classes": int(classes or 0),
            "seconds": median(seconds[program]),
            "ratio": ratio(seconds, program, "forward"),
            "beyond_forward": median(beyond),
        }
        rows.append(row)
    return rows


def check(name: str, expected: Tensor, found: Tensor) -> None:
    """Hold a library's maps, which may be scaled and enlarged, against ours.

    Raises:
        RuntimeError: They are others.
    """
    if found.shape[1:] != expected.shape[1:]:
        expected = nn.functional.interpolate(expected[:, None], found.shape[1:], mode="bilinear")
        expected = expected[:, 0]
    pairs = torch.stack([expected.flatten(1), found.to(expected).flatten(1)])
    centred = pairs - pairs.mean(dim=2, keepdim=True)
    alike = nn.functional.cosine_similarity(centred[0], centred[1], dim=1)
    seen = expected.flatten(1).amax(dim=1) > 0
    if float(alike[seen].min()) < 0.95:
        raise RuntimeError(f"{name}: gives other maps ({alike.tolist()})")


@torch.no_grad()
def scores_of(classifier: Classifier, images: Tensor) -> Tensor:
    """Return the scores alone."""
    return classifier(images).scores


@torch.no_grad()
def ours(classifier: Classifier, images: Tensor, column: int) -> Tensor:
    """Return the maps of one class."""
    classes = torch.full((len(images),), column, device=images.device)
    return classifier_attention(classifier, classifier(images), classes)


@torch.no_grad()
def ours_all(classifier: Classifier, images: Tensor, everything: Tensor) -> Tensor:
    """Return the maps of all classes, those of one image after those of another."""
    rows = torch.arange(len(images), device=images.device).repeat_interleave(len(everything))
    return classifier_attention(
        classifier, classifier(images), everything.repeat(len(images)), rows
    )


def one_by_one(maker: Maker) -> None:
    """Make the maps of all classes, one class a call."""
    for column in range(CLASSES):
        maker(column)


def peers(classifier: Classifier, images: Tensor) -> dict[str, Maker]:
    """Return the installed libraries."""
    made: dict[str, Maker] = {}
    for name, build in (("captum", _captum), ("pytorch_grad_cam", _grad_cam)):
        try:
            made[name] = build(classifier, images)
        except ImportError:
            print(f"{name}: not installed, passed over")
    try:
        made["torchcam"] = _torchcam(classifier, images)
    except ImportError:
        print("torchcam: not installed, passed over")
    return made


def _captum(classifier: Classifier, images: Tensor) -> Maker:
    from captum.attr import LayerGradCam

    method = LayerGradCam(Scores(classifier), classifier.body)
    return lambda column: method.attribute(images, column, relu_attributions=True)[:, 0].detach()


def _grad_cam(classifier: Classifier, images: Tensor) -> Maker:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    method = GradCAM(Scores(classifier), [classifier.body])

    def maps(column: int) -> Tensor:
        targets = [ClassifierOutputTarget(column)] * len(images)
        return torch.from_numpy(method(images, targets))

    return maps


def _torchcam(classifier: Classifier, images: Tensor) -> Maker:
    from torchcam.methods import GradCAM

    network = Scores(classifier)
    method = GradCAM(network, "classifier.body", input_shape=tuple(images.shape[1:]))

    def maps(column: int) -> Tensor:
        with torch.enable_grad():
            scores = network(images.requires_grad_())
            found: Tensor = method(column, scores)[0]
        return found.detach()

    return maps


if __name__ == "__main__":
    main()
