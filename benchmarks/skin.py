r"""Skin lesions, `malignant` against `ruler`: what repairs a bias whose object both classes have.

    OMP_NUM_THREADS=1 python -m benchmarks.skin --out benchmarks/results/skin.csv --runs RUNS

Three networks (MobileNetV2, 192 px): one whose body stays as ImageNet left it, with a last layer
fitted to the training images; baselines, all but their first layers trained; and either on lesions
alone, their surroundings erased by the mask in training and test, which is the bound. RUNS is a
folder that keeps trained runs; one that is there already is not trained again. AUROC of val, of
test, and of its two bias-conflicting groups. Recipes are chosen by training images left out, with
val as the guard. A row that the CSV holds already is not measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import biasaudit as ba
from biasaudit.config import RepairSettings
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.models.backbones import BACKBONES
from biasaudit.models.classifier import IMAGENET_MEAN, Classifier
from biasaudit.models.weights import load_start
from biasaudit.statistics import auroc
from biasaudit.training.repair.choose import BALANCES, KEPT_DOSES, STRENGTHS, best, compare
from biasaudit.training.repair.edits import EditRecipe
from biasaudit.training.repair.engine import gather, row_of
from biasaudit.training.repair.features import FeatureReader, last_layer
from biasaudit.training.repair.record import labels_for, options_of
from biasaudit.training.repair.refit import Examples, Recipe, Row, refit

SIZE, LABELS, MAX_VAL_LOSS = 192, 78, 0.05
OBJECT, CONTEXT = "malignant", "ruler"
CLASSES = ("malignant", "benign")
WEIGHTS = "../shared/weights/mobilenet_v2_imagenet.safetensors"
MODES = "upweight,last_layer,gain_ext,counterfactual,edited,evidence,energy,rrr"
KEY = ["network", "what", "seed"]


@dataclass(frozen=True)
class Variant:
    """A refit of the last layer: what it is given, and what is compared."""

    edits: bool
    contexts: bool

    def settings(self, seed: int, contexts: Sequence[str], cache: str | None) -> RepairSettings:
        """Return the settings of `biasaudit repair`."""
        return RepairSettings(
            pixel_labels=LABELS,
            max_val_loss=MAX_VAL_LOSS,
            seed=seed,
            regions=CLASSES,
            context_labels=tuple(contexts) if self.contexts else (),
            cache=cache,
        )

    @property
    def recipes(self) -> list[Recipe]:
        """What is compared."""
        doses = KEPT_DOSES if self.edits else (0.0,)
        balances = BALANCES if self.contexts else (0.0,)
        return [
            Recipe(dose=dose, strength=strength, balance=balance)
            for balance in balances
            for dose in doses
            for strength in STRENGTHS
        ]


VARIANTS = {
    "lesions alone added": Variant(edits=True, contexts=False),
    "reweighted by artefacts": Variant(edits=False, contexts=True),
    "repair": Variant(edits=True, contexts=True),
}
PLAIN = Recipe(dose=0.0, strength=20.0)


def main() -> None:
    """Measure what is asked for, or summarise."""
    arguments = parse()
    rows = pd.read_csv(arguments.out).to_dict("records") if arguments.out.is_file() else []
    if not arguments.summary:
        data = ba.load_dataset(arguments.data)
        for key, measure in work(arguments, data):
            left_out = arguments.only and key[1] not in arguments.only.split(",")
            if left_out or any([row[name] for name in KEY] == list(key) for row in rows):
                continue
            rows.append(dict(zip(KEY, key, strict=True)) | measure())
            pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.4f")
            print(rows[-1], flush=True)
    print(summary(pd.DataFrame(rows)))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV")
    parser.add_argument("--runs", type=Path, required=True, help="folder of trained runs")
    parser.add_argument("--data", default="../shared/skin")
    parser.add_argument("--weights", default=WEIGHTS)
    parser.add_argument("--modes", default=MODES, help="trained rivals, with commas")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--parts", default="frozen,trained,modes,bound", help="with commas")
    parser.add_argument("--only", help="what to measure of these parts, with commas")
    parser.add_argument("--cache", help="folder that keeps features")
    parser.add_argument("--summary", action="store_true", help="print the CSV's means alone")
    return parser.parse_args()


Work = tuple[tuple[str, str, int], Callable[[], dict[str, object]]]


def work(arguments: argparse.Namespace, data: Dataset) -> Iterator[Work]:
    """Yield each row's key and what measures it."""
    parts = arguments.parts.split(",")
    erased = replace(
        data, subsets={name: erased_subset(samples) for name, samples in data.subsets.items()}
    )
    if "frozen" in parts:
        yield (
            ("as pre-trained", "bound: lesion alone", 0),
            partial(frozen_plain, arguments, erased, 0),
        )
    for seed in (int(seed) for seed in arguments.seeds.split(",")):
        if "frozen" in parts:
            yield ("as pre-trained", "baseline", seed), partial(frozen_plain, arguments, data, seed)
            for name in VARIANTS:
                measure = partial(repaired, arguments, data, seed, name, None)
                yield ("as pre-trained", name, seed), measure
        if "trained" in parts:
            run = partial(trained, arguments, data, "baseline", seed)
            yield ("trained", "baseline", seed), partial(measured, run, data)
            measure = partial(repaired, arguments, data, seed, "repair", run)
            yield ("trained", "repair", seed), measure
        if "bound" in parts:
            run = partial(trained, arguments, erased, "baseline", seed, "bound")
            yield ("trained", "bound: lesion alone", seed), partial(measured, run, erased)
        if "modes" in parts:
            for mode in arguments.modes.split(","):
                run = partial(trained, arguments, data, mode, seed)
                yield ("trained", mode, seed), partial(measured, run, data)


