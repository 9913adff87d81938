"""What a training step of each mode costs, beside the baseline's and beside the limit.

    OMP_NUM_THREADS=1 python -m benchmarks.train_step

Steps of all modes take turns on the same images, with one positive label an image, nothing frozen
and float32. The limit is counted: passes forward and backward of one image, of which the
baseline has one an image. ``plain`` is GAIN as public codes have it, written here for comparison
alone: images one by one, a backward pass with hooks for the map of each class, a pass of the
masked image, a backward pass. Peak memory is that of the tensors. Writes
``benchmarks/results/train_step.csv``; the ratios are printed last.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.measure import Run, device_of, in_turn, options, ratio, write
from biasaudit.config import load_settings
from biasaudit.data.loading.batches import Batch, Item, collate
from biasaudit.guidance.modes import active_terms
from biasaudit.memory import freed_memory_kept, peak_bytes
from biasaudit.models.backbones import BACKBONES
from biasaudit.training.guided import GuidedModel

CASES = ("harbournet:64:32", "mobilenet_v2:128:16", "resnet18:128:16", "resnet50:128:8")
CASES = (*CASES, "vgg16:64:8")
MODES = ("baseline", "gain", "gain_ext", "evidence", "counterfactual", "rrr")
LABELLED = ("gain_ext", "evidence", "counterfactual", "rrr")
CLASSES = 20


@dataclass(frozen=True)
class Case:
    """One network and the batch that it is trained on.

    Attributes:
        backbone: A registered name.
        size: Side of the images in px.
        images: N, each with one positive label.
        labelled: M, images beside them whose region is known.
    """

    backbone: str
    size: int
    images: int
    labelled: int

    @classmethod
    def read(cls, text: str, share: float) -> Case:
        """Read ``backbone:size:images``."""
        backbone, size, images = text.split(":")
        return cls(backbone, int(size), int(images), max(1, round(share * int(images))))


def main() -> None:
    """Measure every case, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options(parser, "train_step", turns=7)
    parser.add_argument("--cases", nargs="+", default=CASES, help="backbone:side:images")
    parser.add_argument("--modes", nargs="+", default=MODES)
    parser.add_argument("--labelled", type=float, default=0.5, help="labelled images, of the batch")
    parser.add_argument("--no-plain", action="store_true", help="leave the plain way out")
    arguments = parser.parse_args()
    device = device_of(arguments)
    rows: list[dict[str, object]] = []
    for text in arguments.cases:
        case = Case.read(text, arguments.labelled)
        modes = [mode for mode in arguments.modes if mode != "baseline"]
        rows += measure(case, ["baseline", *modes], arguments, device)
        write(rows, device, arguments.out)
    for row in rows:
        print(
            f"{row['backbone']:13} {row['mode']:15} {row['ratio']:6.2f} of the baseline's time "
            f"(limit {row['limit']:.2f}), {row['memory_ratio']:.2f} of its memory"
        )


def measure(
    case: Case, modes: Sequence[str], arguments: argparse.Namespace, device: torch.device
) -> list[dict[str, object]]:
    """Return a row a mode; each takes turns with a baseline of its own.

    So two networks with their optimisers are in memory at once, not one for each mode.
    """
    names = [*modes, *["plain"] * (not arguments.no_plain)]
    return [_beside_baseline(case, name, arguments.turns, device) for name in names]


def _beside_baseline(case: Case, name: str, turns: int, device: torch.device) -> dict[str, object]:
    batch, labelled = (made.to(device) for made in batches_of(case))
    programs: dict[str, Run] = {}
    for mode in dict.fromkeys(["baseline", name]):
        if mode == "plain":
            programs[mode] = partial(PlainGain(case.backbone, device).step, batch)
        else:
            beside = labelled if mode in LABELLED else None
            programs[mode] = partial(Training(case.backbone, mode, device).step, batch, beside)
    with freed_memory_kept(device.type):  # as in training
        seconds = in_turn(programs, turns, device)
    held = state_bytes(case.backbone)
    memory = {mode: held + peak_bytes(run, device) for mode, run in programs.items()}
    return {
        "backbone": case.backbone,
        "image_size": case.size,
        "images": case.images,
        "labelled": case.labelled if name in LABELLED else 0,
        "mode": name,
        "seconds": median(seconds[name]),
        "ratio": ratio(seconds, name, "baseline"),
        "limit": limit(case, name),
        "peak_megabytes": memory[name] / 2**20,
        "memory_ratio": memory[name] / memory["baseline"],
    }


