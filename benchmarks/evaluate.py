"""What does an evaluation cost beside the bare forward pass?

    OMP_NUM_THREADS=1 python -m benchmarks.evaluate

The same drawn images go through the same network in turn: ``bare`` (scores alone), ``evaluate`` as
``biasaudit evaluate`` does with all pairs (scores, attention maps, overlap with the object and the
context, groups with intervals, verdict, quadrants), and the same with ``faithfulness``, which
erases pixels of the first 200 images with the object of each split and so costs the less the
larger the dataset is. Writes ``benchmarks/results/evaluate.csv``; the ratios are printed last.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from statistics import median

import numpy as np
import torch

from benchmarks.measure import device_of, in_turn, options, ratio, write
from biasaudit.data.sample import Dataset, Image, Mask, Region, Sample
from biasaudit.evaluation.audit import Case, Request, audit, plan_splits
from biasaudit.evaluation.predict import Subject, batches
from biasaudit.models.backbones import BACKBONES

CASES = ("harbournet:64:1600", "mobilenet_v2:128:128", "resnet18:224:64")
WITH_FAITHFULNESS = ("harbournet:64:8000",)
CLASSES = ("boat", "car", "house", "tree")


def main() -> None:
    """Time every case, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options(parser, "evaluate", turns=5)
    parser.add_argument("--cases", nargs="*", default=CASES, help="backbone:side:images")
    parser.add_argument(
        "--faithfulness", nargs="*", default=WITH_FAITHFULNESS, help="the same, erased too"
    )
    arguments = parser.parse_args()
    device = device_of(arguments)
    rows: list[dict[str, object]] = []
    for text in dict.fromkeys([*arguments.cases, *arguments.faithfulness]):
        names = ["evaluate", *["faithfulness"] * (text in arguments.faithfulness)]
        rows += timed(text, names, arguments.turns, device)
        write(rows, device, arguments.out)
    for row in rows:
        print(
            f"{row['backbone']:13} {row['images']:6} images: {row['measured']:13}"
            f"{row['ratio']:6.2f} of the bare pass"
        )


def timed(
    text: str, names: Sequence[str], turns: int, device: torch.device
) -> list[dict[str, object]]:
    """Time one network bare and audited, in turn; return a row for each way of auditing."""
    backbone, size, images = text.split(":")
    subject, dataset = subject_of(backbone, int(size), device), drawn(int(images), int(size))
    programs = {
        "bare": partial(bare, subject, dataset),
        "evaluate": partial(evaluated, subject, dataset, Request(all_pairs=True)),
        "faithfulness": partial(
            evaluated, subject, dataset, Request(all_pairs=True, faithfulness=True)
        ),
    }
    seconds = in_turn({name: programs[name] for name in ("bare", *names)}, turns, device)
    return [
        {
            "measured": name,
            "backbone": backbone,
            "image_size": int(size),
            "images": int(images),
            "bare_seconds": median(seconds["bare"]),
            "seconds": median(seconds[name]),
            "ratio": ratio(seconds, name, "bare"),
        }
        for name in names
    ]


def subject_of(backbone: str, size: int, device: torch.device) -> Subject:
    """Return an untrained network of four classes under audit."""
    torch.manual_seed(0)
    model = BACKBONES[backbone].build(len(CLASSES)).eval().to(device)
    return Subject(model, CLASSES, size, device, 32)


def drawn(images: int, size: int) -> Dataset:
    """Return a dataset of noise: a half is ``val``, a half the two conflicting groups."""
    groups = (
        ("val", {"boat"}, {"water"}),
        ("val", set(), {"grass"}),
        ("test", {"boat"}, {"grass"}),
        ("test", set(), {"water"}),
    )
    subsets: dict[str, list[Sample]] = {"train": [], "val": [], "test": []}
    for number in range(images):
        subset, labels, contexts = groups[number % 4]
        named = sorted(labels | contexts)
        regions = {name: Region("mask", partial(mask, name, size)) for name in named}
        subsets[subset].append(
            Sample(
                f"{subset}-{number}",
                frozenset(labels),
                frozenset(contexts),
                partial(noise, number, size),
                regions,
            )
        )
    return Dataset("noise", CLASSES, ("water", "grass"), subsets)


def noise(number: int, size: int) -> Image:
    """Return an image of noise, drawn when it is looked at and not kept."""
    return np.random.default_rng(number).integers(0, 256, (size, size, 3), dtype=np.uint8)


def mask(name: str, size: int) -> Mask:
    """Return a region: an eighth of the image for the object, its lower half for a context."""
    region = np.zeros((size, size), dtype=bool)
    if name == "boat":
        region[size // 4 : size // 2, size // 4 : 3 * size // 4] = True
    else:
        region[size // 2 :] = True
    return region


def bare(subject: Subject, dataset: Dataset) -> None:
    """Load every image of both subsets and pass it through the network."""
    with torch.no_grad():
        for name in ("val", "test"):
            for batch in batches(subject, dataset.subset(name), ()):
                subject.model(batch.images.to(subject.device))


def evaluated(subject: Subject, dataset: Dataset, request: Request) -> None:
    """Audit the same images."""
    splits = plan_splits(dataset, ("val", "biased-boat"), "boat", "water")
    about = {"name": "untrained", "mode": "external", "backbone": "any"}
    audit(Case(subject, dataset, "boat", "water", splits, about), request)


if __name__ == "__main__":
    main()