def erased_subset(samples: Sequence[Sample]) -> list[Sample]:
    """Return the images whose lesion has a mask, each with nothing but the lesion."""
    return [
        replace(one, load_image=partial(lesion_alone, one.load_image, region))
        for one in samples
        for region in list(one.regions.values())[:1]
    ]


def lesion_alone(load: Callable[[], NDArray[np.uint8]], region: Region) -> NDArray[np.uint8]:
    """Return the lesion in front of one colour, (H, W, 3)."""
    import cv2

    image = load()
    there = cv2.GaussianBlur(region.load().astype(np.float64), (0, 0), 1.0)[..., None]
    ground = 255 * np.array(IMAGENET_MEAN)
    return np.round(ground + there * (image - ground)).astype(np.uint8)


def trained(
    arguments: argparse.Namespace, data: Dataset, mode: str, seed: int, name: str = ""
) -> Classifier:
    """Train a network, or read the run; guided by the lesions of both classes."""
    folder = arguments.runs / f"{name or mode}-{seed}"
    if folder.is_dir():
        return ba.load_run(folder).load_model()
    run = ba.train(
        replace(data, guided=CLASSES),
        mode,
        pixel_labels=LABELS,
        seed=seed,
        out=folder,
        backbone="mobilenet_v2",
        weights=arguments.weights,
        image_size=SIZE,
    )
    return run.load_model()


def frozen(arguments: argparse.Namespace, data: Dataset) -> Classifier:
    """Return the network as ImageNet left it, with a last layer that says nothing."""
    backbone = BACKBONES["mobilenet_v2"]
    model = backbone.build(len(data.classes))
    load_start(model, "mobilenet_v2", arguments.weights, backbone.rename)
    layer = last_layer(model.eval(), len(data.classes), SIZE).layer
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return model


def frozen_plain(arguments: argparse.Namespace, data: Dataset, seed: int) -> dict[str, object]:
    """Measure the network as pre-trained with a last layer fitted to the training images."""
    model = frozen(arguments, data)
    reader = reader_of(model, data, arguments.cache)
    train = data.subset("train")
    return figures(data, reader, plain_row(features(reader, data, "train"), train, seed))