def limit(case: Case, mode: str) -> float:
    """Return the passes forward and backward of a step, in those of the baseline's step.

    A pass backward counts two passes forward: the gradient of the weights and that of the inputs.
    One of ``rrr``'s labelled images is a pass forward, a gradient of the inputs (one), and the
    gradient of both for the weights (two and two); it stands in the batch's pass besides.
    """
    n, m = case.images, case.labelled
    masked = n if mode in ("gain", "gain_ext") else 0
    beside = m if mode in LABELLED else 0
    edited = 2 * m if mode == "counterfactual" else 0
    if mode == "rrr":
        beside = 3 * m
    if mode == "plain":
        return 8 / 3  # an image forward and backward, its masked version, and a backward pass more
    return (n + masked + beside + edited) / n


def batches_of(case: Case) -> tuple[Batch, Batch]:
    """Return N images of noise with a class each, and M with a class and its region."""
    generator = torch.Generator().manual_seed(0)

    def items(count: int, first: int, regions: bool) -> Iterator[Item]:
        for number in range(count):
            shape = (3, case.size, case.size)
            image = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
            labels = torch.zeros(CLASSES)
            labels[(number + first) % CLASSES] = 1
            region = torch.zeros(case.size, case.size, dtype=torch.bool)
            region[case.size // 4 : case.size // 2, case.size // 4 : 3 * case.size // 4] = True
            yield Item(number, image, labels, {0: region} if regions else {})

    return (
        collate(list(items(case.images, 1, regions=False))),
        collate(list(items(case.labelled, 0, regions=True))),
    )


class Training:
    """A network, its terms and its optimiser.

    Args:
        backbone: A registered name.
        mode: A registered mode; its warm-up is over.
        device: Where to train.
    """

    def __init__(self, backbone: str, mode: str, device: torch.device) -> None:
        torch.manual_seed(0)
        terms = active_terms(load_settings(options={"training.mode": mode}))
        classifier = BACKBONES[backbone].build(CLASSES)
        self.model = GuidedModel(classifier, terms).to(device).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)

    def step(self, batch: Batch, labelled: Batch | None) -> None:
        """Make one step."""
        losses = self.model(batch, labelled, 100.0)
        self.optimizer.zero_grad()
        losses["total"].backward()
        self.optimizer.step()


class PlainGain:
    """GAIN as public codes have it, batches of one.

    Gradients of the images add up to one step of the optimiser for all of them, where public codes
    make one an image: that is in favour of the plain way.

    Args:
        backbone: A registered name.
        device: Where to train.
    """

    def __init__(self, backbone: str, device: torch.device) -> None:
        torch.manual_seed(0)
        self.model = BACKBONES[backbone].build(CLASSES).to(device).train()
        for layer in self.model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()  # the statistics of one image are none, and torch refuses 1×1 maps
        self.weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=1e-5)
        self.features = self.gradient = torch.empty(0)
        self.model.body.register_forward_hook(self._forward_hook)

    def _forward_hook(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self.features = output
        if output.requires_grad:
            output.register_hook(self._backward_hook)

    def _backward_hook(self, gradient: Tensor) -> None:
        self.gradient = gradient

    def step(self, batch: Batch) -> None:
        """Pass the images one by one, and make one step."""
        self.optimizer.zero_grad()
        for image, labels in zip(batch.images, batch.labels, strict=True):
            self.image(image[None], labels[None])
        self.optimizer.step()

    def image(self, image: Tensor, labels: Tensor) -> None:
        """Add the gradient of one image's losses."""
        output = self.model(image)
        features = self.features
        loss = nn.functional.multilabel_soft_margin_loss(output.scores, labels)
        for column in labels[0].nonzero().flatten().tolist():
            # a pass backward through everything, as they make it, for what the hook keeps of it
            torch.autograd.grad(
                output.scores[0, column], self.weights, retain_graph=True, allow_unused=True
            )
            weights = self.gradient.mean(dim=(2, 3), keepdim=True)
            attention = (weights * features).sum(dim=1, keepdim=True).relu()
            attention = nn.functional.interpolate(
                attention, image.shape[2:], mode="bilinear", align_corners=False
            )
            low, high = attention.min(), attention.max()
            attention = (attention - low) / (high - low + 1e-8)
            masked = image - image * torch.sigmoid(10 * (attention - 0.5))
            loss = loss + self.model(masked).scores[0, column].sigmoid()
        loss.backward()


def state_bytes(backbone: str) -> int:
    """Return the bytes of a network's weights and buffers, their gradients and AdamW's moments."""
    model = BACKBONES[backbone].build(CLASSES)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    buffers = sum(b.numel() * b.element_size() for b in model.buffers())
    return 3 * weights + buffers


if __name__ == "__main__":
    main()