def plain_row(found: NDArray[np.float32], samples: Sequence[Sample], seed: int) -> Row:
    """Fit a row to images alone."""
    numbers, zeros = np.arange(len(found)), np.zeros(len(found), dtype=np.int64)
    answers = np.array([OBJECT in sample.labels for sample in samples])
    examples = Examples(found, answers, zeros, numbers, zeros, np.zeros(len(found)))
    return refit(examples, PLAIN, Row(np.zeros(found.shape[1]), 0.0), seed)


def repaired(
    arguments: argparse.Namespace,
    data: Dataset,
    seed: int,
    name: str,
    network: Callable[[], Classifier] | None,
) -> dict[str, object]:
    """Measure a refit of the last layer, its recipe chosen as `biasaudit repair` does."""
    model = frozen(arguments, data) if network is None else network()
    variant = VARIANTS[name]
    settings = variant.settings(seed, data.contexts, arguments.cache)
    options = options_of(settings)
    if not variant.edits:
        # one edit an image, of weight 0, so that the criterion has what it looks at
        options = replace(options, edits=EditRecipe(0, 0, 0, 0, alone=1))
    labels = labels_for(data, OBJECT, settings, outlines=True)
    material = gather(model, data, OBJECT, labels, SIZE, options)
    reader = reader_of(model, data, arguments.cache)
    before = material.before
    if network is None:
        before = plain_row(features(reader, data, "train"), data.subset("train"), seed)
    candidates = compare(
        material.train, material.val, before, variant.recipes, settings.max_val_loss, seed
    )
    chosen = best(candidates).recipe
    row = refit(material.train, chosen, before, seed)
    return {
        "masks": len(labels.entries) if variant.edits else 0,
        "context_labels": len(settings.context_labels),
        "dose": chosen.dose,
        "strength": chosen.strength,
        "balance": chosen.balance,
        **figures(data, reader, row),
    }


def measured(network: Callable[[], Classifier], data: Dataset) -> dict[str, object]:
    """Measure a network as it is."""
    model = network()
    reader = reader_of(model, data, None)
    return figures(data, reader, row_of(reader.last, data.class_index[OBJECT]))


def reader_of(model: Classifier, data: Dataset, cache: str | None) -> FeatureReader:
    """Return what gives the features of images."""
    last = last_layer(model, len(data.classes), SIZE)
    return FeatureReader(model, last, 32, Path(cache) if cache else None)


def features(reader: FeatureReader, data: Dataset, subset: str) -> NDArray[np.float32]:
    """Return the (N, K) features of a subset."""
    images = SampleTensors(data.subset(subset), data.classes, SIZE, keep=False)
    return reader(images[number].image for number in range(len(images)))


def figures(data: Dataset, reader: FeatureReader, row: Row) -> dict[str, object]:
    """Return areas under the ROC curve, and how many images they rest on."""
    found: dict[str, object] = {}
    for subset in ("val", "test"):
        samples = data.subset(subset)
        scores = row.scores(features(reader, data, subset))
        there = np.array([OBJECT in sample.labels for sample in samples])
        shown = np.array([CONTEXT in sample.contexts for sample in samples])
        found[f"auroc_{subset}"] = auroc(scores[there], scores[~there])
    found["auroc_biased"] = auroc(scores[there & ~shown], scores[~there & shown])
    found["malignant_without_ruler"] = int((there & ~shown).sum())
    found["ruler_without_malignant"] = int((~there & shown).sum())
    return found


def summary(table: pd.DataFrame) -> str:
    """Return means over seeds, with the standard deviation between seeds, in Markdown."""
    columns = ["auroc_val", "auroc_test", "auroc_biased"]
    lines = ["| network | what | seeds | " + " | ".join(columns) + " |", "|---" * 6 + "|"]
    for (network, what), rows in table.groupby(KEY[:2], sort=False):
        values = [
            f"{rows[c].mean():.3f}" + (f" ± {rows[c].std(ddof=1):.3f}" if len(rows) > 1 else "")
            for c in columns
        ]
        lines.append(f"| {network} | {what} | {len(rows)} | " + " | ".join(values) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
